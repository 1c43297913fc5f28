"""The params document: the pipeline and the sensitive config of `.local`, one version together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_kit import render
from handoff_kit.errors import HandoffError, ProjectError
from handoff_kit.project import load as project
from handoff_kit.steps import WriteFile
from handoff_runtime import function

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project
    from handoff_runtime.store import ConfigFile

FORMAT = 1
RESERVED = ("run", "default", "show_commands")
LEFT_OUT = frozenset({".DS_Store", ".gitkeep", ".gitignore"})
SECTIONS = ("files",)
"""The lists of the document whose items, objects with "name" and "value", are not in git: a push merges each."""


@dataclass(frozen=True)
class Merged:
    """The document a push stores, and the names of stored items that are absent locally: kept or removed."""

    document: Mapping[str, Any]
    kept: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def merge(local: Mapping[str, Any], stored: Mapping[str, Any], remove: Collection[str] = ()) -> Merged:
    """The local document with the stored items that are absent locally, except those named in `remove`."""
    sections = {section: _absent(section, local, stored) for section in SECTIONS}
    names = [item["name"] for items in sections.values() for item in items]
    kept = {section: [item for item in items if item["name"] not in remove] for section, items in sections.items()}
    added = {
        section: sorted([*local.get(section, ()), *items], key=lambda item: item["name"].split("/"))
        for section, items in kept.items()
        if items or section in local
    }
    return Merged(
        {**local, **added},
        tuple(name for name in names if name not in remove),
        tuple(name for name in names if name in remove),
    )


def item_names(document: Mapping[str, Any]) -> frozenset[str]:
    """The names of all items of a document that a push merges."""
    return frozenset(item["name"] for section in SECTIONS for item in document.get(section, ()))


def _absent(section: str, local: Mapping[str, Any], stored: Mapping[str, Any]) -> list[dict[str, str]]:
    here = {item["name"] for item in local.get(section, ())}
    return [item for item in stored.get(section, ()) if item["name"] not in here]


def of_place(place: ProjectPlace, environment: str) -> dict[str, Any]:
    """The params document of a project as it lies on disk."""
    return document(place, project.load(place.file, place.shown), environment)


def document(place: ProjectPlace, loaded: Project, environment: str) -> dict[str, Any]:
    """The params document of a loaded project."""
    pipeline = pipeline_of(place, loaded, environment)
    files = [{"name": name, "value": value} for name, value in _local(place).items()]
    return {"format": FORMAT, "pipeline": pipeline, "files": files}


def pipeline_of(place: ProjectPlace, loaded: Project, environment: str) -> dict[str, Any]:
    """The pipeline document of a loaded project."""
    return render.pipeline_document(loaded, place.name, environment, lambda path: (place.directory / path).exists())


def to_json(params: Mapping[str, Any]) -> str:
    """The document as text, the same for the same document."""
    return json.dumps(params, indent=2, ensure_ascii=False) + "\n"


def functions(place: ProjectPlace) -> tuple[str, ...]:
    """The project's own functions, which run-local --command calls."""
    try:
        return function.names(str(place.directory / function.IMPL))
    except HandoffError as error:
        raise ProjectError(f"projects/{place.name}/{error.message}", error.hint) from None


def check_functions(place: ProjectPlace) -> None:
    """Refuse functions in impl.py that a built-in command's name would hide."""
    hidden = [name for name in functions(place) if name in RESERVED]
    if hidden:
        raise ProjectError(
            f"projects/{place.name}/{function.IMPL}: found a function {hidden[0]!r}, the name of a built-in command",
            f"call it otherwise; the built-in ones are {', '.join(RESERVED)}",
        )


def _local(place: ProjectPlace) -> dict[str, str]:
    files = sorted(path for path in place.local.rglob("*") if path.is_file() and path.name not in LEFT_OUT)
    return {path.relative_to(place.local).as_posix(): _text(place, path) for path in files}


def _text(place: ProjectPlace, path: Path) -> str:
    shown = path.relative_to(place.root).as_posix()
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProjectError(
            f"{shown}: found a byte that is no UTF-8 (at {error.start}), expected a text file",
            f"put what is not text, or not secret, into projects/{place.name}/files/",
        ) from None
    except OSError as error:
        raise ProjectError(f"{shown}: {error.strerror}, expected a file one can read") from None


def plan_pull(
    place: ProjectPlace, files: Sequence[ConfigFile], command: str, *, force: bool
) -> tuple[tuple[WriteFile, ...], tuple[str, ...]]:
    """The steps that write stored config files to `.local`, and the names of those that are equal there already.

    ProjectError that names every obstacle, before anything is written; `command` is the one that overwrites.
    """
    equal = tuple(file.name for file in files if _is_equal(place, file))
    wanted = [file for file in files if file.name not in equal]
    if blocked := [f"{_shown_local(place, file.name)}: {why}" for file in wanted if (why := _blocked(place, file))]:
        raise ProjectError("; ".join(blocked), f"move it away, then: {command}")
    if differing := [file.name for file in wanted if (place.local / file.name).exists() and not force]:
        names = ", ".join(_shown_local(place, name) for name in differing)
        raise ProjectError(
            f"{names}: differs from the stored one; nothing is written", f"to overwrite: {command} --force"
        )
    return tuple(WriteFile(place.local / file.name, file.value, 0o600, 0o700) for file in wanted), equal


def _is_equal(place: ProjectPlace, file: ConfigFile) -> bool:
    path = place.local / file.name
    try:
        return path.is_file() and path.read_bytes() == file.value.encode("utf-8", "surrogatepass")
    except OSError:
        return False


def _blocked(place: ProjectPlace, file: ConfigFile) -> str:
    """Why a file cannot be written below `.local`; nothing where it can be."""
    path = place.local / file.name
    parents = [place.local / parent for parent in path.relative_to(place.local).parents]
    if link := next((each for each in (path, *parents) if each != place.local and each.is_symlink()), None):
        return f"{_shown_local(place, link.relative_to(place.local).as_posix())} is a symbolic link"
    if parent := next((each for each in parents if each.exists() and not each.is_dir()), None):
        return f"{parent.relative_to(place.root).as_posix()} is not a directory"
    if path.exists() and not path.is_file():
        return "is not a file"
    try:
        file.value.encode()
    except UnicodeEncodeError:
        return "the stored text is not UTF-8"
    return ""


def _shown_local(place: ProjectPlace, name: str) -> str:
    return (place.local / name).relative_to(place.root).as_posix()
