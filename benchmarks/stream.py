"""The data: a Singer stream, one SCHEMA message and then RECORD messages of a hundred bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STREAM = "readings"
LINES = 10_000  # of one block, which is repeated


def schema() -> bytes:
    """The first line, without which a Singer target refuses the stream."""
    properties = {"id": {"type": "integer"}, "place": {"type": "string"}, "celsius": {"type": "number"}}
    message = {"type": "SCHEMA", "stream": STREAM, "schema": {"properties": properties}, "key_properties": ["id"]}
    return json.dumps(message).encode() + b"\n"


def block(lines: int = LINES) -> bytes:
    """So many RECORD lines, all different, each of a hundred bytes."""
    return b"".join(_record(number) for number in range(lines))


def _record(number: int) -> bytes:
    record = {"id": 1_000_000 + number, "place": "Kew Gardens", "celsius": 10 + number % 20}
    return json.dumps({"type": "RECORD", "stream": STREAM, "record": record}).encode() + b"\n"


def write(path: Path, size: int) -> int:
    """Write a stream of about this size; the number of its lines."""
    whole = block()
    times, rest = divmod(max(size, 10_000), len(whole))
    last = whole[: whole.rfind(b"\n", 0, rest) + 1]
    with path.open("wb") as file:
        file.write(schema())
        for _ in range(times):
            file.write(whole)
        file.write(last)
    return 1 + times * LINES + last.count(b"\n")
