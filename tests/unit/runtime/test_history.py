"""The history: a line for each run, its record beside it, and those that could not tell of themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handoff_runtime import history, workspace
from handoff_runtime.errors import StoreError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".artifacts").mkdir()


def record(number: int = 1, **changed: Any) -> dict[str, Any]:
    """A record as the runtime writes it, as far as the history reads it."""
    return {
        "run_id": f"20260101T00000{number % 10}Z-{number:06}",
        "project": "sample",
        "environment": "dev",
        "command": "run",
        "trigger": "local",
        "started_at": "2026-01-01T00:00:01.000Z",
        "ended_at": "2026-01-01T00:00:02.500Z",
        "seconds": 1.5,
        "outcome": "succeeded",
        "exit": 0,
        "culprit": None,
        "reason": None,
        "attempt": 1,
        "params_version": "7",
        "image_digest": None,
        "stages": [{"name": "a", "rows_in": None}, {"name": "b", "rows_in": 118}],
        "state": {"replaced": True},
        **changed,
    }


def written(**changed: Any) -> dict[str, Any]:
    """The same, as the last record that lies there."""
    found = record(**changed)
    Path(workspace.RECORD).unlink(missing_ok=True)
    Path(workspace.RECORD).write_text(json.dumps(found))
    return found


def lines(day: str = "2026-01-01") -> list[Any]:
    return [json.loads(line) for line in Path(f".artifacts/history/{day}.jsonl").read_text().splitlines()]


ENTRY = {
    "run_id": "20260101T000001Z-000001",
    "environment": "dev",
    "command": "run",
    "trigger": "local",
    "started_at": "2026-01-01T00:00:01.000Z",
    "ended_at": "2026-01-01T00:00:02.500Z",
    "seconds": 1.5,
    "outcome": "succeeded",
    "exit": 0,
    "culprit": None,
    "reason": None,
    "attempt": 1,
    "params_version": "7",
    "image_digest": None,
    "execution": None,
    "schedule": None,
    "data": None,
    "rows": 118,
    "state_replaced": True,
}


def test_a_run_is_a_line_and_a_record() -> None:
    found = written()
    history.append_run(found)
    assert lines() == [ENTRY]
    assert json.loads(Path(f".artifacts/runs/{found['run_id']}/run.json").read_text()) == found


def test_a_line_says_what_started_the_run_with_which_data() -> None:
    """The record that `record` makes is one of handoff 0.1, which says neither."""
    known: dict[str, Any] = {"execution": "run-1", "schedule": "nightly", "data": {"day": "2026-01-31"}}
    assert history.summary(record(**known)) == {**ENTRY, **known}


def test_a_run_belongs_to_the_day_of_its_start() -> None:
    history.append_run(written(started_at="2026-02-28T23:59:59.999Z", ended_at="2026-03-01T00:10:00.000Z"))
    assert [entry["started_at"] for entry in lines("2026-02-28")] == ["2026-02-28T23:59:59.999Z"]


def test_what_was_never_counted_is_unknown() -> None:
    assert history.summary(record(stages=[{}]))["rows"] is None
    assert history.summary(record(stages=[]))["rows"] is None


def test_half_a_character_is_written_escaped() -> None:
    assert rb"\udc80" in history.index_line(record(reason="\udc80"))


def test_the_oldest_records_go_and_every_line_stays() -> None:
    for number in range(5):
        history.append_run(written(run_id=f"run-{number}"), kept_runs=3)
    assert sorted(path.name for path in Path(".artifacts/runs").iterdir()) == ["run-2", "run-3", "run-4"]
    assert [entry["run_id"] for entry in lines()] == [f"run-{number}" for number in range(5)]


def test_a_run_that_was_killed_is_told_of_by_the_next() -> None:
    written(outcome="running", exit=None, ended_at=None, seconds=None)
    history.append_missing_run()
    assert lines() == [{**ENTRY, "outcome": "killed", "exit": None, "ended_at": None, "seconds": None}]


def test_a_run_that_had_no_space_for_its_line_is_told_of_by_the_next_once() -> None:
    found = written()
    history.append_missing_run()
    history.append_missing_run()
    assert (lines(), Path(f".artifacts/runs/{found['run_id']}/run.json").exists()) == ([ENTRY], True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("[]", id="a list"),
        pytest.param("{", id="cut short"),
        pytest.param('{"outcome": "running"}', id="not ours"),
    ],
)
def test_no_other_record_is_told_of(text: str | None) -> None:
    if text is not None:
        Path(workspace.RECORD).write_text(text)
    history.append_missing_run()
    assert not Path(".artifacts/history").exists()


def test_a_place_that_cannot_be_written_is_told() -> None:
    Path(".artifacts/history").write_text("")
    with pytest.raises(StoreError, match="history: File exists"):
        history.append_run(written())
