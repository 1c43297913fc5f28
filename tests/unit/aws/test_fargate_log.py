"""The lines of a task's log, as a person reads them and as a program does."""

from __future__ import annotations

import json
import time
from typing import Any
from unittest.mock import Mock

import pytest

from handoff_kit.aws.ecs.log_stream import LogFormatter
from handoff_kit.aws.ecs.logs import find_stream
from handoff_kit.errors import AWSError

AT = 1_767_225_600_500  # 2026-01-01T00:00:00.500Z


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks of logs are local."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def event(stage: str, message: object) -> dict[str, Any]:
    line = {"time": "2026-01-01T00:00:00.500Z", "stage": stage, "message": message}
    return {"timestamp": AT, "message": json.dumps(line)}


def other(text: str) -> dict[str, Any]:
    return {"timestamp": AT, "message": text}


@pytest.mark.parametrize(
    ("found", "text", "raw"),
    [
        pytest.param(event("tap", "ü"), "00:00:00 tap     | ü\n", event("tap", "ü")["message"] + "\n", id="a line"),
        pytest.param(
            event("handoff", ""), "00:00:00 handoff | \n", event("handoff", "")["message"] + "\n", id="an empty one"
        ),
        pytest.param(
            event("tap", "a\x1b[31mb\x07\rc\td"),
            "00:00:00 tap     | a\x1b[31mb^G^Mc\td\n",
            event("tap", "a\x1b[31mb\x07\rc\td")["message"] + "\n",
            id="what would ring, and move the cursor",
        ),
        pytest.param(
            other("Traceback (most recent call last):\n"),
            "00:00:00 container | Traceback (most recent call last):\n",
            '{"time": "2026-01-01T00:00:00.500Z", "stage": "container", "message": "Traceback (most recent call last):"}\n',
            id="not the runtime's",
        ),
        pytest.param(
            other('{"a": 1}'),
            '00:00:00 container | {"a": 1}\n',
            '{"time": "2026-01-01T00:00:00.500Z", "stage": "container", "message": "{\\"a\\": 1}"}\n',
            id="JSON of another kind",
        ),
    ],
)
def test_a_line(found: dict[str, Any], text: str, raw: str) -> None:
    assert (LogFormatter().lines([found]), LogFormatter(raw=True).lines([found])) == (text, raw)


def test_the_names_of_stages_are_as_wide_as_the_widest_so_far() -> None:
    form = LogFormatter()
    assert form.lines([event("tap", "x"), event("a-long-name", "y")]) == (
        "00:00:00 tap     | x\n00:00:00 a-long-name | y\n"
    )
    assert form.lines([event("tap", "z")]) == "00:00:00 tap         | z\n"


def test_a_run_whose_id_is_no_time_is_searched_for() -> None:
    tasks = Mock(log_group="group")
    tasks.target.pages.return_value = [{"events": []}]
    tasks.invoke.return_value = "invoke history --remote"
    with pytest.raises(AWSError, match=r"^error: run 99999999T999999Z-abc: found in no stream of log group group"):
        find_stream(tasks, "99999999T999999Z-abc")
