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


class LineCount:
    """Counts lines; a last one without its newline counts."""

    def __init__(self) -> None:
        self._newlines, self._last = 0, b"\n"

    def add(self, block: bytes) -> None:
        """Count one block of the input."""
        self._newlines += block.count(b"\n")
        self._last = block[-1:] or self._last

    def total(self) -> int:
        """Lines in all."""
        return self._newlines + (self._last != b"\n")


class RecordCount:
    """Counts RECORD messages, one JSON object a line (Singer specification)."""

    def __init__(self) -> None:
        self._records, self._rest = 0, [b""]

    def add(self, block: bytes) -> None:
        """Count one block of the input; a line may come in many blocks."""
        if b"\n" not in block:
            self._rest.append(block)
            return
        lines = (b"".join(self._rest) + block).split(b"\n")
        self._rest = [lines.pop()]
        self._records += sum(map(is_record, lines))

    def total(self) -> int:
        """Records in all."""
        return self._records + is_record(b"".join(self._rest))


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


class Count:
    """The rows of an input, whichever kind it turns out to be."""

    def __init__(self) -> None:
        self._head = b""
        self._counter: LineCount | RecordCount | None = None

    def add(self, block: bytes) -> None:
        """Count one block; the first line decides what a row is."""
        if self._counter is None:
            self._head, block = self._head + block, self._head + block
            if b"\n" not in self._head and len(self._head) < BLOCK:
                return
            self._counter = counter_for(self._head)
        self._counter.add(block)

    def total(self) -> int:
        """Rows so far."""
        if self._counter is None:
            self._counter = counter_for(self._head)
            self._counter.add(self._head)
        return self._counter.total()


def counter_for(head: bytes) -> LineCount | RecordCount:
    """The counter that fits how the input begins."""
    singer = head.startswith(RECORD_STARTS + OTHER_STARTS) or message_type(head.split(b"\n", 1)[0]) in MESSAGES
    return RecordCount() if singer else LineCount()


def copy(source: int, sink: int, count: Count) -> None:
    """Copy source to sink, and count what was read; BrokenPipeError when nobody reads any more."""
    while block := os.read(source, BLOCK):
        count.add(block)
        write_all(sink, block)


def write_all(sink: int, block: bytes) -> None:
    """Write the whole block (write(2) may write less)."""
    view = memoryview(block)
    while view:
        view = view[os.write(sink, view) :]


def write_stats(rows: int) -> None:
    """Leave the count where the author finds it."""
    beside = f"{STATS}.new"
    try:
        os.makedirs(os.path.dirname(STATS), exist_ok=True)
        if os.path.lexists(beside):
            os.unlink(beside)  # whatever it is: it is not waited for, nor written through
        with open(beside, "x", encoding="ascii") as file:
            json.dump({"rows_read": rows}, file)
            file.write("\n")
        os.replace(beside, STATS)
    except OSError as error:
        place = error.filename2 or error.filename or STATS
        sys.exit(f"error: {place}: {error.strerror}\nhint: remove what is in its place: rm -r {place}")


def main() -> int:
    """Copy standard input to standard output; 141, a shell's word for SIGPIPE, when our reader has gone."""
    count = Count()
    try:
        copy(0, 1, count)
    except BrokenPipeError:
        write_stats(count.total())
        return 141
    write_stats(count.total())
    return 0


if __name__ == "__main__":
    sys.exit(main())
