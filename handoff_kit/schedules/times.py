"""The times at which a schedule fires, as EventBridge Scheduler counts them.

A time of the day that the clocks skip in spring does not fire; one that comes twice in autumn fires the first time:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from cronsim import CronSim

from handoff_kit.schedules import once
from handoff_kit.schedules.zone import zone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, tzinfo

__all__ = ["Coming", "coming", "is_rate"]

_NEAR = re.compile(r"([0-9]+)W")
_SATURDAY = 5
_AS_FAR = 100  # years in which what comes at all comes: the 29th of February on a certain weekday, every 28


@dataclass(frozen=True)
class Coming:
    """The next times, in their zone, and those on the way to the last of them that the clocks skip or repeat."""

    times: tuple[datetime, ...]
    skipped: tuple[datetime, ...] = ()
    repeated: tuple[datetime, ...] = ()


def coming(expression: str, timezone: str, after: datetime, count: int = 5) -> Coming:
    """The next times of an expression in AWS's form; none for a rate, which counts from when it was made."""
    if is_rate(expression):
        return Coming(())
    if expression.startswith("at("):
        moment = once.moment(expression, timezone)
        return _judged(iter([moment.replace(tzinfo=None)]), zone(timezone), after, count)
    place = zone(timezone)
    begin = after.astimezone(place).replace(tzinfo=None, fold=0) - timedelta(days=1)
    return _judged(_clock(expression, begin), place, after, count)


def is_rate(expression: str) -> bool:
    """Whether its times follow from when it was made."""
    return expression.startswith("rate(")


def _judged(clock: Iterator[datetime], place: tzinfo, after: datetime, count: int) -> Coming:
    """What becomes of the times that a clock on the wall shows."""
    times, skipped, repeated = list[datetime](), list[datetime](), list[datetime]()
    for shown in clock:
        moment = shown.replace(tzinfo=place)
        if moment.astimezone(timezone.utc) <= after:
            continue
        if _is_skipped(moment):
            skipped.append(moment)
            continue
        times.append(moment)
        if moment.utcoffset() != moment.replace(fold=1).utcoffset():
            repeated.append(moment)
        if len(times) == count:
            break
    return Coming(tuple(times), tuple(skipped), tuple(repeated))


def _is_skipped(moment: datetime) -> bool:
    """Whether no clock of its zone ever shows it."""
    return moment.astimezone(timezone.utc).astimezone(moment.tzinfo).replace(tzinfo=None) != moment.replace(tzinfo=None)


def _clock(expression: str, begin: datetime) -> Iterator[datetime]:
    """The times after `begin` that a cron expression names, without a thought of zones."""
    minute, hour, day, month, weekday, year = expression.removeprefix("cron(").removesuffix(")").split()
    near = _NEAR.fullmatch(day)
    days = _around(int(near[1])) if near else day.replace("?", "*")
    fields = f"{minute} {hour} {days} {month} {_weekday(weekday)}"
    for first, last in _years(year, begin):
        for found in _between(fields, max(begin, first), last):
            if near is None or found.day == _nearest(found.date(), int(near[1])):
                yield found


def _between(fields: str, begin: datetime, last: int) -> Iterator[datetime]:
    """As cronsim counts, to the end of a year; it gives up after fifty."""
    for found in CronSim(fields, begin):
        if found.year > last:
            return
        yield found


def _years(text: str, begin: datetime) -> Iterator[tuple[datetime, int]]:
    """Stretches of years: from what moment on, and the last year."""
    if text == "*":
        yield begin, begin.year + _AS_FAR
        return
    for year in sorted(set(_listed(text))):
        if year >= begin.year:
            yield datetime(year, 1, 1) - timedelta(seconds=1), year  # noqa: DTZ001  # a wall clock


def _listed(text: str) -> Iterator[int]:
    for item in text.split(","):
        bounds, _, step = item.partition("/")
        first, _, last = bounds.partition("-")
        end = int(last) if last else 2199 if step else int(first)
        yield from range(int(first), end + 1, int(step or 1))


def _weekday(text: str) -> str:
    """Days 1 to 7 of AWS, where they are numbers, as cron's 0 to 6; FRI and the like are the same."""
    return re.sub(r"^[1-7](?=[L#])", lambda found: str(int(found[0]) - 1), text.replace("?", "*"))


def _around(day: int) -> str:
    """The days of the month among which the weekday nearest to a day is."""
    return f"{max(1, day - 2)}-{min(31, day + 2)}"


def _nearest(found: date, day: int) -> int:
    """The day of the weekday nearest to a day, in the same month."""
    weekday = found.replace(day=day).weekday()
    if weekday < _SATURDAY:
        return day
    last = monthrange(found.year, found.month)[1]
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    return day + 1 if day < last else day - 2
