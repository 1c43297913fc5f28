"""What is shown of a run: figures in words, the plain line, the summary and what comes next."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from handoff_kit import live, text


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1_500_000_000, "1.5 GB"),
        (2 * 10**15, "2,000.0 TB"),
    ],
)
def test_size(number: int | None, expected: str) -> None:
    assert text.size(number) == expected


@pytest.mark.parametrize(("number", "expected"), [(None, "-"), (0, "0"), (1_234_567, "1,234,567")])
def test_count(number: int | None, expected: str) -> None:
    assert text.count(number) == expected


@pytest.mark.parametrize(("number", "expected"), [(0, "0 rows"), (1, "1 row"), (1200, "1,200 rows")])
def test_plural(number: int, expected: str) -> None:
    assert text.plural(number, "row") == expected


@pytest.mark.parametrize(("seconds", "expected"), [(0.9, "0:00"), (67, "1:07"), (3723.5, "1:02:03")])
def test_clock(seconds: float, expected: str) -> None:
    assert text.clock(seconds) == expected


def stage(name: str, status: int | None = None, **figures: Any) -> dict[str, Any]:
    return {"name": name, "exit": status, "seconds": 1.0, "rows": None, "bytes": None, **figures}


def test_plain_lines_come_every_so_often() -> None:
    said: list[str] = []
    now = [0.0]
    view = live.StageLines(said.append, 10.0, lambda: now[0], lambda: "12:00:00")
    for now[0] in (0.25, 9.9, 10.0, 10.25, 19.9, 20.1):
        view.update([stage("tap", rows=1, bytes=7), stage("stats", rows=1200, bytes=84_000), stage("target", -13)])
    expected = "12:00:00 handoff | tap running, 1 row, 7 B; stats running, 1,200 rows, 84.0 kB; target SIGPIPE"
    assert said == [expected, expected]


def record(*stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    state = {"before": None, "after": {"bytes": 12}, "replaced": True}
    whole = {"project": "shop", "command": "run", "outcome": "succeeded", "exit": 0, "culprit": None, "state": state}
    return {**whole, "stages": stages, **more}


def ended(name: str, verdict: str, exit_code: int | None = None, signal: int | None = None) -> dict[str, Any]:
    figures = {"seconds": 61.236, "cpu_seconds": 0.5, "peak_memory_bytes": 12_500_000}
    rows = {"rows_in": None, "rows_out": 1200, "bytes_in": None, "bytes_out": 84_000}
    return {"name": name, "verdict": verdict, "exit": exit_code, "signal": signal, **figures, **rows}


FAILED = record(
    ended("tap", "stopped", signal=15),
    ended("[b]x[/b]", "failed", 3),
    ended("tee", "not needed", signal=13),
    ended("target", "consequence", 1),
    outcome="failed",
    exit=3,
    culprit="[b]x[/b]",
)
NOT_STARTED = record({"name": "tap"}, {"name": "nope"}, outcome="failed", exit=127, culprit="nope")
STOPPED = record(ended("tap", "not needed", signal=15), ended("target", "ok", 0), outcome="stopped", exit=130)


def printed(width: int, of: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=width, emoji=False, highlight=False)
    console.print(live.summary_table(console, of))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("of", "width", "expected"),
    [
        pytest.param(
            FAILED,
            140,
            """\
stage     exit                  seconds  CPU s  peak memory  rows in  rows out  bytes in  bytes out
tap       SIGTERM (stopped)       61.24   0.50      12.5 MB        -     1,200         -    84.0 kB
[b]x[/b]  3 (failed)              61.24   0.50      12.5 MB        -     1,200         -    84.0 kB
tee       SIGPIPE (not needed)    61.24   0.50      12.5 MB        -     1,200         -    84.0 kB
target    1 (consequence)         61.24   0.50      12.5 MB        -     1,200         -    84.0 kB
""",
            id="failed, wide",
        ),
        pytest.param(
            FAILED,
            80,
            """\
stage     exit                  seconds  CPU s  peak memory  rows out  bytes out
tap       SIGTERM (stopped)       61.24   0.50      12.5 MB     1,200    84.0 kB
[b]x[/b]  3 (failed)              61.24   0.50      12.5 MB     1,200    84.0 kB
tee       SIGPIPE (not needed)    61.24   0.50      12.5 MB     1,200    84.0 kB
target    1 (consequence)         61.24   0.50      12.5 MB     1,200    84.0 kB
""",
            id="failed, 80 columns",
        ),
        pytest.param(
            NOT_STARTED,
            60,
            """\
stage  exit                seconds  rows out  bytes out
tap    not started               -         -          -
nope   127 (cannot start)        -         -          -
""",
            id="not started",
        ),
        pytest.param(
            STOPPED,
            50,
            """\
stage   exit               seconds  rows out
tap     SIGTERM (stopped)    61.24     1,200
target  0                    61.24     1,200
""",
            id="stopped",
        ),
    ],
)
def test_the_summary(of: dict[str, Any], width: int, expected: str) -> None:
    assert printed(width, of) == expected


KEPT = {"before": {"bytes": 5}, "after": {"bytes": 5}, "replaced": False}
NONE = {"before": None, "after": None, "replaced": False}


@pytest.mark.parametrize(
    ("of", "state", "following"),
    [
        pytest.param(record(), "state: a/state (12 B, replaced)", "cat a/state", id="succeeded"),
        pytest.param(record(state=KEPT), "state: a/state (5 B, unchanged)", "cat a/state", id="state unchanged"),
        pytest.param(record(state=NONE), "state: none yet", "ls a", id="no state"),
        pytest.param(record(state=NONE, command="f"), "state: none yet", "cat a/stdout.log", id="a function"),
        pytest.param(
            record(state=KEPT, outcome="failed"), "state: a/state (5 B, unchanged)", "less a/stderr.log", id="failed"
        ),
        pytest.param(
            record(state=NONE, outcome="stopped"), "state: none yet", "invoke run-local --project shop", id="stopped"
        ),
    ],
)
def test_whereabouts(of: dict[str, Any], state: str, following: str) -> None:
    artifacts = "artifacts: a/ (run.json, stdout.log, stderr.log)"
    assert live.summary_lines(of, "a") == (state, artifacts, f"next: {following}")


@pytest.mark.parametrize(("columns", "expected"), [("", 140), ("0", 140), ("wide", 140), ("-5", 140), ("72", 72)])
def test_the_width_where_there_is_no_terminal(columns: str, expected: int) -> None:
    assert live.create_console({"COLUMNS": columns}, terminal=False).width == expected
