"""Problems of a project's image that are known before a build starts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handoff_kit.errors import ProjectError
from handoff_kit.image import context
from handoff_kit.image.context import VOLUMES
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.model import Project
from handoff_kit.project.shell_words import split_words
from handoff_kit.text import join_first
from handoff_kit.venvs import locks
from handoff_runtime.terminal import safe_name

LARGE = 500_000_000  # bytes; ECR and a task's start get slow long before their limits
DOCKERIGNORE = ".dockerignore"
_PARTS = re.compile(r"[=<>|;&()\s]+")
_AVAILABLE = {
    ".local": "name it as a run has it: .env/config/{rest}",
    "files": "name it as a run has it: .env/files/{rest}",
}
MAX_LISTED = 10  # credential files


@dataclass(frozen=True)
class ImageProblem:
    """A problem and its hint; a fatal one prevents the build."""

    message: str
    hint: str
    fatal: bool = True


def find_image_problems(paths: ProjectPaths, project: Project) -> tuple[ImageProblem, ...]:
    rules = (_lock_problems, _venv_problems, _path_problems, _file_problems, credential_problems)
    return tuple(problem for rule in rules for problem in rule(paths, project))


def check_image(paths: ProjectPaths, project: Project) -> None:
    """Raise the first problem that is fatal."""
    for problem in find_image_problems(paths, project):
        if problem.fatal:
            raise ProjectError(problem.message, problem.hint)


def _lock_problems(paths: ProjectPaths, project: Project) -> Iterator[ImageProblem]:
    """Every venv of the image is created from its lock."""
    command = f"invoke install --project {paths.name}"
    for venv in project.venvs:
        lock = paths.lock(venv.name)
        path = lock.relative_to(paths.root).as_posix()
        if not lock.is_file():
            yield ImageProblem(f"{path}: not found, expected the lock of venv {venv.name}", command)
            continue
        text = lock.read_text(encoding="utf-8", errors="replace")
        if not locks.is_current(text, venv.requirements):
            yield ImageProblem(f"{path}: resolved from other requirements than venv {venv.name} has now", command)
            continue
        try:
            locks.check_lock(text, venv.requirements, path, f"rm {path} && {command}")
        except ProjectError as error:
            yield ImageProblem(error.message, error.hint or command)


def _venv_problems(paths: ProjectPaths, project: Project) -> Iterator[ImageProblem]:
    """Venvs without requirements exist on this machine only; a directory that a venv installs must enter the image."""
    declared = {venv.directory for venv in project.venvs}
    for directory in dict.fromkeys(stage.venv for stage in project.stages if stage.venv and stage.venv not in declared):
        name = directory.rpartition("/")[2]
        message = f"{paths.display_path}: venv {directory} has no requirements, so an image cannot have it"
        yield ImageProblem(message, f"declare it: venvs: {{{name}: [PACKAGE]}}, and name it on the stage: venv: {name}")
    for venv in project.venvs:
        where = f"{paths.display_path}: venv {venv.name}"
        for path in filter(None, map(locks.local_path, venv.requirements)):
            if path.startswith(("/", "..")) or not (paths.directory / path).exists():
                hint = f"copy it to projects/{paths.name}/, and name it so: ./{path.rpartition('/')[2]}"
                yield ImageProblem(f"{where} installs {path}, expected a path inside the project", hint)
            elif not context.enters_image(paths, project, path):
                hint = "move it elsewhere in the project: docs/concepts/images.md lists what never enters"
                yield ImageProblem(f"{where} installs {path}, which stays out of an image", hint)
    has_git = any(name.split("=")[0] == "git" for name in project.image.build_packages)
    for venv in project.venvs:
        if not has_git and any("git+" in requirement for requirement in venv.requirements):
            message = f"{paths.display_path}: venv {venv.name} installs from a git repository; the builder has no git"
            hint = "install it, unless the base has it: image: {build_packages: [git]}"
            yield ImageProblem(message, hint, fatal=False)


def _path_problems(paths: ProjectPaths, project: Project) -> Iterator[ImageProblem]:
    """Files of this machine that stages name and an image does not have."""
    venvs = {stage.venv.partition("/")[0] for stage in project.stages if stage.venv}
    for number, stage in enumerate(project.stages, 1):
        words = split_words(stage.shell).words if stage.shell else (stage.command or "", *stage.args)
        moves = "cd" in words or "pushd" in words
        for path in dict.fromkeys(part for word in words for part in _PARTS.split(word)):
            if not path or path == ".." or moves or not os.path.lexists(paths.directory / path):
                continue
            place = Path(os.path.normpath(paths.directory / path))
            name = os.path.relpath(place, paths.directory)
            top, _, rest = name.partition("/")
            if path.startswith("/") and not place.is_relative_to(paths.root):
                continue  # of the system, which the base of the image may have too
            if top == "..":
                hint = f"copy it to projects/{paths.name}/, and name it so: {place.name}"
            elif path.startswith("/"):
                hint = f"name it by its path in the project: {name}"
            elif (
                ("/" not in path and place.is_dir())
                or top in {".", *VOLUMES, *venvs}
                or context.enters_image(paths, project, name)
            ):
                continue
            else:
                hint = _AVAILABLE.get(top, "docs/concepts/images.md lists what never enters").format(rest=rest)
            message = f"{paths.display_path}: stage {number} names {safe_name(path)}, which an image does not have"
            yield ImageProblem(message, hint, fatal=False)


def _file_problems(paths: ProjectPaths, project: Project) -> Iterator[ImageProblem]:
    size = context.project_size(paths, project)
    if size > LARGE:
        message = f"projects/{paths.name}: {size / 1e6:,.0f} MB of files would enter the image, at most 500 MB expected"
        hint = "leave some out: image: {exclude: [PATH]}; put files that a run only reads into files/, or into S3"
        yield ImageProblem(message, hint, fatal=False)
    if (paths.directory / DOCKERIGNORE).exists():
        message = f"projects/{paths.name}/{DOCKERIGNORE}: is not read"
        yield ImageProblem(message, "exclude files in project.yml: image: {exclude: [PATH]}", fatal=False)


def credential_problems(paths: ProjectPaths, project: Project) -> Iterator[ImageProblem]:
    """Files that stay out of the image because they look like credentials."""
    names = context.credential_files(paths, project)
    if names:
        listed = join_first([*map(safe_name, names)], MAX_LISTED)
        message = f"projects/{paths.name}: left out of the image, because they look like credentials: {listed}"
        hint = "config with secrets belongs into .local; to have a file in the image: image: {include: [PATH]}"
        yield ImageProblem(message, hint, fatal=False)
