"""Placeholders and the time window: text in, text out."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from handoff_runtime import exact_json
from handoff_runtime.errors import PipelineError, UsageError
from handoff_runtime.pipeline import Pipeline, Stage
from handoff_runtime.placeholders import (
    fill_pipeline,
    fill_text,
    known_values,
    parse_data,
    scheduled_at,
    time_window,
)

DUE = datetime(2026, 3, 1, 4, 5, 6, tzinfo=timezone.utc)
RUN = ("r-1", DUE)
BUILT_IN = {
    "run_id": "r-1",
    "project": "sample",
    "environment": "dev",
    "scheduled_at": "2026-03-01T04:05:06Z",
    "start_at": "2026-02-28T00:00:00Z",
    "end_at": "2026-03-01T00:00:00Z",
    "today": "2026-03-01",
    "yesterday": "2026-02-28",
}


def pipeline(**given: Any) -> Pipeline:
    whole = {"vars": {}, "envs": {}, "state": "all", "meter": "rows", "stages": (), **given}
    return Pipeline("sample", "dev", **whole)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{{ a }}", "A", id="spaced"),
        pytest.param("{{a}}", "A", id="tight"),
        pytest.param("{{\ta }}", "A", id="tab"),
        pytest.param("x{{ a }}y{{ b }}z", "xAyB Bz", id="inside"),
        pytest.param("{{ a }}{{ a }}", "AA", id="twice"),
        pytest.param("{{ c }}", "{{ a }}", id="never filled again"),
        pytest.param(
            "${a} {{ a.b }} { { a } } { a } {{ a b }} {{ 1 }} {{}} {{ a | upper }} {{ a\n}}",
            "${a} {{ a.b }} { { a } } { a } {{ a b }} {{ 1 }} {{}} {{ a | upper }} {{ a\n}}",
            id="anything else is literal",
        ),
        pytest.param("{{{ a }}}", "{A}", id="three braces"),
        pytest.param("", "", id="empty"),
    ],
)
def test_placeholders_are_filled(text: str, expected: str) -> None:
    assert fill_text(text, {"a": "A", "b": "B B", "c": "{{ a }}"}, "here") == expected


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(PipelineError) as caught:
        fill_text("{{ aa }}", {"b": "", "a": ""}, "stage tap")
    assert str(caught.value) == (
        "error: stage tap: placeholder {{ aa }} found, one of a, b expected\n"
        """hint: give it a default under `vars:`, or a value: --data '{"aa": "..."}'"""
    )


def test_data_come_before_vars_before_envs_before_what_is_built_in() -> None:
    whole = pipeline(
        vars={"a": "var", "b": "var", "today": "var"}, envs={"a": "env", "b": "env", "c": "env", "yesterday": "env"}
    )
    assert known_values({"a": "data", "run_id": "mine"}, whole, *RUN) == {
        **BUILT_IN,
        "a": "data",
        "b": "var",
        "c": "env",
        "today": "var",
        "yesterday": "env",
        "run_id": "mine",
    }


def test_envs_use_data_vars_and_built_ins_but_not_one_another() -> None:
    whole = pipeline(vars={"a": "A"}, envs={"X": "{{ a }} {{ today }}", "Y": "{{ d }}"})
    assert {key: value for key, value in known_values({"d": 1}, whole, *RUN).items() if key in "XY"} == {
        "X": "A 2026-03-01",
        "Y": "1",
    }
    with pytest.raises(PipelineError, match=r"envs\.Y: placeholder \{\{ X \}\} found"):
        known_values({}, pipeline(envs={"X": "1", "Y": "{{ X }}"}), *RUN)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x y", "x y"),
        (1, "1"),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        (["é", 1], '["é",1]'),
        ({"a": {}}, '{"a":{}}'),
    ],
)
def test_what_is_no_text_is_filled_in_as_json(value: object, text: str) -> None:
    assert known_values({"v": value}, pipeline(), *RUN)["v"] == text


@pytest.mark.parametrize("value", ["a\0b", "\ud800", ["\udc80"]])
def test_what_can_be_no_argument_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match=r"data\.v: .* found, a text that can be an argument of a command expected"):
        known_values({"v": value}, pipeline(), *RUN)


def test_a_pipeline_is_filled_in_every_word_and_env() -> None:
    stage = Stage("tap", ("tap", "{{ a }}", "-{{ a }}-"), "tap", "venv/tap", {"OWN": "{{ a }}", "X": "own"})
    whole = pipeline(vars={"a": "A B"}, envs={"X": "{{ a }}", "Z": "z"}, stages=(stage,))
    expected = Stage("tap", ("tap", "A B", "-A B-"), "tap", "venv/tap", {"X": "own", "Z": "z", "OWN": "A B"})
    assert fill_pipeline(whole, {}, *RUN) == whole._replace(envs={"X": "A B", "Z": "z"}, stages=(expected,))


@pytest.mark.parametrize(
    ("data", "start", "end"),
    [
        pytest.param({}, "2026-02-28", "2026-03-01", id="yesterday"),
        pytest.param({"start_offset_days": -7}, "2026-02-22", "2026-03-01", id="a week"),
        pytest.param(
            {"start_offset_days": "-7", "duration_days": "1"}, "2026-02-22", "2026-02-23", id="a day a week ago"
        ),
        pytest.param({"duration_days": 3}, "2026-02-28", "2026-03-03", id="three days"),
        pytest.param({"start_at": "2026-01-01"}, "2026-01-01", "2026-03-01", id="from a day on"),
        pytest.param(
            {"start_at": "2026-01-01", "duration_days": 1}, "2026-01-01", "2026-01-02", id="a day and a duration"
        ),
        pytest.param({"end_at": "2026-04-01T12:00:00"}, "2026-02-28", "2026-04-01T12:00:00", id="to a time"),
        pytest.param(
            {"start_at": "2026-01-01T01:00:00+02:00"}, "2025-12-31T23:00:00", "2026-03-01", id="of another zone"
        ),
        pytest.param(
            {"start_at": "2026-01-01T01:00:00Z", "end_at": "2026-01-01T02:00:00Z", "duration_days": 9},
            "2026-01-01T01:00:00",
            "2026-01-01T02:00:00",
            id="both given",
        ),
    ],
)
def test_the_time_window(data: dict[str, Any], start: str, end: str) -> None:
    assert time_window(data, DUE) == (at(start), at(end))


@pytest.mark.parametrize(
    "data",
    [
        {"start_at": "2026-03-01"},
        {"duration_days": 0},
        {"duration_days": -1},
        {"start_offset_days": 1},
        {"start_at": "2026-01-02", "end_at": "2026-01-01"},
    ],
)
def test_a_window_starts_before_it_ends(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="found, a start before the end expected"):
        time_window(data, DUE)


@pytest.mark.parametrize("text", ["x", "", "2026-13-01", 5, None, ["2026-01-01"], {"a": 1}])
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(UsageError, match=r"^error: data\.start_at: .* found, a time like 2026-01-31T00:00:00 or "):
        time_window({"start_at": text}, DUE)


@pytest.mark.parametrize(
    "data", [{"start_offset_days": 10**9}, {"duration_days": 10**12}, {"start_offset_days": -(10**6)}]
)
def test_a_window_beyond_all_years_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="leaves the years 1 to 9999"):
        known_values(data, pipeline(), *RUN)


def test_a_run_is_due_when_data_say_so_or_now() -> None:
    assert scheduled_at({"scheduled_at": "2026-03-01T04:05:06Z"}, 0.0) == DUE
    assert scheduled_at({}, 1.9) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=timezone.utc)


def test_data_are_a_json_object_or_nothing() -> None:
    assert [parse_data(text) for text in ("", " \n", "{}", '{"a": [1]}')] == [{}, {}, {}, {"a": [1]}]


NUMBERS = {
    "a decimal": "1.10",
    "many digits": "12345678901234567890.123",
    "beyond a float": "1e400",
    "an exponent": "-1E+05",
    "a negative zero": "-0",
    "a whole number": "12345678901234567890",
}


@pytest.mark.parametrize("number", [pytest.param(number, id=name) for name, number in NUMBERS.items()])
def test_a_number_keeps_its_text(number: str) -> None:
    data = parse_data(f'{{"a": {number}, "b": [{{"c": {number}}}]}}')
    filled = known_values(data, pipeline(), *RUN)
    assert (filled["a"], filled["b"], exact_json.dumps(data)) == (
        number,
        f'[{{"c":{number}}}]',
        f'{{"a": {number}, "b": [{{"c": {number}}}]}}',
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('{"a": NaN}', "--data: NaN found, which is no JSON", id="NaN"),
        pytest.param('{"a": [-Infinity]}', "--data: -Infinity found, which is no JSON", id="infinity"),
        pytest.param(
            '{"a": 1, "b": 2, "a": 1}', "--data: the name 'a' found twice, each name once expected", id="a name twice"
        ),
        pytest.param(
            '{"b": [{"a": 1, "a": 2}]}', "--data: the name 'a' found twice, each name once expected", id="twice inside"
        ),
        *(
            pytest.param(
                f'{{"a": {"[" * levels}{"]" * levels}}}',
                "--data: values nested deeper than 100 levels found, flatter ones expected",
                id=f"{levels} levels",
            )
            for levels in (101, 600, 100_000)
        ),
    ],
)
def test_data_that_programs_read_differently_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_data(text, "--data")
    assert caught.value.message == message


def test_a_hundred_levels_of_data_are_read() -> None:
    text = f'{{"a": {"[" * 100}{"]" * 100}}}'
    assert exact_json.dumps(parse_data(text)) == text


@pytest.mark.parametrize("text", ["[", "1", "1.5", "[]", '"a"', "{'a': 1}", "9" * 5000])
def test_other_data_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^error: --data: .* found, a JSON object expected"):
        parse_data(text, "--data")
