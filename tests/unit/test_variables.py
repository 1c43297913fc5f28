"""Placeholders and the time window, as tables."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from handoff_runtime.errors import PipelineError, UsageError
from handoff_runtime.pipeline import Pipeline, Stage
from handoff_runtime.variables import Run, fill, filled, parse_data, scheduled_at, values, window

DUE = datetime(2026, 3, 29, 13, 30, tzinfo=timezone.utc)
RUN = Run("R1", "foo", "dev", DUE)


def pipeline(*argv: str, variables: dict[str, str] | None = None, envs: dict[str, str] | None = None) -> Pipeline:
    stage = Stage("one", argv or ("cat",), "cat", None, {})
    return Pipeline("foo", "dev", variables or {}, envs or {}, "all", "rows", (stage,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain", "plain", id="none"),
        pytest.param("{{ a }}", "A b", id="one"),
        pytest.param("x{{a}}y{{ a }}z", "xA byA bz", id="many, blanks or not"),
        pytest.param(
            "{{ a.b }} { { a } } {{}} {{ 1a }} ${a} {a}", "{{ a.b }} { { a } } {{}} {{ 1a }} ${a} {a}", id="literal"
        ),
        pytest.param("{{ quoted }}", "{{ a }}", id="not filled twice"),
    ],
)
def test_fill(text: str, expected: str) -> None:
    assert fill(text, {"a": "A b", "quoted": "{{ a }}"}, "here") == expected


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PipelineError) as caught:
        fill("{{ bse }}", {"base": "", "today": ""}, "stage tap")
    assert str(caught.value) == (
        "error: stage tap: placeholder {{ bse }} found, one of base, today expected\n"
        """hint: give it a default under `vars:`, or a value: --data '{"bse": "..."}'"""
    )


@pytest.mark.parametrize(
    ("data", "variables", "envs", "expected"),
    [
        pytest.param({}, {}, {}, "R1", id="built-in"),
        pytest.param({}, {}, {"run_id": "env"}, "env", id="envs before built-ins"),
        pytest.param({}, {"run_id": "var"}, {"run_id": "env"}, "var", id="vars before envs"),
        pytest.param({"run_id": "data"}, {"run_id": "var"}, {"run_id": "env"}, "data", id="data before all"),
        pytest.param({"run_id": 1.50}, {}, {}, "1.5", id="a number as JSON has it"),
        pytest.param({"run_id": [1, {"a": None}]}, {}, {}, '[1,{"a":null}]', id="a list as JSON"),
    ],
)
def test_order(data: dict[str, Any], variables: dict[str, str], envs: dict[str, str], expected: str) -> None:
    assert values(data, pipeline(variables=variables, envs=envs), RUN)["run_id"] == expected


def test_builtins() -> None:
    assert values({}, pipeline(), RUN) == {
        "run_id": "R1",
        "project": "foo",
        "environment": "dev",
        "scheduled_at": "2026-03-29T13:30:00Z",
        "start_at": "2026-03-28T00:00:00Z",
        "end_at": "2026-03-29T00:00:00Z",
        "today": "2026-03-29",
        "yesterday": "2026-03-28",
    }


def test_filled_word_stays_one_word_and_envs_are_shared() -> None:
    whole = pipeline("grep", "{{ word }}", variables={"word": "two words"}, envs={"W": "<{{ word }}>"})
    done = filled(whole, values({}, whole, RUN))
    assert (done.stages[0].argv, done.stages[0].envs) == (("grep", "two words"), {"W": "<two words>"})


@pytest.mark.parametrize(
    ("data", "start", "end"),
    [
        pytest.param({}, "2026-03-28", "2026-03-29", id="yesterday"),
        pytest.param({"start_offset_days": -7}, "2026-03-22", "2026-03-29", id="the last seven days"),
        pytest.param(
            {"start_offset_days": "-7", "duration_days": 1}, "2026-03-22", "2026-03-23", id="a day a week ago"
        ),
        pytest.param({"duration_days": 3}, "2026-03-28", "2026-03-31", id="three days from yesterday"),
        pytest.param({"start_at": "2026-01-01"}, "2026-01-01", "2026-03-29", id="a start"),
        pytest.param(
            {"start_at": "2026-01-01T00:00:00Z", "duration_days": 2}, "2026-01-01", "2026-01-03", id="and days"
        ),
        pytest.param(
            {"start_at": "1990-01-01T00:00:00", "end_at": "2030-01-01T00:00:00"}, "1990-01-01", "2030-01-01", id="both"
        ),
        pytest.param({"end_at": "2026-04-01T02:00:00+02:00"}, "2026-03-28", "2026-04-01", id="another zone"),
    ],
)
def test_window(data: dict[str, Any], start: str, end: str) -> None:
    expected = [datetime.fromisoformat(text).replace(tzinfo=timezone.utc) for text in (start, end)]
    assert window(data, DUE) == tuple(expected)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(
            {"start_at": "2026-03-29"},
            "data: start_at 2026-03-29T00:00:00Z and end_at 2026-03-29T00:00:00Z found, "
            "a start before the end expected",
            id="empty",
        ),
        pytest.param(
            {"start_at": "yesterday"},
            "data.start_at: 'yesterday' found, a time like 2026-01-31T00:00:00 or 2026-01-31T00:00:00Z expected",
            id="no time",
        ),
        pytest.param(
            {"end_at": 5},
            "data.end_at: 5 found, a time like 2026-01-31T00:00:00 or 2026-01-31T00:00:00Z expected",
            id="number",
        ),
        pytest.param(
            {"duration_days": "x"}, "data.duration_days: 'x' found, a whole number of days expected", id="no days"
        ),
    ],
)
def test_bad_window(data: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        window(data, DUE)
    assert caught.value.message == message


def test_scheduled_at_is_given_or_now() -> None:
    assert (scheduled_at({}, 0.9), scheduled_at({"scheduled_at": "2026-03-29T13:30:00Z"}, 0)) == (
        datetime(1970, 1, 1, tzinfo=timezone.utc),
        DUE,
    )


@pytest.mark.parametrize("text", ["", "  ", "{}"])
def test_no_data(text: str) -> None:
    assert parse_data(text) == {}


@pytest.mark.parametrize("text", ["{bad", "[1]", "5", '"x"', "null"])
def test_data_must_be_an_object(text: str) -> None:
    with pytest.raises(UsageError, match="a JSON object expected"):
        parse_data(text)
