"""The built-in collector_stats: a byte-exact copy, and the rows of what passed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from handoff_runtime import collector_stats

if TYPE_CHECKING:
    from pathlib import Path

RECORD = b'{"type": "RECORD", "stream": "s", "record": {"a": 1}}\n'
SCHEMA = b'{"type": "SCHEMA", "stream": "s", "schema": {}, "key_properties": []}\n'
STATE = b'{"type": "STATE", "value": {}}\n'

INPUTS = [
    pytest.param(b"", 0, id="nothing"),
    pytest.param(b"a\nb\n", 2, id="lines"),
    pytest.param(b"a\nb", 2, id="a last line without newline"),
    pytest.param(b"\n\n\n", 3, id="empty lines"),
    pytest.param(b"\x00\xff\x00\n\x00", 2, id="binary"),
    pytest.param(SCHEMA + RECORD * 3 + STATE, 3, id="singer"),
    pytest.param(SCHEMA + RECORD + RECORD[:-1], 2, id="singer without last newline"),
    pytest.param(SCHEMA + b'{"record": {"type": "STATE"}, "stream": "s", "type": "RECORD"}\n', 1, id="type at the end"),
    pytest.param(SCHEMA + b'{"type": "STATE", "value": {"type": "RECORD"}}\n', 0, id="a record's name inside a state"),
    pytest.param(SCHEMA + b"no JSON\n" + RECORD, 1, id="a broken line"),
    pytest.param(b'{"type":"RECORD","stream":"s","record":{}}\n' * 2, 2, id="no blanks, no schema"),
    pytest.param(b'{"kind": "other"}\n' * 4, 4, id="JSON lines that are no Singer"),
    pytest.param(SCHEMA[:-2] + b" " * (1 << 19) + b"}\n" + RECORD, 1, id="a first line longer than a block"),
    pytest.param(b"x" * (3 << 20) + b"\ny", 2, id="a line longer than a block"),
    pytest.param((RECORD * 20000), 20000, id="many blocks"),
]


@pytest.mark.parametrize(("content", "rows"), INPUTS)
def test_as_a_program(content: bytes, rows: int, tmp_path: Path) -> None:
    argv = [sys.executable, "-I", "-S", collector_stats.__file__]
    done = subprocess.run(argv, cwd=tmp_path, input=content, capture_output=True, check=True)
    stats = json.loads((tmp_path / collector_stats.STATS).read_bytes())
    assert (done.stdout == content, stats, done.stderr) == (True, {"rows_read": rows}, b"")


@pytest.mark.parametrize(("content", "rows"), INPUTS)
@pytest.mark.parametrize("size", [61, 4099])
def test_blocks_of_any_size(content: bytes, rows: int, size: int) -> None:
    count = collector_stats.Count()
    for start in range(0, len(content), size):
        count.add(content[start : start + size])
    assert count.total() == rows
