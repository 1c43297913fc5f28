"""What stands between a project and its image, known before a builder is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit.errors import ProjectError
from handoff_kit.image import context
from handoff_kit.venvs import locks
from handoff_runtime.terminal import safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project, Venv

__all__ = ["LARGE", "Obstacle", "credentials", "obstacles", "refuse"]

LARGE = 500_000_000  # bytes; ECR and a task's start get slow long before their limits
IGNORED = ".dockerignore"
MOST = 10


@dataclass(frozen=True)
class Obstacle:
    """What is in the way, and what to do; one that is not fatal makes a poor image, the others make none."""

    message: str
    hint: str
    fatal: bool = True


def obstacles(place: ProjectPlace, project: Project) -> tuple[Obstacle, ...]:
    """All there are."""
    rules: tuple[Callable[[ProjectPlace, Project], Iterator[Obstacle]], ...] = (
        *(_locks, _unknown, _paths, _git, _files, credentials),
    )
    return tuple(found for rule in rules for found in rule(place, project))


def refuse(place: ProjectPlace, project: Project) -> None:
    """Raise the first that is fatal."""
    for found in obstacles(place, project):
        if found.fatal:
            raise ProjectError(found.message, found.hint)


def _locks(place: ProjectPlace, project: Project) -> Iterator[Obstacle]:
    """Every venv of the image is made from its lock."""
    for venv in project.venvs:
        lock = place.lock(venv.name)
        shown = lock.relative_to(place.root).as_posix()
        again = f"invoke install --project {place.name}"
        if not lock.is_file():
            yield Obstacle(f"{shown}: not found, expected the lock of venv {venv.name}", again)
        else:
            yield from _unfit(lock.read_text(encoding="utf-8", errors="replace"), venv, shown, again)


def _unfit(text: str, venv: Venv, shown: str, again: str) -> Iterator[Obstacle]:
    if not locks.is_current(text, venv.requirements):
        yield Obstacle(f"{shown}: made for other requirements than venv {venv.name} has now", again)
        return
    try:
        locks.check_lock(text, venv.requirements, shown, f"rm {shown} && {again}")
    except ProjectError as error:
        yield Obstacle(error.message, error.hint or again)


def _unknown(place: ProjectPlace, project: Project) -> Iterator[Obstacle]:
    """A venv by its path alone lies here; nothing says how the image would get it."""
    made = {venv.directory for venv in project.venvs}
    for directory in dict.fromkeys(stage.venv for stage in project.stages if stage.venv and stage.venv not in made):
        name = directory.rpartition("/")[2]
        message = f"{place.shown}: venv {directory} has no requirements, so an image cannot have it"
        yield Obstacle(message, f"declare it: venvs: {{{name}: [PACKAGE]}}, and name it on the stage: venv: {name}")


def _paths(place: ProjectPlace, project: Project) -> Iterator[Obstacle]:
    """What a venv installs from a directory must be part of the project."""
    for venv in project.venvs:
        for path in filter(None, map(locks.local_path, venv.requirements)):
            if path.startswith(("/", "..")) or not (place.directory / path).exists():
                message = f"{place.shown}: venv {venv.name} installs {path}, expected a path inside the project"
                yield Obstacle(
                    message, f"copy it to projects/{place.name}/, and name it so: ./{path.rpartition('/')[2]}"
                )
            elif not context.enters(place, project, path):
                message = f"{place.shown}: venv {venv.name} installs {path}, which stays out of an image"
                yield Obstacle(message, "let it lie elsewhere in the project: docs/image.md tells what never enters")


def _git(place: ProjectPlace, project: Project) -> Iterator[Obstacle]:
    for venv in project.venvs:
        wants = any("git+" in requirement for requirement in venv.requirements)
        if wants and not any(name.split("=")[0] == "git" for name in project.image.build_packages):
            message = f"{place.shown}: venv {venv.name} is made from a git repository; the builder has no git"
            yield Obstacle(
                message, "take it along, unless the base has it: image: {build_packages: [git]}", fatal=False
            )


def _files(place: ProjectPlace, project: Project) -> Iterator[Obstacle]:
    size = context.size(place, project)
    if size > LARGE:
        message = f"projects/{place.name}: {size / 1e6:,.0f} MB of files would enter the image, at most 500 MB expected"
        hint = "leave some out: image: {exclude: [PATH]}; what a run only reads may lie in files/, or in S3"
        yield Obstacle(message, hint, fatal=False)
    if (place.directory / IGNORED).exists():
        message = f"projects/{place.name}/{IGNORED}: is not read"
        yield Obstacle(message, "say it in project.yml: image: {exclude: [PATH]}", fatal=False)


def credentials(place: ProjectPlace, project: Project) -> Iterator[Obstacle]:
    """Files that are left out because they are credentials."""
    found = context.credentials(place, project)
    if found:
        more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
        named = ", ".join(map(safe_name, found[:MOST])) + more
        message = f"projects/{place.name}: left out of the image, because they look like credentials: {named}"
        hint = "config with secrets belongs into .local; to have a file in the image: image: {include: [PATH]}"
        yield Obstacle(message, hint, fatal=False)
