"""Everything that can be wrong with `expect` in a project file, and what is right."""

from __future__ import annotations

import pytest
from doubles.project_text import NO_VALUE, load_text, problems_of

from handoff_kit.project.model import Expect
from handoff_kit.project.params_document import describe_expect, pipeline_document
from handoff_kit.project.schema import project_schema

TIME = "a duration: a number and s, m, h or d"
ROWS = "a number of rows, 1 or more"
WHOLE = "write it like this: expect: {success_within: 26h, rows_at_least: 1}"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param(
            "expect: {sucess_within: 26h}",
            ["2:10: `sucess_within` is not a known key of `expect` | did you mean `success_within`?"],
            id="misspelt",
        ),
        pytest.param(
            "rows_at_least: 1",
            ["2:1: `rows_at_least` is not a known key | `rows_at_least` belongs under expect"],
            id="at the left margin",
        ),
        pytest.param(
            "expect: 26h",
            ["2:9: `expect` is `26h`, expected a mapping | write it like this: expect: {success_within: 26h}"],
            id="a time",
        ),
        pytest.param("expect: daily", [f"2:9: `expect` is `daily`, expected a mapping | {WHOLE}"], id="a word"),
        pytest.param("expect:", [f"2:1: `expect` has no value, expected a mapping | {NO_VALUE}"], id="nothing"),
        pytest.param(
            "expect: {success_within: , rows_at_least: [1]}",
            [
                f"2:10: `success_within` has no value, expected {TIME} | {NO_VALUE}",
                f"2:43: `rows_at_least` is a list, expected {ROWS} | write it like this: rows_at_least: 1",
            ],
            id="wrong types",
        ),
        pytest.param(
            "meter: bytes\nexpect: {rows_at_least: 1}",
            [
                "3:10: found `rows_at_least` beside `meter: bytes`, which counts no rows | "
                "take `meter` out, then rows are counted; or take `rows_at_least` out"
            ],
            id="rows that are not counted",
        ),
    ],
)
def test_keys_and_shapes(text: str, problems: list[str]) -> None:
    assert problems_of(text) == problems


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        pytest.param("26", "write its unit too: 26s, 26m, 26h or 26d", id="no unit"),
        pytest.param("26 hours", "did you mean `26h`?", id="hours"),
        pytest.param("26H", "did you mean `26h`?", id="capital"),
        pytest.param("026h", "did you mean `26h`?", id="zeros"),
        pytest.param("5w", "did you mean `35d`?", id="weeks"),
        pytest.param("1month", "write it like this: success_within: 26h", id="a month"),
        pytest.param("0h", "write it like this: success_within: 26h", id="zero"),
        pytest.param("10000d", "write it like this: success_within: 26h", id="too long"),
        pytest.param("1.5h", "write it like this: success_within: 26h", id="a fraction"),
        pytest.param("1d2h", "write it like this: success_within: 26h", id="two units"),
        pytest.param("", "write it like this: success_within: 26h", id="empty"),
    ],
)
def test_durations(found: str, hint: str) -> None:
    shown = f"`{found}`" if found else "an empty text"
    assert problems_of(f"expect: {{success_within: '{found}'}}") == [
        f"2:26: `success_within` is {shown}, expected {TIME} | {hint}"
    ]


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        pytest.param("0", "the least is 1; without `rows_at_least` a run may pass none", id="0"),
        pytest.param("1,000", "did you mean `1000`?", id="comma"),
        pytest.param("-1", "write it like this: rows_at_least: 1", id="negative"),
        pytest.param("some", "write it like this: rows_at_least: 1", id="a word"),
    ],
)
def test_rows(found: str, hint: str) -> None:
    assert problems_of(f"expect: {{rows_at_least: '{found}'}}") == [
        f"2:25: `rows_at_least` is `{found}`, expected {ROWS} | {hint}"
    ]


@pytest.mark.parametrize(
    ("text", "expect", "stored", "described"),
    [
        pytest.param("", Expect(), None, "", id="nothing"),
        pytest.param("expect: {}", Expect(), None, "", id="empty"),
        pytest.param(
            "expect: {success_within: 24h}",
            Expect(success_within=86400),
            {"success_within": 86400},
            "expect: notify when no run succeeds for 1d",
            id="a time",
        ),
        pytest.param(
            "expect: {success_within: 90s, rows_at_least: 1000000}",
            Expect(success_within=90, rows_at_least=1_000_000),
            {"success_within": 90, "rows_at_least": 1_000_000},
            "expect: notify when no run succeeds for 90s; "
            "fail a run that writes fewer than 1,000,000 rows to its stdout",
            id="both",
        ),
    ],
)
def test_what_is_right(text: str, expect: Expect, stored: dict[str, int] | None, described: str) -> None:
    project = load_text(text)
    document = pipeline_document(project, "a", "dev", lambda _: False)
    assert (project.expect, document.get("expect"), describe_expect(project)) == (expect, stored, described)


def test_editors_see_the_same_limits() -> None:
    expect = project_schema()["$defs"]["Expect"]["properties"]
    number, text = expect["rows_at_least"]["anyOf"]
    assert (number["minimum"], text["pattern"]) == (1, "^[1-9][0-9]{0,11}$")
    assert expect["success_within"]["pattern"].startswith("^([1-9]")
