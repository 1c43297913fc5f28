"""Everything that can be wrong with `keep` and `params` in a project file: problems with its place, in plain words."""

from __future__ import annotations

import random

import pytest
from doubles.project_text import NO_VALUE, check_words, load_text, problems_of

from handoff_kit.project.model import Keep, Params
from handoff_kit.project.schema import project_schema

DAYS = "1d to 9999d, or forever"
STATES = "a number, 1 to 100"
TIERS = "standard holds 4,096 bytes and is free, advanced holds 8,192 and is charged for"
MOST = "the most is 100: S3 counts no further"

KEYS = [
    pytest.param("keep: {run: 90d}", ["2:8: `run` is not a known key of `keep` | did you mean `runs`?"], id="misspelt"),
    pytest.param(
        "keep: {logs: 90d}",
        ["2:8: `logs` is not a known key of `keep` | known here: runs, artifacts, states"],
        id="unknown",
    ),
    pytest.param(
        "keep: {state: 5}",
        [
            "2:8: `state` is not a known key of `keep` | "
            "`state` belongs to the whole project, at the left margin; or did you mean `states`?"
        ],
        id="of the project",
    ),
    pytest.param(
        "params: {teir: advanced}",
        ["2:10: `teir` is not a known key of `params` | did you mean `tier`?"],
        id="misspelt in params",
    ),
    pytest.param(
        "artifacts: 30d\ntier: advanced\nkep: {}",
        [
            "2:1: `artifacts` is not a known key | `artifacts` belongs under keep",
            "3:1: `tier` is not a known key | `tier` belongs under params; or did you mean `meter`?",
            "4:1: `kep` is not a known key | did you mean `keep`?",
        ],
        id="at the left margin",
    ),
    pytest.param(
        "keep: {tier: standard}\nparams: {runs: 7, base: a}",
        [
            "2:8: `tier` is not a known key of `keep` | `tier` belongs under params",
            "3:10: `runs` is not a known key of `params` | `runs` belongs under keep",
            "3:19: `base` is not a known key of `params` | `base` belongs under image",
        ],
        id="under the wrong one",
    ),
]

KEEP = "write it like this: keep: {runs: 90d, artifacts: 30d, states: 50}"
SHAPES = [
    pytest.param(
        "keep: 90d", ["2:7: `keep` is `90d`, expected a mapping | write it like this: keep: {runs: 90d}"], id="a time"
    ),
    pytest.param("keep: all", [f"2:7: `keep` is `all`, expected a mapping | {KEEP}"], id="a word"),
    pytest.param("keep: [90d]", [f"2:7: `keep` is a list, expected a mapping | {KEEP}"], id="a list"),
    pytest.param("keep:", [f"2:1: `keep` has no value, expected a mapping | {NO_VALUE}"], id="nothing"),
    pytest.param(
        "params: advanced",
        ["2:9: `params` is `advanced`, expected a mapping | write it like this: params: {tier: advanced}"],
        id="a tier",
    ),
    pytest.param(
        "params: [a]",
        ["2:9: `params` is a list, expected a mapping | write it like this: params: {tier: standard}"],
        id="params as a list",
    ),
    pytest.param(
        "keep: {runs: , artifacts: [30d], states: {most: 5}}",
        [
            f"2:8: `runs` has no value, expected {DAYS} | {NO_VALUE}",
            f"2:27: `artifacts` is a list, expected {DAYS} | write it like this: artifacts: 30d",
            f"2:42: `states` is a mapping, expected {STATES} | write it like this: states: 50",
        ],
        id="wrong types",
    ),
    pytest.param(
        "keep: {runs: '', states: ''}\nparams: {tier: ''}",
        [
            f"2:14: `runs` is an empty text, expected {DAYS} | write it like this: runs: 90d",
            f"2:26: `states` is an empty text, expected {STATES} | write it like this: states: 50",
            f"3:16: `tier` is an empty text, expected standard or advanced | {TIERS}",
        ],
        id="empty",
    ),
]


@pytest.mark.parametrize(("text", "problems"), [*KEYS, *SHAPES])
def test_keys_and_shapes(text: str, problems: list[str]) -> None:
    assert problems_of(text) == problems


@pytest.mark.parametrize("key", ["runs", "artifacts"])
@pytest.mark.parametrize(
    ("found", "hint"),
    [
        pytest.param("0", "the shortest is 1d", id="0"),
        pytest.param("0d", "the shortest is 1d", id="0d"),
        pytest.param("10000d", "did you mean `forever`?", id="10000d"),
        pytest.param("9" * 40, "did you mean `forever`?", id="a long number"),
        pytest.param("90D", "did you mean `90d`?", id="capital"),
        pytest.param("007d", "did you mean `7d`?", id="zeros"),
        pytest.param("90 days", "did you mean `90d`?", id="days"),
        pytest.param(" 90d ", "did you mean `90d`?", id="padded"),
        pytest.param("2w", "did you mean `14d`?", id="weeks"),
        pytest.param("3 months", "did you mean `90d`?", id="months"),
        pytest.param("1 year", "did you mean `365d`?", id="year"),
        pytest.param("100y", "did you mean `forever`?", id="a century"),
        pytest.param("forver", "did you mean `forever`?", id="misspelt"),
        pytest.param("unlimited", "did you mean `forever`?", id="unlimited"),
        pytest.param("-1", "did you mean `forever`?", id="-1"),
        pytest.param("24h", "EXAMPLE", id="hours"),
        pytest.param("1.5d", "EXAMPLE", id="a fraction"),
        pytest.param("-7d", "EXAMPLE", id="negative"),
        pytest.param("never", "did you mean `forever`?", id="never"),
        pytest.param(
            "{{ d }}", "write the value itself: nothing fills {{ d }} in the bucket's rules", id="placeholder"
        ),
    ],
)
def test_days(key: str, found: str, hint: str) -> None:
    example = {"runs": "write it like this: runs: 90d", "artifacts": "write it like this: artifacts: 30d"}[key]
    problems = f"`{key}` is `{' '.join(found.split())}`, expected {DAYS} | {example if hint == 'EXAMPLE' else hint}"
    assert problems_of(f"keep:\n  {key}: '{found}'") == [f"3:{len(key) + 5}: {problems}"]


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        pytest.param("0", "the least is 1: the state before the present one", id="0"),
        pytest.param("101", MOST, id="101"),
        pytest.param("forever", MOST, id="forever"),
        pytest.param("all", MOST, id="all"),
        pytest.param("50 versions", "did you mean `50`?", id="versions"),
        pytest.param("010", "did you mean `10`?", id="zero"),
        pytest.param("30d", "states are counted, not timed", id="a time"),
        pytest.param("-1", MOST, id="-1"),
        pytest.param("few", "write it like this: states: 50", id="a word"),
        pytest.param(
            "{{ n }}", "write the value itself: nothing fills {{ n }} in the bucket's rules", id="placeholder"
        ),
    ],
)
def test_states(found: str, hint: str) -> None:
    assert problems_of(f"keep: {{states: '{found}'}}") == [f"2:16: `states` is `{found}`, expected {STATES} | {hint}"]


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        pytest.param("Advanced", "did you mean `advanced`?", id="capital"),
        pytest.param("standart", "did you mean `standard`?", id="misspelt"),
        pytest.param("8kb", TIERS, id="a size"),
        pytest.param("Intelligent-Tiering", TIERS, id="the third one"),
    ],
)
def test_tiers(found: str, hint: str) -> None:
    assert problems_of(f"params: {{tier: {found}}}") == [
        f"2:16: `tier` is `{found}`, expected standard or advanced | {hint}"
    ]


def test_every_fault_of_a_file_at_once() -> None:
    problems = problems_of("keep:\n  runs: 0\n  artifacts: 1m\n  states: 500\n  log: 1\nparams: {tier: big}\ncomand: a")
    assert [line.split(": ")[0] for line in problems] == ["3:9", "4:14", "5:11", "6:3", "7:16", "8:1"]


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        pytest.param("", Keep(runs=90, artifacts=30, states=50), id="nothing"),
        pytest.param("keep: {}", Keep(runs=90, artifacts=30, states=50), id="empty"),
        pytest.param("keep: {runs: 365d}", Keep(runs=365, artifacts=30, states=50), id="one"),
        pytest.param(
            "keep: {runs: 1, artifacts: 9999d, states: 100}", Keep(runs=1, artifacts=9999, states=100), id="all"
        ),
        pytest.param("keep: {runs: forever, artifacts: forever}", Keep(runs=None, artifacts=None), id="forever"),
        pytest.param("keep: {runs: '7', states: '1'}", Keep(runs=7, states=1), id="in quotes"),
    ],
)
def test_what_is_right(text: str, keep: Keep) -> None:
    assert load_text(text).keep == keep


def test_the_advanced_tier_only_when_asked() -> None:
    assert load_text("").params == Params(tier="standard")
    assert load_text("params: {tier: advanced}").params == Params(tier="advanced")


def test_editors_see_the_same_limits() -> None:
    keep = project_schema()["$defs"]["Keep"]["properties"]
    days = [{"maximum": 9999, "minimum": 1, "type": "integer"}, "^([1-9][0-9]{0,3}d?|forever)$"]
    for key in ("runs", "artifacts"):
        number, text = keep[key]["anyOf"]
        assert [number, text["pattern"]] == days
    number, text = keep["states"]["anyOf"]
    assert [number["minimum"], number["maximum"], text["pattern"]] == [1, 100, "^([1-9][0-9]?|100)$"]


def test_anything_is_told_in_our_words() -> None:
    chance = random.Random(5)
    letters, words = "07dwy.-+ ~{}", ["forever", "90d", "days", "inf", "1e3", "0x1f", "{{ a }}", "advanced", "٣"]
    for _ in range(1500):
        text = "".join(chance.choice([*letters, *words]) for _ in range(chance.randint(0, 5)))
        part, key = chance.choice([("keep", "runs"), ("keep", "artifacts"), ("keep", "states"), ("params", "tier")])
        written = chance.choice([f'"{text}"', f'["{text}"]', f'{{a: "{text}"}}', "7.5", "no", "[null]", "null"])
        line = f"{part}: {{{key}: {written}}}"
        check_words(line)
