"""Names and where they lie: the project that is meant, and the paths that follow from its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from handoff_kit.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MAX_LENGTH = 40
NEVER_IN_IMAGE = (".artifacts", ".git", ".hg", ".local", ".svn")
"""Names that an image has at no depth of a project: secrets, and what runs and version control write."""
OUTSIDE_IMAGE = ("Dockerfile.j2", "files", "locks", "project.yml", "venv")
"""Paths of a project that are no part of /app: they reach a run by another way, or serve a build."""
_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_RULE_TOLD = f"letters, digits, _ and -, beginning with a letter or digit, at most {MAX_LENGTH} characters"


@dataclass(frozen=True)
class ProjectPlace:
    """A project's name, and every path that follows from it."""

    name: str
    root: Path

    @property
    def directory(self) -> Path:
        """Where the project's own files lie, and where its stages run."""
        return self.root / "projects" / self.name

    @property
    def file(self) -> Path:
        """The project file."""
        return self.directory / "project.yml"

    @property
    def shown(self) -> str:
        """The project file as messages call it."""
        return f"projects/{self.name}/project.yml"

    @property
    def local(self) -> Path:
        """Sensitive config; neither git nor docker sees it."""
        return self.directory / ".local"

    @property
    def locks(self) -> Path:
        """The committed locks of the project's virtual environments."""
        return self.directory / "locks"

    @property
    def build(self) -> Path:
        """What was rendered from the project file."""
        return self.root / "build" / self.name

    def lock(self, venv: str) -> Path:
        """The lock of one virtual environment."""
        return self.locks / f"{venv}.txt"


def find(root: Path, asked: str | None, cwd: Path, environ: Mapping[str, str]) -> ProjectPlace:
    """The project that was asked for, or the one that must be meant."""
    existing = known(root)
    if name := asked or environ.get("HANDOFF_PROJECT"):
        return ProjectPlace(_existing(checked(name), existing), root)
    if (here := _around(root, cwd)) in existing:
        return ProjectPlace(here, root)
    if len(existing) == 1:
        return ProjectPlace(existing[0], root)
    raise _undecided(existing)


def checked(name: str) -> str:
    """The name, if it is one a project may have."""
    if _RULE.fullmatch(name) and len(name) <= MAX_LENGTH:
        return name
    raise ProjectError(f"project name: found {name!r}, expected {_RULE_TOLD}", _closest_rule(name))


def known(root: Path) -> tuple[str, ...]:
    """The names of the directories under projects/ that hold a project file, sorted."""
    files = (root / "projects").glob("*/project.yml")
    return tuple(sorted(name for file in files if _RULE.fullmatch(name := file.parent.name)))


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that a misspelt word most likely stands for."""
    by_form = {choice.lower().replace("-", "_"): choice for choice in choices}
    found = get_close_matches(word.lower().replace("-", "_"), by_form, 1, 0.6)
    return by_form[found[0]] if found else None


def _closest_rule(name: str) -> str:
    legal = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:MAX_LENGTH]
    return f"for example: --project {legal}" if legal else "invoke --list shows the tasks and what they take"


def _existing(name: str, existing: tuple[str, ...]) -> str:
    if name in existing:
        return name
    message = f"project {name!r} found nowhere, expected {_listed(existing)}"
    meant = nearest(name, existing)
    raise ProjectError(message, f"did you mean: --project {meant}" if meant else _making(name))


def _around(root: Path, cwd: Path) -> str:
    projects, here = (root / "projects").resolve(), cwd.resolve()
    return here.relative_to(projects).parts[0] if projects in here.parents else ""


def _undecided(existing: tuple[str, ...]) -> ProjectError:
    if not existing:
        return ProjectError("projects: found no project, expected at least one", _making("NAME"))
    hint = f"for example: --project {existing[0]}, or export HANDOFF_PROJECT={existing[0]}"
    return ProjectError(f"no project is named, expected --project NAME: {_listed(existing)}", hint)


def _listed(existing: tuple[str, ...]) -> str:
    return f"one of {', '.join(existing)}" if existing else "one under projects/, where there is none yet"


def _making(name: str) -> str:
    return f"make it: invoke new --project {name}"
