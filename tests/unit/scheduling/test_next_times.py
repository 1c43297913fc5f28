"""The times at which a schedule fires: around real changes of clocks, and held against a walk from minute to minute."""

from __future__ import annotations

import calendar
import functools
import random
from datetime import date, datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from handoff_kit.project.schedule_settings import Schedule
from handoff_kit.scheduling.next_times import NextTimes, next_times

BERLIN, NEW_YORK, LORD_HOWE, UTC = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"


def after(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def wall_times(found: NextTimes) -> tuple[list[str], list[str], list[str]]:
    moments = (found.times, found.skipped, found.repeated)
    times, skipped, repeated = ([one.isoformat(timespec="minutes") for one in these] for these in moments)
    return times, skipped, repeated


@pytest.mark.parametrize(
    ("cron", "zone", "begin", "times", "skipped", "repeated"),
    [
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2027-03-27T00:00",
            ["2027-03-27T02:30+01:00", "2027-03-29T02:30+02:00", "2027-03-30T02:30+02:00"],
            ["2027-03-28T02:30+01:00"],
            [],
            id="a day's only time is skipped",
        ),
        pytest.param(
            "*/30 * * * *",
            BERLIN,
            "2027-03-28T00:10",
            ["2027-03-28T01:30+01:00", "2027-03-28T03:00+02:00", "2027-03-28T03:30+02:00"],
            ["2027-03-28T02:00+01:00", "2027-03-28T02:30+01:00"],
            [],
            id="two of many are skipped",
        ),
        pytest.param(
            "0 3 * * *",
            BERLIN,
            "2027-03-27T12:00",
            ["2027-03-28T03:00+02:00", "2027-03-29T03:00+02:00", "2027-03-30T03:00+02:00"],
            [],
            [],
            id="the first time after the gap",
        ),
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2027-10-30T12:00",
            ["2027-10-31T02:30+02:00", "2027-11-01T02:30+01:00", "2027-11-02T02:30+01:00"],
            [],
            ["2027-10-31T02:30+02:00"],
            id="a time that comes twice fires the first time",
        ),
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2027-10-31T00:31",
            ["2027-11-01T02:30+01:00", "2027-11-02T02:30+01:00", "2027-11-03T02:30+01:00"],
            [],
            [],
            id="between the two",
        ),
        pytest.param(
            "0 * * * *",
            BERLIN,
            "2027-10-30T23:30",
            ["2027-10-31T02:00+02:00", "2027-10-31T03:00+01:00", "2027-10-31T04:00+01:00"],
            [],
            ["2027-10-31T02:00+02:00"],
            id="every hour, and two hours once",
        ),
        pytest.param(
            "30 2 * * *",
            NEW_YORK,
            "2027-03-13T12:00",
            ["2027-03-15T02:30-04:00", "2027-03-16T02:30-04:00", "2027-03-17T02:30-04:00"],
            ["2027-03-14T02:30-05:00"],
            [],
            id="New York in spring",
        ),
        pytest.param(
            "30 1 * * *",
            NEW_YORK,
            "2027-11-06T12:00",
            ["2027-11-07T01:30-04:00", "2027-11-08T01:30-05:00", "2027-11-09T01:30-05:00"],
            [],
            ["2027-11-07T01:30-04:00"],
            id="New York in autumn",
        ),
        pytest.param(
            "*/15 1-2 * * *",
            LORD_HOWE,
            "2027-04-03T14:40",
            ["2027-04-04T01:45+11:00", "2027-04-04T02:00+10:30", "2027-04-04T02:15+10:30"],
            [],
            ["2027-04-04T01:45+11:00"],
            id="half an hour back",
        ),
        pytest.param(
            "15 2 * * *",
            LORD_HOWE,
            "2027-10-02T00:00",
            ["2027-10-04T02:15+11:00", "2027-10-05T02:15+11:00", "2027-10-06T02:15+11:00"],
            ["2027-10-03T02:15+10:30"],
            [],
            id="half an hour ahead",
        ),
        pytest.param(
            "30 2 * * *",
            UTC,
            "2027-03-28T02:30",
            ["2027-03-29T02:30+00:00", "2027-03-30T02:30+00:00", "2027-03-31T02:30+00:00"],
            [],
            [],
            id="UTC has one day like another; what is now is not to come",
        ),
        pytest.param("0 0 1 1 ? 2020-2022", UTC, "2027-01-01T00:00", [], [], [], id="years that are over"),
        pytest.param(
            "0 0 1 1 ? 2029,2040-2050/5",
            UTC,
            "2027-01-01T00:00",
            ["2029-01-01T00:00+00:00", "2040-01-01T00:00+00:00", "2045-01-01T00:00+00:00"],
            [],
            [],
            id="some years",
        ),
        pytest.param(
            "0 0 * 2 MON#5",
            UTC,
            "2027-01-01T00:00",
            ["2044-02-29T00:00+00:00", "2072-02-29T00:00+00:00", "2112-02-29T00:00+00:00"],
            [],
            [],
            id="a Monday 29 February",
        ),
    ],
)
def test_around_changes_of_clocks(
    cron: str, zone: str, begin: str, times: list[str], skipped: list[str], repeated: list[str]
) -> None:
    form = Schedule(cron=cron, timezone=zone).expression
    assert wall_times(next_times(form, zone, after(begin), 3)) == (times, skipped, repeated)


@pytest.mark.parametrize(
    ("begin", "times", "repeated"),
    [
        pytest.param("2027-10-31T00:29", ["2027-10-31T02:30+02:00"], ["2027-10-31T02:30+02:00"], id="to come"),
        pytest.param("2027-10-31T00:30", [], [], id="just over"),
    ],
)
def test_once(begin: str, times: list[str], repeated: list[str]) -> None:
    form = Schedule(at="2027-10-31 02:30", timezone=BERLIN).expression
    assert wall_times(next_times(form, BERLIN, after(begin))) == (times, [], repeated)


def test_a_rate_counts_from_when_it_was_made() -> None:
    assert next_times("rate(15 minutes)", UTC, after("2027-01-01T00:00")) == NextTimes(())


# against a walk from minute to minute

ZONES = (BERLIN, NEW_YORK, LORD_HOWE, UTC, "America/Sao_Paulo", "Asia/Kathmandu")
MOMENTS = (
    "2027-03-26T00:00",
    "2027-10-29T00:00",
    "2027-11-05T00:00",
    "2027-04-02T00:00",
    "2027-10-01T00:00",
    "2028-02-26T00:00",
)
STRETCH = timedelta(days=6)


def some_cron(chance: random.Random) -> str:
    """A cron expression, mostly of the hours in which clocks are changed."""
    minute = chance.choice(["0", "30", "*/15", "7-40/11", "59", "*/20,5", "15,45", "*"])
    hour = chance.choice(["2", "1-3", "*", "*/2", "0", "22-2", "1,2,3", "23"])
    day = chance.choice(["*", "*", "28", "1-7", "L", "LW", "*/2", "15W", "1W", "28W", "31", "5,29"])
    weekday = (
        chance.choice(["*", "SUN", "1-5", "5-7", "0", "6L", "0#1", "MON#5", "SAT-MON", "*/3"]) if day == "*" else "*"
    )
    return f"{minute} {hour} {day} {chance.choice(['*', '*', '*/2', 'OCT-APR', '3,4,10,11'])} {weekday}"


def is_due(moment: datetime, cron: str) -> bool:
    """By the rules of cron as they are written down, a field at a time."""
    minute, hour, day, month, weekday = cron.split()
    clock = {"minute": moment.minute, "hour": moment.hour, "month": moment.month}
    plain = all(
        _holds(text, clock[name], low, high)
        for name, text, low, high in (("minute", minute, 0, 59), ("hour", hour, 0, 23), ("month", month, 1, 12))
    )
    return plain and _is_day(moment.date(), day) and _is_weekday(moment.date(), weekday)


NAMES = {"SUN": 0, "MON": 1, "SAT": 6, "APR": 4, "OCT": 10}


@functools.cache
def _holds(text: str, value: int, low: int, high: int) -> bool:
    return any(_matches(item, value, low, high) for item in text.split(","))


def _matches(item: str, value: int, low: int, high: int) -> bool:
    bounds, _, step = item.partition("/")
    first, _, last = bounds.partition("-")
    if first == "*":
        return (value - low) % int(step or 1) == 0
    start = NAMES[first] if first in NAMES else int(first)
    end = (NAMES[last] if last in NAMES else int(last)) if last else high if step else start
    span = (end - start) % (high - low + 1) if end != start else 0
    distance = (value - start) % (high - low + 1)
    return distance <= span and distance % int(step or 1) == 0


@functools.cache
def _is_day(found: date, text: str) -> bool:
    last = calendar.monthrange(found.year, found.month)[1]
    if text in ("L", "LW"):
        return found == _near(found, last) if text == "LW" else found.day == last
    if text.endswith("W"):
        return found == _near(found, int(text[:-1]))
    return _holds(text, found.day, 1, 31)


def _near(found: date, day: int) -> date:
    """The working day of this month that is nearest to one of its days: by trying all of them."""
    length = calendar.monthrange(found.year, found.month)[1]
    working = [n for n in range(1, length + 1) if found.replace(day=n).weekday() < 5]
    return found.replace(day=min(working, key=lambda n: abs(n - day)))


@functools.cache
def _is_weekday(found: date, text: str) -> bool:
    number = found.isoweekday() % 7
    if text.endswith("L"):
        return number == int(text[:-1]) and (found + timedelta(days=7)).month != found.month
    if "#" in text:
        name, _, nth = text.partition("#")
        return number == (NAMES[name] if name in NAMES else int(name)) and (found.day - 1) // 7 + 1 == int(nth)
    if text == "5-7":
        return number in (5, 6, 0)
    return _holds(text, number, 0, 6)


@functools.cache
def clocks(zone: str, begin: datetime) -> list[tuple[datetime, datetime]]:
    """Every minute of UTC with what the clock shows then; what it shows a second time is left out."""
    place, earlier = ZoneInfo(zone), begin - timedelta(hours=3)  # what it showed just before
    minutes = range(int((begin + STRETCH - earlier) / timedelta(minutes=1)) + 1)
    shown: dict[datetime, datetime] = {}
    for moment in (earlier + timedelta(minutes=minute) for minute in minutes):
        shown.setdefault(moment.astimezone(place).replace(tzinfo=None, fold=0), moment)
    return [(moment, clock) for clock, moment in shown.items() if moment > begin]


def walked(cron: str, zone: str, begin: datetime, count: int) -> list[datetime]:
    """The first minutes at which it is due."""
    return list(islice((moment for moment, clock in clocks(zone, begin) if is_due(clock, cron)), count))


@pytest.mark.parametrize("seed", range(30))
def test_like_a_walk_from_minute_to_minute(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        cron, zone, begin = some_cron(chance), chance.choice(ZONES), after(chance.choice(MOMENTS))
        expected = walked(cron, zone, begin, 40)
        form = Schedule(cron=cron, timezone=zone).expression
        found = next_times(form, zone, begin, 40).times
        within = [one.astimezone(timezone.utc) for one in found if one <= begin + STRETCH]
        assert within == expected, (cron, form, zone, begin)
