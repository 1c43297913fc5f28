"""The built-in stage `collector_stats`: copies its input byte for byte and counts the rows in it.

Of Singer messages (the first line is one) RECORDs are rows; of anything else, lines. The count lies in
`.artifacts/collector_stats.json` as `{"rows_read": N}` once the input has ended. Run as a script, alone.
"""

from __future__ import annotations

import json
import os
import sys

BLOCK = 1 << 18
MESSAGES = ("SCHEMA", "RECORD", "STATE", "ACTIVATE_VERSION", "BATCH")
RECORD_STARTS = (b'{"type": "RECORD"', b'{"type":"RECORD"')
OTHER_STARTS = tuple(
    f'{{"type":{blank}"{name}"'.encode() for blank in ("", " ") for name in MESSAGES if name != "RECORD"
)
STATS = ".artifacts/collector_stats.json"


def is_record(line: bytes) -> bool:
    """Whether a line is a RECORD; most tell it by how they begin, the rest is parsed."""
    if line.startswith(RECORD_STARTS):
        return True
    return not line.startswith(OTHER_STARTS) and message_type(line) == "RECORD"


def message_type(line: bytes) -> object:
    """The type of the Singer message on this line, None where it is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message.get("type") if isinstance(message, dict) else None


def is_singer(head: bytes) -> bool:
    """Whether the first line of an input is a Singer message."""
    return head.startswith(RECORD_STARTS + OTHER_STARTS) or message_type(head.split(b"\n", 1)[0]) in MESSAGES


class Count:
    """The rows of an input: of Singer messages, one JSON object a line, the RECORDs; of anything else the lines."""

    def __init__(self) -> None:
        self._rows, self._rest = 0, [b""]  # the latter of a line that has not ended
        self._singer: bool | None = None  # until there is a first line

    def add(self, block: bytes) -> None:
        """Count one block of the input; a line may come in many blocks."""
        if self._singer is None:
            block = b"".join([*self._rest, block])
            self._rest = [block]
            if b"\n" not in block and len(block) < BLOCK:
                return
            self._singer, self._rest = is_singer(block), [b""]
        if not self._singer:
            self._rows += block.count(b"\n")
            self._rest = [block[-1:]]
        elif b"\n" in block:
            lines = (b"".join(self._rest) + block).split(b"\n")
            self._rest = [lines.pop()]
            self._rows += sum(map(is_record, lines))
        else:
            self._rest.append(block)

    def total(self) -> int:
        """Rows so far; a last line without its newline counts."""
        rest = b"".join(self._rest)
        singer = is_singer(rest) if self._singer is None else self._singer
        return self._rows + (is_record(rest) if singer else rest not in (b"", b"\n"))


def copy(source: int, sink: int, count: Count) -> None:
    """Copy source to sink, and count what was read; BrokenPipeError when nobody reads any more."""
    while block := os.read(source, BLOCK):
        count.add(block)
        view = memoryview(block)
        while view:  # write(2) may write less
            view = view[os.write(sink, view) :]


def write_stats(rows: int) -> None:
    """Leave the count where the author finds it."""
    temporary = f"{STATS}.new"
    try:
        os.makedirs(os.path.dirname(STATS), exist_ok=True)
        if os.path.lexists(temporary):
            os.unlink(temporary)  # whatever it is: it is not waited for, nor written through
        with open(temporary, "x", encoding="ascii") as file:
            json.dump({"rows_read": rows}, file)
            file.write("\n")
        os.replace(temporary, STATS)
    except OSError as error:
        place = error.filename2 or error.filename or STATS
        sys.exit(f"error: {place}: {error.strerror}\nhint: remove what is in its place: rm -r {place}")


def main() -> int:
    """Copy standard input to standard output; 141, a shell's word for SIGPIPE, when our reader has gone."""
    count, status = Count(), 0
    try:
        copy(0, 1, count)
    except BrokenPipeError:
        status = 141
    write_stats(count.total())
    return status


if __name__ == "__main__":
    sys.exit(main())
