"""The record: what is known at the start, what is added in the end, and nothing secret in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handoff_runtime import record
from handoff_runtime.errors import StoreError, mark_inserted
from handoff_runtime.masking import build_mask
from handoff_runtime.params import ConfigFile
from handoff_runtime.pipeline import Pipeline, Stage
from handoff_runtime.record import RunEnd
from handoff_runtime.state import Snapshot
from handoff_runtime.supervisor.outcome import Outcome, StageExit
from handoff_runtime.supervisor.process import Usage
from handoff_runtime.supervisor.supervisor import StageFigures

STAGES = (
    Stage("tap", ("tap", "--key", "secret-1"), "tap", None, {}),
    Stage("grep", ("sh", "-c", "grep a"), "grep a", None, {}),
    Stage("stats", ("/python", "-I", "/stats.py"), "collector_stats", None, {}),
)
PIPELINE = Pipeline("sample", "dev", {}, {}, "singer", "rows", STAGES)
BEGUN = record.RunStart("r-1", "run", "local", 0.0, 1.5, {"secret-1": ["secret-1"]}, PIPELINE)
RUNNING: dict[str, Any] = {
    "format": 1,
    "run_id": "r-1",
    "project": "sample",
    "environment": "dev",
    "command": "run",
    "trigger": "local",
    "attempt": 1,
    "execution": "nightly-20260131",
    "schedule": None,
    "scheduled_at": "1970-01-01T00:00:00.000Z",
    "started_at": "1970-01-01T00:00:01.500Z",
    "ended_at": None,
    "seconds": None,
    "outcome": "running",
    "exit": None,
    "culprit": None,
    "reason": None,
    "data": {"secret-1": ["secret-1"]},
    "params_version": "3",
    "params_sha256": None,
    "image_digest": None,
    "meter": "rows",
    "stages": [
        {"name": "tap", "argv": ["tap", "--key", "secret-1"]},
        {"name": "grep", "argv": ["sh", "-c", "grep a"]},
        {"name": "stats", "argv": ["collector_stats"]},
    ],
    "state": {"mode": "singer", "before": {"bytes": 3, "crc32": "ab"}, "after": None, "replaced": False},
}
UNMEASURED: dict[str, Any] = {
    "verdict": "ok",
    "exit": 0,
    "signal": None,
    "seconds": 0.0,
    "cpu_seconds": None,
    "peak_memory_bytes": None,
    "rows_in": None,
    "bytes_in": None,
    "rows_out": None,
    "bytes_out": None,
}
NOTHING = StageFigures("x", 0.0, 0.0, StageExit(0, 0.0), None, None, None, None, None)


def begun() -> dict[str, Any]:
    return record.start_record(
        BEGUN, Snapshot(3, "ab"), {"PARAMS_VERSION": "3", "HANDOFF_EXECUTION": "nightly-20260131"}
    )


def test_a_run_that_has_begun() -> None:
    assert begun() == RUNNING


def test_a_run_that_has_ended() -> None:
    figures = (
        StageFigures("tap", 0.0, 2.0, StageExit(-9, 2.0), Usage(1.23456, 4096), None, None, 5, 50),
        NOTHING._replace(rows_in=5),
        NOTHING,
    )
    ended = RunEnd(Outcome("failed", 137, ("failed", "ok", "ok"), 0), "tap", "stage tap was ended by SIGKILL", figures)
    found = record.end_record(begun(), ended, 10.0, 8.5, Snapshot(4, "cd"), replaced=True)
    assert found == {
        **RUNNING,
        "ended_at": "1970-01-01T00:00:10.000Z",
        "seconds": 8.5,
        "outcome": "failed",
        "exit": 137,
        "culprit": "tap",
        "reason": "stage tap was ended by SIGKILL",
        "stages": [
            {
                **RUNNING["stages"][0],
                **UNMEASURED,
                "verdict": "failed",
                "exit": None,
                "signal": 9,
                "seconds": 2.0,
                "cpu_seconds": 1.235,
                "peak_memory_bytes": 4096,
                "rows_out": 5,
                "bytes_out": 50,
            },
            {**RUNNING["stages"][1], **UNMEASURED, "rows_in": 5},
            {**RUNNING["stages"][2], **UNMEASURED},
        ],
        "state": {**RUNNING["state"], "after": {"bytes": 4, "crc32": "cd"}, "replaced": True},
    }


def test_a_run_whose_stages_never_started_has_no_figures() -> None:
    ended = RunEnd(Outcome("failed", 127, ()), "tap", "why")
    assert record.end_record(begun(), ended, 2.0, 0.5, None, replaced=False)["stages"] == RUNNING["stages"]


def test_a_record_is_written_whole_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".artifacts").mkdir()
    Path(".artifacts/run.json").write_text("old")
    hidden = build_mask([ConfigFile("a", '["secret-1", "name", "running", "é\\ud800"]')], ())
    record.write_record({**begun(), "reason": f"é\u2028 running {mark_inserted('secret-1')}"}, hidden)
    text = Path(".artifacts/run.json").read_text(encoding="utf-8")
    stages = [{**RUNNING["stages"][0], "argv": ["tap", "--key", "***"]}, *RUNNING["stages"][1:]]
    expected = {**RUNNING, "data": {"***": "***"}, "stages": stages, "reason": "é\u2028 running ***"}
    assert (json.loads(text), text[-2:], sorted(Path(".artifacts").iterdir())) == (
        expected,
        "}\n",
        [Path(".artifacts/.run.json"), Path(".artifacts/run.json")],
    )


def test_a_record_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"\.artifacts/\.run\.json: No such file or directory"):
        record.write_record(begun(), build_mask([], ()))


@pytest.mark.parametrize(
    ("moment", "text"), [(0.0, "1970-01-01T00:00:00.000Z"), (1767225599.9996, "2025-12-31T23:59:59.999Z")]
)
def test_a_stamp_is_utc_with_milliseconds(moment: float, text: str) -> None:
    assert record.timestamp(moment) == text
