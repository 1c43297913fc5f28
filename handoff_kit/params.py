"""The params document: the pipeline and the sensitive config of `.local`, one version together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from handoff_kit import project, render
from handoff_kit.errors import HandoffError, ProjectError
from handoff_runtime import function

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from handoff_kit.names import ProjectPlace
    from handoff_kit.project import Project

FORMAT = 1
RESERVED = ("run", "default", "show_commands")
LEFT_OUT = frozenset({".DS_Store", ".gitkeep", ".gitignore"})


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
