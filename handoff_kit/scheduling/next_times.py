"""The next times of a schedule, as EventBridge Scheduler counts them.

A time of the day that the clocks skip in spring does not fire; one that comes twice in autumn fires the first time:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo

from cronsim import CronSim

from handoff_kit.scheduling.cron import YEAR
from handoff_kit.scheduling.expression import at_time, is_rate, is_skipped
from handoff_kit.scheduling.timezones import zone_of

_SATURDAY = 5
_YEARS = 100  # what comes at all comes within so many: the 29th of February on a certain weekday comes every 28


@dataclass(frozen=True)
class NextTimes:
    """The next times, in their zone, and those on the way to the last of them that the clocks skip or repeat."""

    times: tuple[datetime, ...]
    skipped: tuple[datetime, ...] = ()
    repeated: tuple[datetime, ...] = ()


def next_times(expression: str, timezone: str, after: datetime, count: int = 5) -> NextTimes:
    """The next times of an expression as AWS writes it; none for a rate, which counts from when it was created."""
    if is_rate(expression):
        return NextTimes(())
    zone = zone_of(timezone)
    if expression.startswith("at("):
        return _apply_dst(iter([at_time(expression, timezone).replace(tzinfo=None)]), zone, after, count)
    begin = after.astimezone(zone).replace(tzinfo=None, fold=0) - timedelta(days=1)
    return _apply_dst(_occurrences(expression, begin), zone, after, count)


def _apply_dst(wall_times: Iterator[datetime], zone: tzinfo, after: datetime, count: int) -> NextTimes:
    """The first `count` wall times after a moment, without those that the clocks skip."""
    times, skipped, repeated = list[datetime](), list[datetime](), list[datetime]()
    for local in wall_times:
        moment = local.replace(tzinfo=zone)
        if moment.astimezone(timezone.utc) <= after:
            continue
        if is_skipped(moment):
            skipped.append(moment)
            continue
        times.append(moment)
        if moment.utcoffset() != moment.replace(fold=1).utcoffset():
            repeated.append(moment)
        if len(times) == count:
            break
    return NextTimes(tuple(times), tuple(skipped), tuple(repeated))


def _occurrences(expression: str, begin: datetime) -> Iterator[datetime]:
    """The times after `begin` that a cron expression names, on a wall clock without daylight saving time."""
    fields = expression.removeprefix("cron(").removesuffix(")").replace("?", "*")
    minute, hour, day, month, weekday, year = fields.split()
    nearest = re.fullmatch(r"([0-9]+)W", day)
    if nearest:  # the weekday nearest to a day is at most two days away
        day = f"{max(1, int(nearest[1]) - 2)}-{min(31, int(nearest[1]) + 2)}"
    # AWS counts weekdays from 1, cron from 0; names are the same
    weekday = re.sub(r"^[1-7](?=[L#])", lambda number: str(int(number[0]) - 1), weekday)
    for first, last in _years(year, begin):
        for moment in CronSim(f"{minute} {hour} {day} {month} {weekday}", max(begin, first)):
            if moment.year > last:  # cronsim gives up after fifty years
                break
            if nearest is None or moment.day == _nearest_weekday(moment.date(), int(nearest[1])):
                yield moment


def _years(text: str, begin: datetime) -> Iterator[tuple[datetime, int]]:
    """The ranges of years to search: the time just before each, and its last year."""
    if text == "*":
        yield begin, begin.year + _YEARS
        return
    for year in YEAR.values(text, text):
        if year >= begin.year:
            yield datetime(year, 1, 1) - timedelta(seconds=1), year  # noqa: DTZ001  # a wall clock


def _nearest_weekday(month: date, day: int) -> int:
    """The day of the weekday nearest to a day, in the same month."""
    weekday = month.replace(day=day).weekday()
    if weekday < _SATURDAY:
        return day
    last = monthrange(month.year, month.month)[1]
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    return day + 1 if day < last else day - 2
