"""The history: which days are read, which runs are told, how moments and figures are written."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from handoff_kit.aws.history import (
    SINCE_EXPECTED,
    HistoryQuery,
    HistorySource,
    list_runs,
    local_history,
    parse_count,
    parse_since,
    runs_table,
)
from handoff_kit.errors import ProjectError
from handoff_kit.paths import ProjectPaths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)


def day(number: int) -> str:
    return (NOW - timedelta(days=number)).strftime("%Y-%m-%d")


def line(number: int, hour: int, **more: Any) -> dict[str, Any]:
    return {"run_id": f"{number}-{hour}", "started_at": f"{day(number)}T{hour:02}:00:00.000Z", "exit": 0, **more}


def as_lines(*lines: dict[str, Any]) -> bytes:
    return "".join(f"{json.dumps(each)}\n" for each in lines).encode()


class Index:
    """Days of two runs each, and which of them were read."""

    def __init__(self, days: int) -> None:
        self.read: list[str] = []
        self.contents = {
            day(number): as_lines(
                line(number, 3, outcome="succeeded", environment="dev"),
                line(number, 9, outcome="failed", environment="prod"),
            )
            for number in range(days)
        }

    @property
    def source(self) -> HistorySource:
        return HistorySource(tuple(self.contents), self._read)

    def _read(self, days: Sequence[str]) -> list[bytes]:
        self.read += days
        return [self.contents[each] for each in days]


@pytest.mark.parametrize(
    ("asked", "expected", "read"),
    [
        pytest.param(HistoryQuery(last=3), ["0-9", "0-3", "1-9"], 16, id="few"),
        pytest.param(
            HistoryQuery(last=33), [f"{n}-{h}" for n in range(17) for h in (9, 3)][:33], 48, id="more than at first"
        ),
        pytest.param(
            HistoryQuery(since=f"{day(1)}T03:00:00.000Z", last=None), ["0-9", "0-3", "1-9", "1-3"], 2, id="since"
        ),
        pytest.param(
            HistoryQuery(since=f"{day(1)}T03:00:00.001Z", last=None), ["0-9", "0-3", "1-9"], 2, id="since a moment"
        ),
        pytest.param(HistoryQuery(failed=True, last=2), ["0-9", "1-9"], 16, id="failed"),
        pytest.param(HistoryQuery(environment="dev", last=2), ["0-3", "1-3"], 16, id="of an environment"),
        pytest.param(HistoryQuery(environment="test"), [], 100, id="none"),
    ],
)
def test_no_more_days_are_read_than_are_needed(asked: HistoryQuery, expected: list[str], read: int) -> None:
    index = Index(100)
    assert [each["run_id"] for each in list_runs(index.source, asked)] == expected
    assert index.read == list(index.contents)[:read]


def test_the_last_line_of_a_run_counts() -> None:
    result = as_lines(line(0, 3, outcome="succeeded"), line(0, 9, outcome="failed"), line(0, 3, outcome="killed"))
    source = HistorySource((day(0),), lambda _: [result])
    found = [(one["run_id"], one["outcome"]) for one in list_runs(source, HistoryQuery(last=None))]
    assert (found, [one["run_id"] for one in list_runs(source, HistoryQuery(failed=True))]) == (
        [("0-9", "failed"), ("0-3", "killed")],
        ["0-9", "0-3"],
    )


def test_what_is_no_line_is_passed_over() -> None:
    content = as_lines(line(0, 1)) + b'{"run_id": "half\n[]\n\n' + as_lines({"run_id": 5}) + as_lines(line(0, 2))[:-1]
    found = list_runs(HistorySource((day(0),), lambda _: [content]), HistoryQuery())
    assert [each["run_id"] for each in found] == ["0-2", "0-1"]


def test_days_here_are_read_from_the_index(tmp_path: Path) -> None:
    paths = ProjectPaths("shop", tmp_path)
    assert list_runs(local_history(paths, print), HistoryQuery()) == []
    index = paths.directory / ".artifacts/history"
    index.mkdir(parents=True)
    (index / "notes.jsonl").write_text("{}")
    for number in (3, 1, 2):
        (index / f"{day(number)}.jsonl").write_bytes(as_lines(line(number, 1)))
    source = local_history(paths, print)
    assert source.days == (day(1), day(2), day(3))
    assert [each["run_id"] for each in list_runs(source, HistoryQuery(last=2))] == ["1-1", "2-1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="none"),
        pytest.param("2026-01-31", "2026-01-31T00:00:00.000Z", id="day"),
        pytest.param("2026-01-31T06:07", "2026-01-31T06:07:00.000Z", id="minute"),
        pytest.param("2026-01-31T06:07:08Z", "2026-01-31T06:07:08.000Z", id="as it is shown"),
        pytest.param("2026-01-31T06:07:08+02:00", "2026-01-31T04:07:08.000Z", id="of another zone"),
        pytest.param("0001-01-01", "0001-01-01T00:00:00.000Z", id="the first year"),
        pytest.param("90m", "2026-11-24T10:30:00.000Z", id="minutes"),
        pytest.param("24h", "2026-11-23T12:00:00.000Z", id="hours"),
        pytest.param("7d", "2026-11-17T12:00:00.000Z", id="days"),
        pytest.param("2w", "2026-11-10T12:00:00.000Z", id="weeks"),
    ],
)
def test_since(text: str, expected: str) -> None:
    assert parse_since(text, NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "7", "7 d", "-7d", "2026-02-30", "2026", "999999w", "24H"])
def test_no_moment(text: str) -> None:
    with pytest.raises(ProjectError) as error:
        parse_since(text, NOW)
    assert error.value.message == f"--since: found {text!r}, expected {SINCE_EXPECTED}"


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "all", "١", "9" * 5000])  # noqa: RUF001  # a digit, but not ours
def test_no_number(text: str) -> None:
    with pytest.raises(ProjectError) as error:
        parse_count("--last", text)
    assert error.value.message == f"--last: found {text!r}, expected a number from 1"


def test_the_table() -> None:
    found = [
        line(0, 9, trigger="schedule", outcome="failed", culprit="tap", seconds=4000.0, rows=None, attempt=2)
        | {"exit": 3},
        line(0, 3, trigger="local", outcome="succeeded", seconds=0.52, rows=1234567, attempt=1, state_replaced=True),
    ]
    assert runs_table(found) == (
        "START                 TRIGGER   OUTCOME     CULPRIT  DURATION       ROWS  ATTEMPT  STATE      RUN\n"
        "2026-11-24T09:00:00Z  schedule  failed (3)  tap      1 h 06 m          -        2  unchanged  0-9\n"
        "2026-11-24T03:00:00Z  local     succeeded   -           0.5 s  1,234,567        1  replaced   0-3\n"
    )
    assert runs_table([]) == ""


@pytest.mark.parametrize(
    ("more", "head", "data"),
    [
        pytest.param({}, "CULPRIT DURATION ROWS ATTEMPT STATE RUN", "", id="none"),
        pytest.param(
            {"data": {"trigger": "schedule", "scheduled_at": "2026-11-24T09:00:00Z"}},
            "CULPRIT DURATION ROWS ATTEMPT STATE RUN",
            "",
            id="a schedule's own",
        ),
        pytest.param(
            {"data": {"base": "EUR"}}, "CULPRIT DURATION ROWS ATTEMPT STATE DATA RUN", '{"base": "EUR"}', id="short"
        ),
        pytest.param(
            {"data": {"base": "EUR" * 40}, "run_id": "20261124T090000Z-3fc643"},
            "CULPRIT DURATION ROWS STATE DATA RUN",
            '{"base": "EUR...',
            id="long",
        ),
        pytest.param(
            {"data": {"base": "EUR" * 40}, "run_id": "a" * 36, "schedule": "nightly"},
            "CULPRIT ROWS DATA RUN",
            '{"base": "EUR...',
            id="of an execution",
        ),
    ],
)
def test_data_has_the_room_that_is_left(more: dict[str, Any], head: str, data: str) -> None:
    shown = runs_table([line(0, 9, trigger="schedule", outcome="succeeded", attempt=1) | more])
    assert " ".join(shown.split()[3 : 3 + len(head.split())]) == head
    assert (max(map(len, shown.splitlines())) <= 120, data in shown) == (True, True), shown
    assert ("..." in shown) == data.endswith("...")
