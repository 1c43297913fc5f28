"""The state: what one run leaves for the next, replaced whole or not at all, and only when it was earned."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence

from handoff_runtime import exact_json, symlinks
from handoff_runtime.annotations import Any
from handoff_runtime.errors import StoreError, mark_inserted
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.workspace import ARTIFACTS, STATE, STDOUT, create_file, open_output

BLOCK = 1 << 18
SEED = b"{}\n"
ALL, SINGER, NONE = "all", "singer", "none"
ASIDE = f"{STATE}.aside"
LONGEST_SHOWN = 1 << 12
MOST_PARSED = 1 << 24

_TIMES = frozenset({"time", "timestamp", "@timestamp", "ts", "asctime", "date", "datetime"})
_MESSAGES = frozenset({"message", "msg", "event"})
_LEVELS = frozenset({"level", "levelname", "severity", "loglevel", "log_level", "log.level", "lvl"})
_LEVEL_NAMES = frozenset({
    "trace", "debug", "info", "information", "notice", "warn", "warning", "error", "err", "critical", "crit", "fatal",
    "alert", "emergency", "panic",
})  # fmt: skip


class Snapshot(NamedTuple):
    """A state in the record: bytes, and the CRC-32 of them as eight hex digits."""

    bytes: int
    crc32: str


def snapshot() -> Snapshot | None:
    """The state as it is, or None where there is none."""
    import zlib

    size = crc = 0
    try:
        for block in _read_blocks(STATE):
            size, crc = size + len(block), zlib.crc32(block, crc)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            within = os.path.realpath(ARTIFACTS)
            if not (place := symlinks.target_outside(STATE, within)):
                return None
            error = symlinks.outside_error(STATE, place, within)  # to nothing yet
        raise StoreError(
            f"{STATE}: {mark_inserted(error.strerror)}, a readable file expected",
            f"move it away, and put a state there: {STATE}",
        ) from None
    return Snapshot(size, f"{crc:08x}")


def reads_state(words: Sequence[str], envs: Mapping[str, str]) -> bool:
    """Whether a command is given the state file by an option (`--state`, `-s`), in its words or in a shell text.

    A path without an option (`cat .artifacts/state`) is no sign of a Singer state: the file may hold any text.
    """
    text = "\n".join(words)
    if "state" not in text and "$" not in text:
        return False
    import re

    if "$" in text:
        text = re.sub(r"\$\{?(\w+)\}?", lambda match: envs.get(match[1], match[0]), text)
    paths = map(os.path.normpath, re.findall(_OPTION, text))  # from the project's directory, or absolute
    return any(path == STATE or (path[0] in "/$" and path.endswith(f"/{STATE}")) for path in paths)


_OPTION = r"""(?<![^\s'"(;|&`])(?:-s|--?[\w-]*state[\w-]*)[\s=\\]*['"]?([^\s'"();|&<>`]+)"""


def create_empty_state(mode: str, *, given: bool) -> bool:
    """Put an empty object where a tap will look for its state and there is none; whether it did.

    Singer taps are given `--state FILE` from the first run on, and fail where the file is missing or empty.
    """
    if not (mode == SINGER or given) or (os.path.exists(STATE) and os.path.getsize(STATE) > 0):
        return False
    try:
        with open(STATE, "wb") as file:
            file.write(SEED)
    except OSError as error:
        raise StoreError(f"{STATE}: {mark_inserted(error.strerror)}, a file one can write to expected") from None
    return True


def set_aside() -> None:
    """Put the state where no stage looks for it, for a run without state; an empty file says that there was none."""
    try:
        if os.path.lexists(STATE):
            os.rename(STATE, ASIDE)
        else:
            os.close(os.open(ASIDE, os.O_WRONLY | os.O_CREAT, 0o644))
    except OSError as error:
        raise StoreError(f"{STATE}: {mark_inserted(error.strerror)}, a file that can be set aside expected") from None


def restore() -> None:
    """Undo `set_aside`, of a run that was killed too, before it could."""
    try:
        if not os.path.lexists(ASIDE):
            return
        if os.path.islink(ASIDE) or os.path.getsize(ASIDE):
            os.rename(ASIDE, STATE)
            return
        if os.path.lexists(STATE):
            os.unlink(STATE)
        os.unlink(ASIDE)
    except OSError as error:
        hint = f"put it back by hand: mv {ASIDE} {STATE}"
        raise StoreError(
            f"{ASIDE}: {mark_inserted(error.strerror)}; it holds the state from before a run without state", hint
        ) from None


def remove_empty_state() -> None:
    """Take the empty object away again after a run that earned no state, unless a stage has put its own there."""
    try:
        with open_output(STATE) as file:
            untouched = file.read(len(SEED) + 1) == SEED
        if untouched:
            os.unlink(_place())
    except OSError:
        return


def replace_state(mode: str, *, succeeded: bool) -> bool:
    """Replace the state by what the last stage wrote; whether it was replaced.

    `all`: the whole output, of a run that succeeded and was not empty. `singer`: the last valid STATE line's
    value, of a failed run too, since a target emits it only after it has committed (Singer specification).
    """
    blocks: Iterator[bytes] = iter(())
    try:
        if mode == SINGER:
            blocks = iter(filter(None, [_last_state(STDOUT, unfinished=True)]))
        elif mode == ALL and succeeded:
            blocks = _read_blocks(STDOUT)
        first = next(blocks, b"")
        if first:
            _replace(first, blocks)
    except OSError as error:
        raise StoreError(f"{STATE}: {mark_inserted(error.strerror)}; the state before this run is kept") from None
    return bool(first)


def _replace(first: bytes, rest: Iterator[bytes]) -> None:
    """Write a temporary file, flush it to the disk, rename over, flush the name: never a mix (rename(2), fsync(2))."""
    place = _place()
    temporary = f"{place}.new"
    try:
        with open(create_file(temporary), "wb") as file:
            file.write(first)
            file.writelines(rest)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, place)
    except OSError:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise
    directory = os.open(os.path.dirname(place), os.O_RDONLY)
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that does so for files only
            raise
    finally:
        os.close(directory)


def _place() -> str:
    """The file of the state: a link to another artifact stays, one that a stage led out of there is replaced."""
    if symlinks.target_outside(STATE, os.path.realpath(ARTIFACTS)):
        return STATE
    return symlinks.display_path(os.path.realpath(STATE))


def last_emitted() -> bytes | None:
    """The last state that a Singer target has written so far; its last line may be unfinished, and does not count."""
    return _last_state(STDOUT, unfinished=False)


def first_other_line() -> bytes | None:
    """The beginning of the first line on stdout that is no state; blank lines and empty states are passed over."""
    try:
        with open_output(STDOUT) as file:
            while line := file.readline(LONGEST_SHOWN):
                if line.strip() and _state_value(line) is None:
                    return line.rstrip()
    except OSError as error:
        raise StoreError(f"{STDOUT}: {mark_inserted(error.strerror)}, a readable file expected") from None
    return None


def find_invalid_json() -> tuple[int, bytes] | None:
    """The line of stdout, by number and content, from which on it is not one JSON document; None where it is one."""
    try:
        with open_output(STDOUT) as file:
            output = file.read(MOST_PARSED)
            whole = len(output) < MOST_PARSED
    except OSError as error:
        raise StoreError(f"{STDOUT}: {mark_inserted(error.strerror)}, a readable file expected") from None
    if not whole:  # too large for memory: JSON Lines are known by their first line
        first, newline, rest = output.partition(b"\n")
        return (2, rest[:LONGEST_SHOWN]) if newline and _place_of_fault(first) is None else None
    place = _place_of_fault(output) if output else None
    if place is None:
        return None
    begin = output.rfind(b"\n", 0, place) + 1
    return output.count(b"\n", 0, place) + 1, output[begin:].split(b"\n", 1)[0][:LONGEST_SHOWN]


def _place_of_fault(output: bytes) -> int | None:
    try:
        json.loads(output.decode())
    except json.JSONDecodeError as error:
        return len(error.doc[: error.pos].encode())
    except UnicodeDecodeError as error:
        return error.start
    except RecursionError:
        return 0
    return None


def _read_blocks(path: str) -> Iterator[bytes]:
    with open_output(path) as file:
        while block := file.read(BLOCK):
            yield block


def _last_state(path: str, *, unfinished: bool) -> bytes | None:
    return next(filter(None, map(_state_value, _lines_backwards(path, unfinished=unfinished))), None)


def _state_value(line: bytes) -> bytes | None:
    """The state that a line holds, empty where it says nothing; None where the line is no state.

    A target prints the bare value; a tap's message wraps it in a STATE (Singer specification).
    """
    try:
        found = exact_json.loads(line.decode())  # not of bytes: those may be UTF-16, which the next tap would not read
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if found.get("type") == "STATE":
        value = found.get("value")
        return _as_line(exact_json.dumps(value).encode(), value) if isinstance(value, dict) else None
    bookmarks = "bookmarks" in found or "currently_syncing" in found
    return _as_line(line.rstrip(b"\n"), found) if bookmarks or not _is_other(found) else None


def _as_line(text: bytes, value: object) -> bytes:
    return text + b"\n" if value else b""


def _is_other(found: Mapping[str, Any]) -> bool:
    """Whether this is a Singer message (RECORD, SCHEMA, BATCH, ...), a metric of singer-python, or a log record.

    A log record has a level by its name, or words with a level or a time, or words alone.
    """
    kind = found.get("type")
    if (isinstance(kind, str) and kind.isupper()) or found.keys() >= {"metric", "value", "tags"}:
        return True
    # A message says something; a bookmark's text is a time or a number.
    texts = [text for key in found.keys() & _MESSAGES if isinstance(text := found[key], str)]
    words = any(text.strip("0123456789TZ:.+- ") for text in texts)
    levels = [found[key] for key in found.keys() & _LEVELS]
    named = any(isinstance(level, str) and level.lower() in _LEVEL_NAMES for level in levels)
    return named or (words and bool(levels or found.keys() & _TIMES or len(found) == 1))


def _lines_backwards(path: str, *, unfinished: bool) -> Iterator[bytes]:
    """Lines that may be JSON objects, from the last to the first; with `unfinished` a last one without newline too.

    What does not end in a brace is left out before it is put together, however long it is.
    """
    with open_output(path) as file:
        position = file.seek(0, os.SEEK_END)
        tail: list[bytes] = []  # of a line whose beginning is not read yet, from its end
        complete = unfinished
        while position > 0:
            size = min(BLOCK, position)
            position = file.seek(position - size)
            start, *rest = file.read(size).split(b"\n")
            for piece in reversed(rest):
                if complete and (any(tail) or _may_end_object(piece)):
                    yield b"".join([piece, *reversed(tail)])
                tail, complete = [], True
            if complete and (any(tail) or _may_end_object(start)):
                tail.append(start)
            else:
                complete = False
        if complete and tail:
            yield b"".join(reversed(tail))


def _may_end_object(piece: bytes) -> bool:
    end = piece.rstrip()
    return not end or end.endswith(b"}")
