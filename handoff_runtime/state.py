"""The state: what one run leaves for the next, replaced whole or not at all, and only when it was earned."""

from __future__ import annotations

import json
import os
from itertools import pairwise

from handoff_runtime.errors import StoreError
from handoff_runtime.value import NamedTuple
from handoff_runtime.workspace import ARTIFACTS, STATE, STDOUT, fresh, open_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

BLOCK = 1 << 18
SEED = b"{}\n"
NOT_STATE = ("RECORD", "SCHEMA", "ACTIVATE_VERSION", "BATCH", "LOG")


class Snapshot(NamedTuple):
    """A state as the record tells of it: bytes, and the CRC-32 of them as eight hex digits."""

    bytes: int
    crc32: str


def snapshot() -> Snapshot | None:
    """The state as it is, or None where there is none."""
    import zlib

    size = crc = 0
    try:
        with open_left(STATE) as file:
            while block := file.read(BLOCK):
                size, crc = size + len(block), zlib.crc32(block, crc)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"{STATE}: {error.strerror}, a readable file expected", f"move it away, and put a state there: {STATE}"
        ) from None
    return Snapshot(size, f"{crc:08x}")


def seed(mode: str, argvs: Iterable[Sequence[str]]) -> bool:
    """Put an empty object where a tap will look for its state and there is none; tells whether it did.

    Singer taps are given `--state FILE` from the first run on, and fail where the file is missing or empty.
    """
    wanted = mode == "singer" or any(_asks_for_state(argv) for argv in argvs)
    if not wanted or (os.path.exists(STATE) and os.path.getsize(STATE) > 0):
        return False
    try:
        with open(STATE, "wb") as file:
            file.write(SEED)
    except OSError as error:
        raise StoreError(f"{STATE}: {error.strerror}, a file one can write to expected") from None
    return True


def withdraw() -> None:
    """Take the empty object away again after a run that earned no state, unless a stage has put its own there."""
    try:
        with open_left(STATE) as file:
            untouched = file.read(len(SEED) + 1) == SEED
    except OSError:
        return
    if untouched:
        os.unlink(STATE)


def _asks_for_state(argv: Sequence[str]) -> bool:
    return any(flag == "--state" and os.path.normpath(path) == STATE for flag, path in pairwise(argv))


def keep(mode: str, *, succeeded: bool) -> bool:
    """Replace the state by what the last stage wrote; tells whether it was replaced.

    `all`: the whole output, of a run that succeeded and was not empty. `singer`: the last valid STATE line's
    value, of a failed run too, since a target emits it only after it has committed (Singer specification).
    """
    blocks = _earned(mode, succeeded=succeeded)
    try:
        first = next(blocks, b"")
        if first:
            _replace(first, blocks)
    except OSError as error:
        raise StoreError(f"{STATE}: {error.strerror}; the state before this run is kept") from None
    return bool(first)


def _earned(mode: str, *, succeeded: bool) -> Iterator[bytes]:
    if mode == "singer":
        return _singer(STDOUT)
    return _whole(STDOUT) if mode == "all" and succeeded else iter(())


def _replace(first: bytes, rest: Iterator[bytes]) -> None:
    """Write beside, flush to the disk, rename over, flush the name: never a mix (rename(2), fsync(2))."""
    beside = f"{STATE}.new"
    try:
        with open(fresh(beside), "wb") as file:
            file.write(first)
            file.writelines(rest)
            file.flush()
            os.fsync(file.fileno())
        os.rename(beside, STATE)
    except OSError:
        if os.path.lexists(beside):
            os.unlink(beside)
        raise
    directory = os.open(ARTIFACTS, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def emitted() -> bytes | None:
    """The last valid state that a Singer target has written so far."""
    return next(_singer(STDOUT), None)


def _whole(path: str) -> Iterator[bytes]:
    with open_left(path) as file:
        while block := file.read(BLOCK):
            yield block


def _singer(path: str) -> Iterator[bytes]:
    for line in _lines_backwards(path):
        value = _state_value(line)
        if value is not None:
            yield value
            return


def _state_value(line: bytes) -> bytes | None:
    """The line's state, or None: a target writes the bare value; a tap's message wraps it in a STATE."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not found or found.get("type") in NOT_STATE:
        return None
    if found.get("type") != "STATE":
        return line + b"\n"
    value = found.get("value")
    return json.dumps(value).encode() + b"\n" if isinstance(value, dict) and value else None


def _lines_backwards(path: str) -> Iterator[bytes]:
    """Lines from the last to the first; a last one without its newline was cut short and is left out."""
    with open_left(path) as file:
        position = file.seek(0, os.SEEK_END)
        tail: list[bytes] = []  # of a line whose beginning is not read yet, from its end; nothing of one cut short
        complete = False
        while position > 0:
            size = min(BLOCK, position)
            position = file.seek(position - size)
            start, *rest = file.read(size).split(b"\n")
            for line in reversed(rest):
                if complete:
                    yield b"".join([line, *reversed(tail)])
                tail, complete = [], True
            if complete:
                tail.append(start)
        if complete:
            yield b"".join(reversed(tail))
