"""Everything that can be wrong with `schedules` in a project file: problems with its place, in plain words."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from doubles.project_text import NO_VALUE, check_words, load_text, problems_of

from handoff_kit.project.schedule_settings import Schedule
from handoff_kit.scheduling.expression import expression_problem

if TYPE_CHECKING:
    from handoff_kit.scheduling.expression import Kind

CRON = 'cron: "0 2 * * *"'
KNOWN = "name, cron, rate, at, timezone, data, enabled, window"

KEYS = [
    pytest.param(
        "[{cron: '0 2 * * *', timezon: UTC, nam: a}]",
        [
            "2:33: `timezon` is not a known key of schedule 1 | did you mean `timezone`?",
            "2:47: `nam` is not a known key of schedule 1 | did you mean `name`?",
        ],
        id="misspelt",
    ),
    pytest.param(
        "[{cron: '0 2 * * *', description: a, xyz: b}]",
        [
            "2:33: `description` is not a known key of schedule 1 | `description` belongs to the whole project, at the left margin",
            f"2:49: `xyz` is not a known key of schedule 1 | known here: {KNOWN}",
        ],
        id="unknown",
    ),
    pytest.param(
        "[{every: 15 minutes, tz: UTC, jitter: 5}]",
        [
            "2:14: `every` is not a known key of schedule 1 | did you mean `rate`?",
            "2:33: `tz` is not a known key of schedule 1 | did you mean `timezone`?",
            "2:42: `jitter` is not a known key of schedule 1 | did you mean `window`?",
        ],
        id="other words",
    ),
    pytest.param(
        "[{cronn: '0 2 * * *'}]",
        ["2:14: `cronn` is not a known key of schedule 1 | did you mean `cron`?"],
        id="a misspelt time is no missing one",
    ),
    pytest.param(
        "[]\ncron: '0 2 * * *'\nschedule: daily\ntimezone: UTC",
        [
            "3:1: `cron` is not a known key | `cron` belongs to a schedule, under schedules",
            "4:1: `schedule` is not a known key | did you mean `schedules`?",
            "5:1: `timezone` is not a known key | `timezone` belongs to a schedule, under schedules",
        ],
        id="at the left margin",
    ),
]

LIST = f"begin each with a dash: - {CRON}"
SHAPES = [
    pytest.param(
        "{cron: '0 2 * * *'}", [f"2:12: `schedules` is a mapping, expected a list of schedules | {LIST}"], id="one"
    ),
    pytest.param("", [f"2:1: `schedules` has no value, expected a list of schedules | {NO_VALUE}"], id="nothing"),
    pytest.param(
        "0 2 * * *",
        [
            "2:12: `schedules` is `0 2 * * *`, expected a list of schedules | "
            'write it like this: schedules: [{cron: "0 2 * * *"}]'
        ],
        id="a cron",
    ),
    pytest.param("daily", [f"2:12: `schedules` is `daily`, expected a list of schedules | {LIST}"], id="a word"),
    pytest.param(
        "['@daily', 15 minutes, nightly, [a], null]",
        [
            '2:13: schedule 1 is `@daily`, expected a schedule, a mapping | write it like this: - cron: "@daily"',
            '2:23: schedule 2 is `15 minutes`, expected a schedule, a mapping | write it like this: - rate: "15 minutes"',
            f"2:35: schedule 3 is `nightly`, expected a schedule, a mapping | write it like this: - {CRON}",
            f"2:44: schedule 4 is a list, expected a schedule, a mapping | write it like this: - {CRON}",
            f"2:49: schedule 5 has no value, expected a schedule, a mapping | {NO_VALUE}",
        ],
        id="no mappings",
    ),
    pytest.param(
        "[{cron: [a], timezone: {a: b}, data: a, enabled: maybe, window: [1], name: }]",
        [
            f"2:20: `cron` is a list, expected five or six fields of cron | write it like this: {CRON}",
            "2:35: `timezone` is a mapping, expected the IANA name of a time zone | write it like this: timezone: Europe/Berlin",
            "2:49: `data` is `a`, expected a mapping of names and texts | write it like this: data: {base: EUR}",
            "2:61: `enabled` is `maybe`, expected true or false | write it like this: enabled: false",
            "2:76: `window` is a list, expected a number of minutes, 0 to 1440 | write it like this: window: 15",
            f"2:81: `name` has no value, expected letters, digits, -, _ and ., at most 64 | {NO_VALUE}",
        ],
        id="wrong types",
    ),
    pytest.param(
        "[{cron: '0 2 * * *', data: {a-b: 1, c: [d], e: }}]",
        [
            "2:40: `a-b` is not a placeholder's name, expected letters, digits and _, not beginning with a digit | for example: a_b",
            '2:51: `c` is a list, expected a text | write it as one text: c: "d"',
            f"2:56: `e` has no value, expected a text | {NO_VALUE}",
        ],
        id="data",
    ),
]

TIMES = [
    pytest.param(
        "[{name: a}, {}]",
        [
            f"2:13: schedule 1 has neither `cron`, `rate` nor `at`, expected one of them | for example, every night at two: {CRON}",
            f"2:24: schedule 2 has neither `cron`, `rate` nor `at`, expected one of them | for example, every night at two: {CRON}",
        ],
        id="none",
    ),
    pytest.param(
        "[{rate: 1 hour, cron: '0 2 * * *', at: '2027-01-31T06:00:00'}]",
        [
            "2:14: found both `cron` and `rate`, expected one of them | make two schedules of it, each with a name",
            "2:47: found both `cron` and `at`, expected one of them | make two schedules of it, each with a name",
        ],
        id="three",
    ),
]

NAMES = [
    pytest.param(
        "[{name: every night!, rate: 1 day}, {name: '', rate: 1 day}]",
        [
            "2:20: `name` is `every night!`, expected letters, digits, -, _ and ., at most 64 characters | "
            "for example: name: every-night",
            "2:55: `name` is empty, expected letters, digits, -, _ and ., at most 64 | write it like this: name: nightly",
        ],
        id="characters",
    ),
    pytest.param(
        f"[{{name: {65 * 'a'}, rate: 1 day}}]",
        [
            f"2:20: `name` is `{37 * 'a'}...`, expected letters, digits, -, _ and ., at most 64 characters | "
            f"for example: name: {64 * 'a'}"
        ],
        id="too long",
    ),
    pytest.param(
        "[{name: 7, rate: 1 day}]",
        [
            "2:20: `name` is a number, 7; expected letters, digits, -, _ and ., at most 64 | "
            'if it really is called so, put it into quotes: name: "7"'
        ],
        id="a number",
    ),
    pytest.param(
        "[{name: a, rate: 1 day}, {name: b, rate: 1 day}, {name: a, rate: 1 day}, {name: B, rate: 1 day}]",
        [
            "2:68: `a` is the name of schedule 1 too, expected a unique name | for example: name: a-2",
            "2:92: `B` is the name of schedule 2 too, expected a unique name | for example: name: B-2",
        ],
        id="twice",
    ),
    pytest.param(
        "[{rate: 1 day}, {rate: 2 days}, {name: default, rate: 1 day}]",
        [
            "2:28: schedule 2 has no name, and schedule 1 is called `default`, as it would be | "
            "give it a name: name: nightly",
            "2:51: `default` is the name of schedule 1 too, expected a unique name | for example: name: default-2",
        ],
        id="two without",
    ),
]


@pytest.mark.parametrize(("schedules", "problems"), [*KEYS, *SHAPES, *TIMES, *NAMES])
def test_problems(schedules: str, problems: list[str]) -> None:
    assert _problems(schedules) == problems


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        pytest.param("cron", "60 * * * *", id="cron"),
        pytest.param("cron", "* * *", id="three fields"),
        pytest.param("cron", "@dayly", id="preset"),
        pytest.param("cron", "", id="an empty cron"),
        pytest.param("rate", "15m", id="rate"),
        pytest.param("rate", "0 minutes", id="no rate"),
        pytest.param("at", "tomorrow", id="at"),
        pytest.param("at", "2027-02-30T06:00:00", id="a day that is none"),
        pytest.param("at", "2027-03-28T02:30:00", id="a time that the clocks skip"),
    ],
)
def test_times_that_are_none(kind: Kind, text: str) -> None:
    found = expression_problem(kind, text, "Europe/Berlin")
    assert found
    message, hint = found
    place = f"2:{len(kind) + 16}"
    assert _problems(f"[{{{kind}: '{text}', timezone: Europe/Berlin}}]") == [f"{place}: `{kind}`: {message} | {hint}"]


def test_a_time_of_a_zone_that_is_none_is_judged_in_utc() -> None:
    problems = _problems("[{at: '2027-03-28T02:30:00', timezone: Europe/Berln}]")
    assert [line.partition(": ")[0] for line in problems] == ["2:51"]


IANA = "expected an IANA time zone, like Europe/Berlin"


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        pytest.param("CET", "did you mean `Europe/Berlin`?", id="CET"),
        pytest.param("cest", "did you mean `Europe/Berlin`?", id="cest"),
        pytest.param("EST", "did you mean `America/New_York`?", id="EST"),
        pytest.param("PST8PDT", "did you mean `America/Los_Angeles`?", id="PST8PDT"),
        pytest.param("localtime", "did you mean `UTC`?", id="localtime"),
        pytest.param(
            "UTC+2",
            "name a place that has it, like Europe/Berlin; or, for the same offset all year, Etc/GMT-2",
            id="UTC+2",
        ),
        pytest.param(
            "-05:00",
            "name a place that has it, like Europe/Berlin; or, for the same offset all year, Etc/GMT+5",
            id="-05:00",
        ),
        pytest.param("GMT-13", "name a place that has it, like Europe/Berlin", id="GMT-13"),
        pytest.param("+05:30", "name a place that has it, like Europe/Berlin", id="+05:30"),
        pytest.param("UTC+0", "did you mean `UTC`?", id="UTC+0"),
    ],
)
def test_zones_that_are_no_place(found: str, hint: str) -> None:
    assert _zone(found) == [f"2:43: `timezone`: found `{found}`, {IANA} | {hint}"]


@pytest.mark.parametrize(
    ("found", "meant"),
    [
        pytest.param("Europe/berlin", "Europe/Berlin", id="case"),
        pytest.param("Europe/Berln", "Europe/Berlin", id="misspelt"),
        pytest.param("America/New York", "America/New_York", id="a blank"),
        pytest.param("Tokyo", "Asia/Tokyo", id="a city"),
        pytest.param(" UTC", "UTC", id="padded"),
    ],
)
def test_zones_that_are_meant(found: str, meant: str) -> None:
    assert [line.partition(" | ")[2] for line in _zone(found)] == [f"did you mean `{meant}`?"]


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Etc/GMT-2", "GMT", "Japan", "America/Argentina/Salta"]
)
def test_zones_that_there_are(zone: str) -> None:
    assert load_text(f"schedules: [{{cron: '0 2 * * *', timezone: {zone}}}]").schedules[0].timezone == zone


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        pytest.param("1h", "did you mean `60`?", id="an hour"),
        pytest.param("15 minutes", "did you mean `15`?", id="minutes"),
        pytest.param("1441", "the longest is 1440, a day", id="too long"),
        pytest.param("2 days", "the longest is 1440, a day", id="days"),
        pytest.param("off", "did you mean `0`?", id="off"),
        pytest.param("-1", "write it like this: window: 15", id="negative"),
        pytest.param("soon", "write it like this: window: 15", id="a word"),
    ],
)
def test_windows(found: str, hint: str) -> None:
    problems = _problems(f"[{{rate: 1 hour, window: '{found}'}}]")
    assert problems == [f"2:36: `window` is `{found}`, expected a number of minutes, 0 to 1440 | {hint}"]


FILLED = "which nothing fills before a run | write the value itself; placeholders are filled when the pipeline runs"


@pytest.mark.parametrize(
    ("schedule", "problems"),
    [
        pytest.param("cron: '{{ x }}'", f"2:20: `cron` holds {{{{ x }}}}, {FILLED}", id="cron"),
        pytest.param("rate: '{{ x }} hours'", f"2:20: `rate` holds {{{{ x }}}}, {FILLED}", id="rate"),
        pytest.param("rate: 1 day, name: 'a-{{x}}'", f"2:33: `name` holds {{{{x}}}}, {FILLED}", id="name"),
        pytest.param(
            "rate: 1 day, timezone: '{{ tz }}'", f"2:37: `timezone` holds {{{{ tz }}}}, {FILLED}", id="timezone"
        ),
        pytest.param("rate: 1 day, enabled: '{{ on }}'", f"2:36: `enabled` holds {{{{ on }}}}, {FILLED}", id="enabled"),
    ],
)
def test_placeholders(schedule: str, problems: str) -> None:
    assert _problems(f"[{{{schedule}}}]") == [problems]


def test_every_fault_of_a_file_at_once() -> None:
    problems = _problems(
        "\n  - cron: a\n    timezone: b\n    data: c\n    enabled: d\n    window: e\n    name: f g\n    h: i\n"
        "  - {}\n  - j\ncomand: k"
    )
    assert [line.split(": ")[0] for line in problems] == [
        "3:11", "4:15", "5:11", "6:14", "7:13", "8:11", "9:5", "10:5", "11:5", "12:1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "schedules"),
    [
        pytest.param("", (), id="nothing"),
        pytest.param("schedules: []", (), id="none"),
        pytest.param(
            "schedules:\n  - cron: 0 2 * * *\n    timezone: Europe/Berlin",
            (Schedule(name="default", cron="0 2 * * *", timezone="Europe/Berlin"),),
            id="cron",
        ),
        pytest.param(
            "schedules:\n  - {name: a, cron: '@daily'}\n  - {name: b, cron: 0 2 ? * MON-FRI *}",
            (Schedule(name="a", cron="@daily"), Schedule(name="b", cron="0 2 ? * MON-FRI *")),
            id="preset and six fields",
        ),
        pytest.param(
            "schedules:\n  - {rate: 15 minutes, enabled: no, window: 1440, data: {a: 7, b: yes, c: '{{ d }}'}}",
            (Schedule(rate="15 minutes", enabled=False, window=1440, data={"a": "7", "b": "yes", "c": "{{ d }}"}),),
            id="rate",
        ),
        pytest.param(
            "schedules:\n  - {name: A_b.c-1, at: 2027-01-31T06:00:00, window: '0'}",
            (Schedule(name="A_b.c-1", at="2027-01-31T06:00:00"),),
            id="at",
        ),
    ],
)
def test_what_is_right(text: str, schedules: tuple[Schedule, ...]) -> None:
    assert load_text(text).schedules == schedules


WINDOW = 'for example: data: {start_offset_days: "-7", duration_days: "7"}'


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        pytest.param(
            f"{{a: {8100 * 'b'}}}",
            [
                "2:33: `data`: found 8,461 characters with all overrides of a run, expected at most 8,192 | "
                "put what is long into a file below files/"
            ],
            id="long",
        ),
        pytest.param(f"{{a: {7800 * 'b'}}}", [], id="not too long"),
        pytest.param(
            "{start_at: 2026-02-01, end_at: 2026-01-01}",
            [
                "2:33: `data`: start_at 2026-02-01T00:00:00Z and end_at 2026-01-01T00:00:00Z found, "
                f"a start before the end expected | {WINDOW}"
            ],
            id="start after end",
        ),
        pytest.param(
            "{start_at: soon}",
            [
                "2:44: `start_at`: 'soon' found, a time like 2026-01-31T00:00:00 or 2026-01-31T00:00:00Z expected | "
                + WINDOW
            ],
            id="no time",
        ),
        pytest.param(
            "{start_offset_days: -9999999}",
            [f"2:33: `data`: a time window that leaves the years 1 to 9999 found, a nearer one expected | {WINDOW}"],
            id="too far",
        ),
        pytest.param("{start_offset_days: -7, duration_days: 7}", [], id="a week"),
        pytest.param("{start_at: 2999-01-01}", [], id="from later on"),
        pytest.param("{end_at: 2999-01-01}", [], id="until later"),
    ],
)
def test_data_that_no_run_can_have(data: str, problems: list[str]) -> None:
    assert _problems(f"[{{rate: 1 day, data: {data}}}]") == problems


def test_anything_is_told_in_our_words() -> None:
    chance = random.Random(9)
    letters = "0259*/,-?#LW@:T+ aA_.{}~"
    words = ["MON", "@daily", "minutes", "2027-01-31", "Europe/", "UTC", "{{ a }}", "cron(", ")", "24", "٣"]
    for _ in range(1200):
        text = "".join(chance.choice([*letters, *words]) for _ in range(chance.randint(0, 8)))
        written = chance.choice(
            [f'"{text}"', f'"{text}"', f'["{text}"]', f'{{a: "{text}"}}', "7.5", "no", "[null]", "null"]
        )
        line = f"[{{{chance.choice(list(Schedule.model_fields))}: {written}}}]"
        check_words(f"schedules: {line}")


def _zone(found: str) -> list[str]:
    return _problems(f"[{{cron: '0 2 * * *', timezone: '{found}'}}]")


def _problems(schedules: str) -> list[str]:
    return problems_of(f"schedules: {schedules}")
