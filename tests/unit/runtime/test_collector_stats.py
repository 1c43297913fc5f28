"""The built-in collector_stats: what counts as a row, in whatever blocks it comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from handoff_runtime import collector_stats
from handoff_runtime.collector_stats import BLOCK, Count, is_record, message_type

SINGER = (
    b'{"type": "SCHEMA", "stream": "a"}\n{"type": "RECORD", "record": {}}\n{"type":"RECORD"}\n'
    b'{"stream": "a", "type": "RECORD"}\n{"type": "STATE", "value": {"type": "RECORD"}}\n'
)
CASES = [
    pytest.param(b"", 0, id="nothing"),
    pytest.param(b"a\nb\n", 2, id="lines"),
    pytest.param(b"a\nb", 2, id="no newline at the end"),
    pytest.param(b"\n", 1, id="an empty line"),
    pytest.param(b"\0\xff\n\0", 2, id="binary"),
    pytest.param(SINGER, 3, id="messages"),
    pytest.param(SINGER + b'{"type": "RECORD"}', 4, id="a record without its newline"),
    pytest.param(SINGER + b"no message\n\n[1]\n", 3, id="other lines between messages"),
    pytest.param(b' {"type" : "RECORD"}\n' * 3, 3, id="spaced"),
    pytest.param(b'{"time": 1}\n{"type": "RECORD"}\n', 2, id="JSON lines that are no messages"),
    pytest.param(b'{"type": "ACTIVATE_VERSION"}\n' + b'{"type": "RECORD"}\n' * 2, 2, id="another first message"),
    pytest.param(
        b'{"type": "RECORD", "record": "' + b"x" * (BLOCK * 2) + b'"}\n', 1, id="a record longer than a block"
    ),
    pytest.param(b"x" * (BLOCK * 2), 1, id="a line longer than a block"),
    pytest.param(b"[" * 100_000 + b"\n", 1, id="too deep"),
    pytest.param(
        b'{"type": "SCHEMA"' + b" " * (BLOCK * 2) + b'}\n{"type": "RECORD"}\n', 1, id="a first line longer than a block"
    ),
    pytest.param(b'{"type": "SCHEMA"}\nno JSON\n{"type": "RECORD"}\n', 1, id="a broken line"),
    pytest.param(b'{"type": "RECORD", "record": {"a": 1}}\n' * 20_000, 20_000, id="many blocks"),
    pytest.param(b"x" * (3 << 20) + b"\ny", 2, id="a line of many blocks"),
]


@pytest.mark.parametrize("size", [1, 7, BLOCK])
@pytest.mark.parametrize(("data", "rows"), CASES)
def test_rows_are_counted_in_any_blocks(data: bytes, rows: int, size: int) -> None:
    count = Count()
    size = size if len(data) < BLOCK else BLOCK
    for start in range(0, len(data), size):
        count.add(data[start : start + size])
    assert (count.total(), count.total()) == (rows, rows)


@pytest.mark.parametrize(
    ("line", "kind"),
    [(b'{"type": "STATE"}', "STATE"), (b"[]", None), (b"", None), (b"\xff", None), (b'{"type": 3}', 3), (b"{}", None)],
)
def test_a_message_has_a_type(line: bytes, kind: object) -> None:
    assert (message_type(line), is_record(line)) == (kind, False)


@pytest.mark.parametrize(("data", "rows"), CASES)
def test_it_copies_byte_for_byte_and_leaves_the_count(tmp_path: Path, data: bytes, rows: int) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", script()], cwd=tmp_path, input=data, capture_output=True, check=True
    )
    assert (done.stdout == data, done.stderr) == (True, b"")
    assert os.listdir(tmp_path / ".artifacts") == ["collector_stats.json"]  # noqa: PTH208
    assert json.loads((tmp_path / ".artifacts/collector_stats.json").read_text()) == {"rows_read": rows}


def script() -> str:
    return str(Path(collector_stats.__file__).resolve())


def test_a_reader_that_leaves_is_told_as_141_and_the_count_is_left(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-I", "-S", script()]
    done = subprocess.run(command, cwd=tmp_path, input=b"a\nb\n", stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
    assert json.loads((tmp_path / ".artifacts/collector_stats.json").read_text()) == {"rows_read": 2}
