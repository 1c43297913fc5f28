"""The lock of one virtual environment: pip's requirements format, exact versions, a hash for every file.

A head of ours records what it was resolved from; a lock whose head says otherwise is stale. It holds no
address of an index: where the files come from is each machine's own setting. The one address it may
hold is that of a requirement that is an address (`tap @ git+https://...`).
"""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, Any, Literal

from handoff_kit.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "TELLING",
    "check",
    "compose",
    "is_current",
    "is_unhashed",
    "path_of",
    "pins_of_report",
    "requirements_of",
    "serves",
]

TITLE = "# Exact versions of one virtual environment. Made by `invoke install`: commit it, do not edit it."
REQUIREMENT = "# requirement: "

_PIN = re.compile(r"([A-Za-z0-9][\w.-]*)(\[[\w,. -]+\])?(==\S+| @ \S+)")
_UNHASHED = re.compile(r"(^|@ *)((git|hg|svn|bzr)\+|file:|\.{0,2}/)|@ *(?![\w+.-]+:)\S")
_NAMED = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w,. -]+\])? *@ *")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")

TELLING = (
    r"Hash mismatch for `[^`]+`",
    r"(DO NOT MATCH THE HASHES)[^\n]*\n +(\S+)(?= from )",
    r"no trusted hash was provided for:\s+.+",  # uv folds its lines where COLUMNS is set
    r"must have a hash, but none were provided for:\s+.+",
    r"must be pinned upfront with `==`, but found:\s+.+",
    r"(must have their versions pinned) with ==[^\n]*\n +(\S+)",
    r"Because .+",
    r"Failed to (?:build|download|fetch) `[^`]+`",
    r"Failed to fetch: .+",
    r"No matching distribution found for .+",
)


def compose(requirements: Sequence[str], pins: str, serves: str) -> str:
    """The whole text of a lock: our head, then the pins."""
    head = [TITLE, f"# serves: {serves}", *(REQUIREMENT + text for text in requirements)]
    return "\n".join(head) + "\n\n" + "".join(f"{line}\n" for line in pins.strip().splitlines())


def requirements_of(text: str) -> tuple[str, ...] | None:
    """What a lock was resolved from, or None where its head does not say."""
    lines = text.splitlines()
    if TITLE not in lines[:1]:
        return None
    return tuple(line[len(REQUIREMENT) :] for line in lines if line.startswith(REQUIREMENT))


def is_current(text: str | None, requirements: Sequence[str]) -> bool:
    return text is not None and requirements_of(text) == tuple(requirements)


def is_unhashed(requirement: str) -> bool:
    """Whether it is a repository or a directory: a commit can be pinned, but no hash asked for."""
    return _UNHASHED.search(requirement) is not None


def path_of(requirement: str) -> str | None:
    """The directory or file that a requirement installs, or None where it names none."""
    named = _NAMED.match(requirement)
    place = requirement[named.end() if named else 0 :].partition(" ;")[0].strip()
    path = place.removeprefix("file://").removeprefix("file:")
    is_path = "://" not in path and (named or is_unhashed(place))
    return posixpath.normpath(path) if is_path else None


def check(text: str, requirements: Sequence[str], shown: str, again: str) -> None:
    """Refuse a lock that was edited or merged wrongly, before an installer stumbles over it."""
    hint = f"make it anew: {again}"
    pinned = set()
    for line, entry in _entries(text):
        if problem := _problem(entry):
            raise ProjectError(f"{shown}:{line}: {problem}", hint)
        pinned.add(_name(entry))
    for text_ in requirements:
        if _NAME.match(text_) and _name(text_) not in pinned:
            raise ProjectError(f"{shown}: found no version of {text_!r}, expected one", hint)


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


def _problem(entry: str) -> str | None:
    if is_unhashed(entry):
        return None
    if not _PIN.match(entry):
        return f"found {entry[:40]!r}, expected a requirement with an exact version, NAME==VERSION"
    hashes = [word for word in entry.split() if word.startswith("--")]
    if not hashes:
        return f"found no hash of {entry.split(maxsplit=1)[0]}, expected --hash=sha256:..."
    wrong = next((word for word in hashes if not _HASH.fullmatch(word)), None)
    return f"found {wrong[:40]!r}, expected --hash=sha256: and 64 hexadecimal digits" if wrong else None


def _name(requirement: str) -> str:
    """A project's name as the index compares it (PEP 503)."""
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found.group(0)).lower() if found else requirement


def pins_of_report(text: str) -> str:
    """The pins of pip's installation report (`pip install --dry-run --report`)."""
    items: list[dict[str, Any]] = json.loads(text)["install"]
    return "\n".join(sorted(_pin_of(item) for item in items))


def _pin_of(item: dict[str, Any]) -> str:
    name, version = _name(item["metadata"]["name"]), item["metadata"]["version"]
    download = item["download_info"]
    if "archive_info" not in download:
        message = f"requirement {name}: found a repository or a directory, which pip cannot lock"
        raise ProjectError(message, "uv can: pip install uv")
    digest = download["archive_info"]["hashes"]["sha256"]
    where = f" @ {download['url']}" if item["is_direct"] else f"=={version}"
    return f"{name}{where} \\\n    --hash=sha256:{digest}"


def serves(resolver: Literal["uv", "pip"], python: str, platform: str) -> str:
    """For whom a lock is good: pip knows the hashes only of the files it chose itself."""
    if resolver == "uv":
        return f"Python {python} and later, on every platform"
    return f"Python {python} on {platform} (made by pip; made by uv, it would serve every platform)"
