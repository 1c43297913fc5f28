"""Starters: small projects that run right away, copied to create a project."""

from __future__ import annotations

from pathlib import Path

from handoff_kit.errors import ProjectError
from handoff_kit.paths import ProjectPaths, check_project_name
from handoff_kit.run import gitignore
from handoff_kit.steps import Step, WriteFile
from handoff_kit.text import did_you_mean

TEMPLATES = Path(__file__).parents[1] / "starters"
PLACEHOLDER = "PROJECT_NAME"


def list_starters() -> tuple[str, ...]:
    """The names of the starters."""
    return tuple(sorted(entry.name for entry in TEMPLATES.iterdir() if (entry / "project.yml").is_file()))


def plan_new(root: Path, name: str, starter: str) -> tuple[Step, ...]:
    """The steps that create projects/NAME, which must not exist."""
    paths = ProjectPaths(check_project_name(name), root)
    if starter not in list_starters():
        suggestion = did_you_mean(starter, list_starters())
        message = f"--starter: found {starter!r}, expected one of {', '.join(list_starters())}"
        raise ProjectError(message, f"did you mean: --starter {suggestion}" if suggestion else None)
    if paths.directory.exists():
        raise ProjectError(
            f"projects/{name} exists already", f"to see what it would run: invoke show-commands --project {name}"
        )
    template = TEMPLATES / starter
    sources = (path for path in sorted(template.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    files = [WriteFile(paths.directory / ".gitignore", gitignore.GITIGNORE)]
    for path in sources:
        relative = path.relative_to(template)
        text = path.read_text(encoding="utf-8").replace(PLACEHOLDER, paths.name)
        files.append(WriteFile(paths.directory / relative, text, 0o600 if ".local" in relative.parts else 0o644))
    return tuple(files)
