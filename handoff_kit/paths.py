"""Projects under projects/, and the paths of their files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from handoff_kit.errors import ProjectError
from handoff_kit.text import did_you_mean

MAX_LENGTH = 40
NEVER_IN_IMAGE = (".artifacts", ".git", ".hg", ".local", ".svn")
"""Names that an image has at no depth of a project: secrets, and what runs and version control write."""
OUTSIDE_IMAGE = ("Dockerfile.j2", "files", "locks", "project.yml", "venv")
"""Paths of a project that are no part of /app: they reach a run by another way, or serve a build."""
EDITOR_FILES = ("*~", ".*.sw[a-p]", ".#*", "#*#")
"""Backups, swap files and locks of editors (vim, Emacs, nano): of no use to a run, and they hold what is edited."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_MISNAMED = re.compile(r"projects?\.ya?ml", re.IGNORECASE)


@dataclass(frozen=True)
class ProjectPaths:
    """The paths of a project."""

    name: str
    root: Path

    @property
    def directory(self) -> Path:
        """The project's own directory, in which its stages run."""
        return self.root / "projects" / self.name

    @property
    def file(self) -> Path:
        """The project file."""
        return self.directory / "project.yml"

    @property
    def display_path(self) -> str:
        """The path of the project file in messages."""
        return f"projects/{self.name}/project.yml"

    @property
    def local(self) -> Path:
        """Sensitive config, ignored by git and docker."""
        return self.directory / ".local"

    @property
    def locks(self) -> Path:
        """The committed locks of the virtual environments."""
        return self.directory / "locks"

    @property
    def build(self) -> Path:
        """Rendered and downloaded files."""
        return self.root / "build" / self.name

    def lock(self, venv: str) -> Path:
        """The lock of one virtual environment."""
        return self.locks / f"{venv}.txt"


class UnknownProjectError(ProjectError):
    """A project that was named and is not under projects/; it may be deployed."""

    def __init__(self, paths: ProjectPaths, deployed: Sequence[str] = ()) -> None:
        """The names in `deployed` may be meant as well as those under projects/."""
        existing = project_names(paths.root)
        expected = f", expected one of {', '.join(existing)}" if existing else ""
        suggestion = did_you_mean(paths.name, (*existing, *deployed))
        create = f"create it: invoke new --project {paths.name}"
        hint = f"did you mean: --project {suggestion}" if suggestion else create
        message = f"found no project {paths.name!r} under projects/{expected}"
        super().__init__(message, _rename_hint(paths.root, paths.name) or hint)
        self.paths = paths


def find_project(root: Path, name: str | None, cwd: Path, environ: Mapping[str, str]) -> ProjectPaths:
    """The named project, else HANDOFF_PROJECT, else the one that `cwd` is in, else the only one."""
    existing = project_names(root)
    if name := name or environ.get("HANDOFF_PROJECT"):
        paths = ProjectPaths(check_project_name(name), root)
        if name not in existing:
            raise UnknownProjectError(paths)
        return paths
    projects, directory = (root / "projects").resolve(), cwd.resolve()
    if projects in directory.parents:
        project = directory.relative_to(projects).parts[0]
        if project in existing:
            return ProjectPaths(project, root)
        if hint := _rename_hint(root, project):
            raise ProjectError(f"found no project {project!r} under projects/", hint)
    only, *others = all_projects(root)
    if others:
        hint = f"for example: --project {only.name}, or export HANDOFF_PROJECT={only.name}"
        raise ProjectError(f"--project is required: one of {', '.join(existing)}", hint)
    return only


def all_projects(root: Path) -> tuple[ProjectPaths, ...]:
    """Every project under projects/; at least one, else ProjectError."""
    if names := project_names(root):
        return tuple(ProjectPaths(name, root) for name in names)
    hint = _rename_hint(root, "*") or "create one: invoke new --project NAME"
    raise ProjectError("found no project under projects/", hint)


def check_project_name(name: str) -> str:
    """The name; ProjectError if it is not a valid one."""
    if _NAME.fullmatch(name) and len(name) <= MAX_LENGTH:
        return name
    rule = f"letters, digits, _ and -, beginning with a letter or digit, at most {MAX_LENGTH} characters"
    *_, last = ("", *(part for part in PurePosixPath(name).parts if not _MISNAMED.fullmatch(part)))
    legal = re.sub(r"[^A-Za-z0-9_-]+", "-", last).strip("-_")[:MAX_LENGTH]
    hint = f"for example: --project {legal}" if legal else "invoke --list shows the tasks and their flags"
    raise ProjectError(f"project name: found {name!r}, expected {rule}", hint)


def project_names(root: Path) -> tuple[str, ...]:
    """The names of the directories under projects/ that hold a project file, sorted."""
    files = (root / "projects").glob("*/project.yml")
    return tuple(sorted(name for file in files if _NAME.fullmatch(name := file.parent.name)))


def _rename_hint(root: Path, pattern: str) -> str:
    """The command that renames a file meant as the project file: project.yaml, or the original's .local/project.yml."""
    for directory in (root / "projects").glob(pattern):
        for file in sorted((*directory.glob("*"), *directory.glob(".local/*"))):
            if _MISNAMED.fullmatch(file.name):
                words = [path.relative_to(root).as_posix() for path in (file, directory / "project.yml")]
                return f"rename it: mv {shlex.join(words)}"
    return ""
