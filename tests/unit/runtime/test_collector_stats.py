"""The built-in collector_stats: what counts as a row, in whatever blocks it comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from handoff_runtime import collector_stats
from handoff_runtime.collector_stats import BLOCK, SEARCHED, Count

SCHEMA = b'{"type": "SCHEMA", "stream": "a", "schema": {}}\n'
RECORD = b'{"type": "RECORD", "stream": "a", "record": {"type": "x"}}\n'
STATE = b'{"type": "STATE", "value": {"type": "RECORD"}}\n'
SINGER = (
    SCHEMA + RECORD + b'{"type":"RECORD","stream":"b","record":{}}\n'
    b'{"stream": "a", "type": "RECORD", "record": 1}\n' + STATE
)
SINGER_STATS = {"rows_read": 3, "streams": {"a": 2, "b": 1}}


def of_a(rows: int) -> dict[str, Any]:
    return {"rows_read": rows, "streams": {"a": rows}}


def lines(rows: int) -> dict[str, Any]:
    return {"rows_read": rows}


CASES = [
    pytest.param(b"", lines(0), id="nothing"),
    pytest.param(b"a\nb\n", lines(2), id="lines"),
    pytest.param(b"a\nb", lines(2), id="no newline at the end"),
    pytest.param(b"\n", lines(1), id="an empty line"),
    pytest.param(b"\0\xff\n\0", lines(2), id="binary"),
    pytest.param(SINGER, SINGER_STATS, id="messages"),
    pytest.param(
        SINGER + RECORD[:-1], {"rows_read": 4, "streams": {"a": 3, "b": 1}}, id="a record without its newline"
    ),
    pytest.param(SINGER + b"no message\n\n[1]\n\0\n", SINGER_STATS, id="other lines between messages"),
    pytest.param(b"starting\n" + SINGER, SINGER_STATS, id="a stray first line"),
    pytest.param(b'{"level": "INFO", "type": "STATE"}\n\n' + SINGER, SINGER_STATS, id="log records before messages"),
    pytest.param(b"#\n" * (BLOCK // 4) + SINGER, SINGER_STATS, id="many lines before messages"),
    pytest.param(b"#\n" * SEARCHED + SINGER, lines(SEARCHED + 5), id="a message too late"),
    pytest.param(b"#" * SEARCHED * 2 + b"\n" + SINGER, lines(6), id="a message behind too long a line"),
    pytest.param(SCHEMA + STATE, {"rows_read": 0, "streams": {}}, id="no records"),
    pytest.param(b' {"type" : "RECORD", "stream" : "a", "record" : 1}\n' * 3, of_a(3), id="spaced"),
    pytest.param(b'{"type": "RECORD", "record": {"stream": "b"}, "stream": "a"}\n' * 3, of_a(3), id="stream last"),
    pytest.param(
        b'{"type": "RECORD", "stream": "record", "record": {}}\n',
        {"rows_read": 1, "streams": {"record": 1}},
        id="a stream of that name",
    ),
    pytest.param(
        b'{"type": "RECORD", "stream": "a", "version": 1, "record": 1}\n'
        b'{"type": "RECORD", "stream": "a", "record": 1, "version": 1}\n' * 3,
        of_a(6),
        id="records that begin alike",
    ),
    pytest.param(
        b"".join(
            b'{"type": "RECORD", "time": %d, "stream": "%d", "record": 1}\n' % (number, number % 20)
            for number in range(4000)
        ),
        {"rows_read": 4000, "streams": {str(number): 200 for number in range(20)}},
        id="many streams, no two records that begin alike",
    ),
    pytest.param(b'{"type": "RECORD"}\n{"type": "STATE"}\n', lines(2), id="JSON lines that are no messages"),
    pytest.param(b'{"type": ["RECORD"], "stream": 1, "record": 1}\n', lines(1), id="a type that is a list"),
    pytest.param(b'{"type": "ACTIVATE_VERSION", "stream": "a"}\n' + RECORD * 2, of_a(2), id="another first message"),
    pytest.param(RECORD[:-3] + b', "y": "' + b"x" * (BLOCK * 2) + b'"}}\n', of_a(1), id="a record longer than a block"),
    pytest.param(b"x" * (BLOCK * 2), lines(1), id="a line longer than a block"),
    pytest.param(b"[" * 100_000 + b"\n", lines(1), id="too deep"),
    pytest.param(
        b'{"type": "SCHEMA"' + b" " * SEARCHED + b"}\n" + RECORD, of_a(1), id="a first message that is very long"
    ),
    pytest.param(SCHEMA + b"no JSON\n" + RECORD, of_a(1), id="a broken line"),
    pytest.param(RECORD * 20_000, of_a(20_000), id="many blocks"),
    pytest.param((RECORD * 3 + STATE) * 5_000, of_a(15_000), id="many blocks with states"),
    pytest.param(b"x" * (3 << 20) + b"\ny", lines(2), id="a line of many blocks"),
]


@pytest.mark.parametrize("size", [1, 7, BLOCK])
@pytest.mark.parametrize(("data", "stats"), CASES)
def test_rows_are_counted_in_any_blocks(data: bytes, stats: dict[str, Any], size: int) -> None:
    count = Count()
    size = size if len(data) < BLOCK else BLOCK
    for start in range(0, len(data), size):
        count.add(data[start : start + size])
    assert (count.stats(), count.stats()) == (stats, stats)


@pytest.mark.parametrize(("data", "stats"), CASES)
def test_it_copies_byte_for_byte_and_leaves_the_count(tmp_path: Path, data: bytes, stats: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", script()], cwd=tmp_path, input=data, capture_output=True, check=True
    )
    assert (done.stdout == data, done.stderr) == (True, b"")
    assert os.listdir(tmp_path / ".artifacts") == ["collector_stats.json"]  # noqa: PTH208
    assert json.loads((tmp_path / ".artifacts/collector_stats.json").read_text()) == stats


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
