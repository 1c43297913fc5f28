"""The bytes of a project file, and the text they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.source.problem import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 256 * 1024


def content(path: Path) -> str:
    """The text of a file; UnreadableError where there is none."""
    return _decoded(_bytes(path))


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise UnreadableError("found a directory, expected a file", "move it away and write project.yml there")
    if not path.exists():
        message = "there is no such file, expected a project file"
        raise UnreadableError(message, "invoke new makes a project from a starter; invoke new --help tells how")
    try:
        return _bounded(path)
    except OSError as error:
        message = f"the file cannot be read: {(error.strerror or str(error)).lower()}"
        raise UnreadableError(message, f"look at it with: ls -l {path.name}") from error


def _bounded(path: Path) -> bytes:
    if not path.is_file():
        raise UnreadableError("found a device or a pipe, expected a file", "write the project file there")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        hint = "keep data in files/ and give the commands its path"
        raise UnreadableError("the file is larger than 256 KiB, too much for a project file", hint)
    return content


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte, before = content[error.start], content[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        raise UnreadableError(
            f"byte {byte:#04x} (number {error.start + 1} of the file) is not UTF-8, expected UTF-8 text",
            "save the file as UTF-8 in your editor",
            (before.count(b"\n") + 1, column),
        ) from error
