"""The build context: the files of an image in a fixed order, with modes and times computed from their content.

    project/          the project's files, as /app will have them
    volumes/          .env and .artifacts, empty: volumes mounted there get their owner
    locks/NAME.txt    the lock of each venv
    handoff_runtime/  the runtime
    builder/          the lock of uv, that of boto3, and what fills the runtime's environment

Sensitive and generated files never enter, at any depth; neither do `project.yml` (the params document carries the
pipeline) and `files/` (mounted by a local run, fetched from S3 on AWS). Files that look like credentials enter only
where `image.include` names them.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import handoff_runtime
from handoff_kit.errors import ProjectError
from handoff_kit.image.credentials import is_credential
from handoff_kit.paths import EDITOR_FILES, NEVER_IN_IMAGE, OUTSIDE_IMAGE, ProjectPaths
from handoff_kit.project.model import Project
from handoff_kit.steps import Entry

NEVER_DIRECTORIES = (".env", ".env.*")  # files of these names are credentials
USELESS = (".DS_Store", ".gitignore", ".venv", "__pycache__", "*.py[co]", *EDITOR_FILES)
PARTS = Path(__file__).with_name("parts")
RUNTIME = Path(handoff_runtime.__file__).parent
VOLUMES = (".artifacts", ".env")
BLOCK = 1 << 20


def context_entries(paths: ProjectPaths, project: Project) -> tuple[Entry, ...]:
    """All entries of the context, by path."""
    entries = [
        *_tree("project", _project_files(paths, project), paths),
        *(_directory(name) for name in ("locks", "volumes", *(f"volumes/{name}" for name in VOLUMES))),
        *(_file(f"locks/{venv.name}.txt", paths.lock(venv.name), paths) for venv in project.venvs),
        *_tree("handoff_runtime", _modules(RUNTIME), paths),
        *_tree("builder", _modules(PARTS), paths),
    ]
    return tuple(sorted(entries, key=lambda entry: entry.path))


def context_digest(dockerfile: str, platform: str, context: Iterable[Entry]) -> str:
    """sha256 of Dockerfile, platform and context, in hexadecimal."""
    lines = [[entry.path, entry.mode, entry.target, entry.sha256] for entry in context]
    return hashlib.sha256(json.dumps([dockerfile, platform, lines]).encode()).hexdigest()


def project_size(paths: ProjectPaths, project: Project) -> int:
    """Bytes of the project's own files."""
    return sum(path.lstat().st_size for _, path in _project_files(paths, project) if not path.is_dir())


def enters_image(paths: ProjectPaths, project: Project, name: str) -> bool:
    """Whether a path of the project becomes part of the image, with its parents."""
    for parent in (PurePosixPath(name), *PurePosixPath(name).parents):
        part = parent.as_posix()
        path = paths.directory / part
        if part != "." and (_stays_out(path, part, project) or _is_secret(path, part, project)):
            return False
    return True


def credential_files(paths: ProjectPaths, project: Project) -> tuple[str, ...]:
    """The project's paths left out as credentials; a directory means all files below it."""
    return tuple(sorted(name for name, _, secret in _walk(paths, project) if secret))


def sha256_of(path: Path) -> str:
    """The hash of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _modules(directory: Path) -> Iterator[tuple[str, Path]]:
    for path in directory.rglob("*"):
        inside = path.relative_to(directory)
        if not any(_matches(part, USELESS) for part in inside.parts):
            yield inside.as_posix(), path


def _project_files(paths: ProjectPaths, project: Project) -> Iterator[tuple[str, Path]]:
    """The project's paths that enter, relative to it."""
    return ((name, path) for name, path, secret in _walk(paths, project) if not secret)


def _walk(paths: ProjectPaths, project: Project) -> Iterator[tuple[str, Path, bool]]:
    """The project's paths, and whether each is a credential, without what else stays out."""
    directories = [paths.directory]
    while directories:
        directory = directories.pop()
        try:
            children = list(directory.iterdir())
        except OSError as error:
            raise ProjectError(
                f"{_display(directory, paths)}: {error.strerror}, expected a readable directory"
            ) from None
        for path in children:
            name = path.relative_to(paths.directory).as_posix()
            if not _stays_out(path, name, project):
                secret = _is_secret(path, name, project)
                yield name, path, secret
                directories += [path] if path.is_dir() and not path.is_symlink() and not secret else []


def _stays_out(path: Path, name: str, project: Project) -> bool:
    if _matches(path.name, (*NEVER_IN_IMAGE, *USELESS)) or name in OUTSIDE_IMAGE:
        return True
    if path.is_dir() and _matches(path.name, NEVER_DIRECTORIES):
        return True
    relative = PurePosixPath(name)
    for pattern in (*project.image.exclude, *(venv.directory for venv in project.venvs)):
        # A pattern is relative to the project; match alone would begin it anywhere
        if relative.match(pattern) and len(relative.parts) == len(PurePosixPath(pattern).parts):
            return True
    try:
        return (path / "pyvenv.cfg").is_file()
    except OSError:  # unreadable: an error where it is read
        return False


def _is_secret(path: Path, name: str, project: Project) -> bool:
    """Whether it is a credential, unless `image.include` names it, a directory it is in, or something in it."""
    parts = PurePosixPath(name).parts
    patterns = [PurePosixPath(pattern).parts for pattern in project.image.include]
    possible = [pattern for pattern in patterns if len(pattern) <= len(parts) or path.is_dir()]
    included = any(all(map(fnmatchcase, parts, pattern)) for pattern in possible)
    return not included and is_credential(path, name)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _tree(top: str, files: Iterable[tuple[str, Path]], paths: ProjectPaths) -> Iterator[Entry]:
    yield _directory(top)
    for name, path in files:
        inside = f"{top}/{name}"
        if not path.is_symlink():
            yield _directory(inside) if path.is_dir() else _file(inside, path, paths)
            continue
        # A link stays a link: its target enters by its own path, or not at all
        target = str(path.readlink())
        resolved = os.path.normpath(PurePosixPath(name).parent / target)
        if target.startswith("/") or resolved.split("/")[0] == "..":
            raise ProjectError(
                f"{_display(path, paths)}: found a link to {target}, expected one that stays inside the project",
                "put a copy in its place, or leave it out: image: {exclude: [" + name + "]}",
            )
        yield Entry(inside, 0o777, target=target)


def _directory(path: str) -> Entry:
    return Entry(path, 0o755)


def _file(inside: str, path: Path, paths: ProjectPaths) -> Entry:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ProjectError(f"{_display(path, paths)}: expected a file or a directory")
        mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        return Entry(inside, mode, path, None, status.st_size, sha256_of(path))
    except OSError as error:
        raise ProjectError(f"{_display(path, paths)}: {error.strerror}, expected a readable file") from None


def _display(path: Path, paths: ProjectPaths) -> str:
    return path.relative_to(paths.root).as_posix() if path.is_relative_to(paths.root) else str(path)
