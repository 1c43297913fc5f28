"""The lock of one virtual environment: pip's requirements format, exact versions, a hash for every file.

The head records the requirements it was resolved from; a lock whose head differs from the project file is stale. It
holds no address of an index, which is a setting of the machine, but addresses in requirements (`tap @ git+https://...`).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence

from handoff_kit.command import OutputPatterns
from handoff_kit.errors import ProjectError

TITLE = "# Exact versions of one virtual environment. Made by `invoke install`: commit it, do not edit it."
REQUIREMENT = "# requirement: "

_PIN = re.compile(r"([A-Za-z0-9][\w.-]*)(\[[\w,. -]+\])?(==\S+| @ \S+)")
_UNHASHED = re.compile(r"(^|@ *)((git|hg|svn|bzr)\+|file:|\.{0,2}/)|@ *(?![\w+.-]+:)\S")
_NAMED = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w,. -]+\])? *@ *")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")

FAILURES = OutputPatterns(
    causes=(
        r"Hash mismatch for `[^`]+`",
        r"no trusted hash was provided for:\s+.+",  # uv folds its lines where COLUMNS is set
        r"must have a hash, but none were provided for:\s+.+",
        r"must be pinned upfront with `==`, but found:\s+.+",
        r"Because .+",
        r"Failed to (?:build|download|fetch) `[^`]+`",
        r"Failed to fetch: .+",
    )
)
"""Patterns of the lines in which uv names the cause of a failure."""


def lock_text(requirements: Sequence[str], pins: str, python: str) -> str:
    """The whole text of a lock: the head, then the pins."""
    serves = f"# serves: Python {python} and later, on every platform"
    head = [TITLE, serves, *(REQUIREMENT + text for text in requirements)]
    return "\n".join(head) + "\n\n" + "".join(f"{line}\n" for line in pins.strip().splitlines())


def locked_requirements(text: str) -> tuple[str, ...] | None:
    """The requirements that a lock was resolved from; None if `invoke install` did not write it."""
    lines = text.splitlines()
    if TITLE not in lines[:1]:
        return None
    return tuple(line[len(REQUIREMENT) :] for line in lines if line.startswith(REQUIREMENT))


def is_current(text: str | None, requirements: Sequence[str]) -> bool:
    return text is not None and locked_requirements(text) == tuple(requirements)


def is_unhashed(requirement: str) -> bool:
    """Whether it is a repository or a directory, for which pip cannot require a hash."""
    return _UNHASHED.search(requirement) is not None


def hash_options(requirements: Iterable[str]) -> tuple[str, ...]:
    """Options of an installation: hashes are checked wherever there are some, but a repository has none to require."""
    return () if any(map(is_unhashed, requirements)) else ("--require-hashes",)


def local_path(requirement: str) -> str | None:
    """The directory or file that a requirement installs; None for a package of an index."""
    named = _NAMED.match(requirement)
    address = requirement[named.end() if named else 0 :].partition(" ;")[0].strip()
    path = address.removeprefix("file://").removeprefix("file:")
    is_path = "://" not in path and (named or is_unhashed(address))
    return posixpath.normpath(path) if is_path else None


def check_lock(text: str, requirements: Sequence[str], path: str, command: str) -> None:
    """Refuse a lock that was edited or merged wrongly; `command` creates it again."""
    hint = f"create it again: {command}"
    pinned = set()
    for line, entry in _entries(text):
        if problem := _entry_problem(entry):
            raise ProjectError(f"{path}:{line}: {problem}", hint)
        pinned.add(_canonical_name(entry))
    for requirement in requirements:
        if _NAME.match(requirement) and _canonical_name(requirement) not in pinned:
            raise ProjectError(f"{path}: found no version of {requirement!r}, expected one", hint)


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Each logical line of a lock (a backslash continues it), with the number of its first line."""
    start, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if not parts and (not line.strip() or line.startswith("#")):
            continue
        start = start if parts else number
        parts.append(line.rstrip("\\ ").strip())
        if not line.rstrip().endswith("\\"):
            yield start, " ".join(parts)
            parts = []
    if parts:
        yield start, " ".join(parts)


def _entry_problem(entry: str) -> str | None:
    if is_unhashed(entry):
        return None
    if not _PIN.match(entry):
        return f"found {entry[:40]!r}, expected a requirement with an exact version, NAME==VERSION"
    hashes = [word for word in entry.split() if word.startswith("--")]
    if not hashes:
        return f"found no hash of {entry.split(maxsplit=1)[0]}, expected --hash=sha256:..."
    wrong = next((word for word in hashes if not _HASH.fullmatch(word)), None)
    return f"found {wrong[:40]!r}, expected --hash=sha256: and 64 hexadecimal digits" if wrong else None


def _canonical_name(requirement: str) -> str:
    """The normalized name of a package (PEP 503)."""
    name = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", name.group(0)).lower() if name else requirement
