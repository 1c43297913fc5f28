"""New projects from starters: a starter is a directory of plain files, a small project that runs as it is."""

from __future__ import annotations

from pathlib import Path

from handoff_kit import gitignore
from handoff_kit.errors import ProjectError
from handoff_kit.names import ProjectPlace, checked, nearest
from handoff_kit.steps import Step, WriteFile

__all__ = ["plan_new", "starters"]

TEMPLATES = Path(__file__).with_name("starters")
PLACEHOLDER = "PROJECT_NAME"
SENSITIVE = ".local"


def starters() -> tuple[str, ...]:
    """The names of the starters there are."""
    return tuple(sorted(entry.name for entry in TEMPLATES.iterdir() if (entry / "project.yml").is_file()))


def plan_new(root: Path, name: str, starter: str) -> tuple[Step, ...]:
    """The steps that make projects/NAME; nothing that lies there is ever overwritten."""
    place = ProjectPlace(checked(name), root)
    template = TEMPLATES / _known(starter)
    if place.directory.exists():
        message = f"projects/{name}: found a project of this name, expected none"
        raise ProjectError(message, f"to see what it would run: invoke show-commands --project {name}")
    files = (_file(template, path, place) for path in sorted(template.rglob("*")) if _is_part(path))
    return (WriteFile(place.directory / ".gitignore", gitignore.TEXT), *files)


def _known(starter: str) -> str:
    if starter in starters():
        return starter
    meant = nearest(starter, starters())
    expected = f"starter: found {starter!r}, expected one of {', '.join(starters())}"
    raise ProjectError(expected, f"did you mean: --starter {meant}" if meant else None)


def _is_part(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _file(template: Path, path: Path, place: ProjectPlace) -> WriteFile:
    relative = path.relative_to(template)
    text = path.read_text(encoding="utf-8").replace(PLACEHOLDER, place.name)
    return WriteFile(place.directory / relative, text, 0o600 if SENSITIVE in relative.parts else 0o644)
