"""The built-in stage `collector_stats`: copies its input byte for byte and counts the rows in it.

RECORDs are rows where a line in the first MiB is a Singer message; else lines are. The count is in
`.artifacts/collector_stats.json` once the input has ended, as `{"rows_read": N}`, of Singer messages with
`"streams": {"NAME": N}`. Run as a script, alone; `-2` as its argument makes it `collector_stats-2.json`.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BLOCK = 1 << 18
SEARCHED = 1 << 20
# Of a message the keys it must have besides its type (Singer specification; BATCH is of the Meltano SDK).
KEYS = {
    "SCHEMA": {"stream", "schema"},
    "RECORD": {"stream", "record"},
    "STATE": {"value"},
    "ACTIVATE_VERSION": {"stream"},
    "BATCH": {"stream"},
}
RECORD = "RECORD"
NAMES = tuple(f'"{name}"'.encode() for name in KEYS)
STARTS = tuple(f'{{"type":{blank}"{name}"'.encode() for blank in ("", " ") for name in KEYS)
OTHER_STARTS = tuple(start for start in STARTS if RECORD.encode() not in start)
BODY = b'"record":'
LONGEST_HEAD, MOST_HEADS, RECENT = 512, 1024, 8
PLACE = ".artifacts/collector_stats"


def read_message(line: bytes) -> tuple[str, str] | None:
    """The type and the stream of the Singer message on this line; None where it is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    kind = found.get("type") if isinstance(found, dict) else None
    if not isinstance(kind, str) or kind not in KEYS or not KEYS[kind] <= found.keys():
        return None
    return kind, str(found.get("stream"))


def is_message(line: bytes) -> bool:
    """Whether this is a Singer message; few other lines need to be parsed for that."""
    return any(name in line for name in NAMES) and read_message(line) is not None


class Count:
    """The rows of an input: of Singer messages, one JSON object a line, the RECORDs; of anything else the lines."""

    def __init__(self) -> None:
        self._lines, self._rest = 0, [b""]  # the latter of a line that has not ended
        self._singer: bool | None = None  # until there is a message, or the search has ended
        self._searched = 0
        self._streams: dict[str, int] = {}
        self._heads: dict[bytes, str] = {}  # what RECORDs of a stream begin with, up to their value
        self._recent: tuple[bytes, ...] = ()  # of the heads

    def add(self, block: bytes) -> None:
        """Count one block of the input; a line may come in many blocks."""
        if self._singer is False:
            self._lines += block.count(b"\n")
            self._rest = [block[-1:]]
            return
        whole, newline, rest = block.rpartition(b"\n")
        if newline:
            self._add_lines(b"".join([*self._rest, whole]))
            self._rest = [rest]
        else:
            self._rest.append(block)
        self._searched += len(block)
        if self._singer is None and self._searched > SEARCHED:
            line = b"".join(self._rest)
            self._singer = line.startswith(STARTS)
            self._rest = [line if self._singer else line[-1:]]

    @property
    def rows(self) -> int:
        """The rows so far, without those of a line that has not ended."""
        return sum(self._streams.values()) if self._singer else self._lines

    def stats(self) -> dict[str, Any]:
        """The count so far; a last line without its newline counts, and has ended."""
        if b"".join(self._rest) not in (b"", b"\n"):
            self.add(b"\n")
        if self._singer:
            return {"rows_read": self.rows, "streams": self._streams}
        return {"rows_read": self.rows}

    def _add_lines(self, block: bytes) -> None:
        """Count whole lines, the last one without its newline."""
        block = b"\n" + block
        number = block.count(b"\n")
        if self._singer is None:
            if not (any(name in block for name in NAMES) and any(map(is_message, block.split(b"\n")))):
                self._lines += number
                return
            self._singer = True
        recent = self._recent  # most lines are RECORDs of these streams
        for head in recent:
            found = block.count(b"\n" + head)
            number -= found
            self._streams[self._heads[head]] += found
        if number:
            for line in block.split(b"\n")[1:]:
                if not line.startswith(recent):
                    self._add_message(line)

    def _add_message(self, line: bytes) -> None:
        end = line.find(BODY, 0, LONGEST_HEAD)
        head = line[: end + len(BODY)] if end > 0 else b""
        stream = self._heads.get(head)
        if stream is None:
            message = read_message(head + b"0}") if head else None
            if message and message[0] == RECORD:  # its stream comes first, so all lines with this head are of it
                if len(self._heads) == MOST_HEADS:
                    self._heads, self._recent = {}, ()
                self._heads[head] = message[1]
            elif line.startswith(OTHER_STARTS) or not (message := read_message(line)) or message[0] != RECORD:
                return
            stream = message[1]
        if head in self._heads and head not in self._recent:
            self._recent = (head, *self._recent)[:RECENT]
        self._streams[stream] = self._streams.get(stream, 0) + 1


def copy(source: int, sink: int, count: Count) -> None:
    """Copy source to sink, and count what was read; BrokenPipeError when nobody reads any more."""
    while block := os.read(source, BLOCK):
        count.add(block)
        view = memoryview(block)
        while view:  # write(2) may write less
            view = view[os.write(sink, view) :]


def write_stats(stats: dict[str, Any], place: str) -> None:
    """Leave the count where the author finds it."""
    temporary = f"{place}.new"
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if os.path.lexists(temporary):
            os.unlink(temporary)  # whatever it is: it is not waited for, nor written through
        with open(temporary, "x", encoding="ascii") as file:
            json.dump(stats, file)
            file.write("\n")
        os.replace(temporary, place)
    except OSError as error:
        found = error.filename2 or error.filename or place
        sys.exit(f"error: {found}: {error.strerror}\nhint: remove what is in its place: rm -r {found}")


def main() -> int:
    """Copy standard input to standard output; 141, a shell's word for SIGPIPE, when our reader has gone."""
    count, status = Count(), 0
    try:
        copy(0, 1, count)
    except BrokenPipeError:
        status = 141
    write_stats(count.stats(), f"{PLACE}{''.join(sys.argv[1:])}.json")
    return status


if __name__ == "__main__":
    sys.exit(main())
