"""Schedules told: the next times in their zone and in UTC, what the clocks do to them, and all that are in force."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from handoff_kit.remote.table import stamp, table
from handoff_kit.schedules import expression, kept, rate, times
from handoff_runtime.state import NONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from handoff_kit.aws.cloudformation.stack import StackDescription
    from handoff_kit.schedules.kept import Entry
    from handoff_kit.settings.schedule import Schedule

__all__ = ["Line", "lines", "next_times", "notes", "sharing", "table_of", "to_json"]

HEAD = ("SCHEDULE", "NEXT", "ZONE", "UTC")
LIST_HEAD = ("PROJECT", "ENVIRONMENT", "NAME", "WHEN", "TIMEZONE", "NEXT", "STATE")
COUNT = 5


def next_times(schedules: Iterable[Schedule], now: datetime) -> str:
    """The next five times of each, in its zone and in UTC; nothing where none has any."""
    rows = [(one.name, *_told(moment)) for one in schedules if one.enabled for moment in _coming(one, now).times]
    return table(HEAD, rows) if rows else ""


def notes(schedules: Iterable[Schedule], now: datetime) -> Iterator[str]:
    """What the table does not say: rates, what is not in force, and what the clocks do to a time."""
    for one in schedules:
        form = expression.of(one)
        if not one.enabled:
            yield f"schedule {one.name}: disabled (enabled: false); it starts nothing"
        elif times.is_rate(form):
            rule = "counted from when it is put in force; the first run at once"
            yield f"schedule {one.name}: every {_every(form)}, {rule}"
        else:
            yield from _clock(one, _coming(one, now))
            if not _coming(one, now).times:
                yield f"schedule {one.name}: over; {expression.written(one)} does not come again"


def sharing(schedules: Iterable[Schedule], mode: str) -> str:
    """A warning where schedules of one project differ in what they send and share where they came to; else nothing."""
    enabled = [one for one in schedules if one.enabled]
    other = next((one for one in enabled if one.data != enabled[0].data), None)
    if other is None or mode == NONE:
        return ""
    message = (
        f"schedules {enabled[0].name} and {other.name} have different data, and share one state, lock and artifacts"
    )
    why = "one continues where the other ended, and may send nothing"
    return f"warning: {message}: {why}\nhint: make a project of each; where the state is of no use, write `state: none`"


def _coming(one: Schedule, now: datetime) -> times.Coming:
    return times.coming(expression.of(one), one.timezone, now, COUNT)


def _told(moment: datetime) -> tuple[str, str, str]:
    """A time by its own clock, what that clock is called, and the same in UTC."""
    offset = moment.strftime("%z")
    name = moment.tzname() or ""
    shown = f"UTC{offset[:3]}:{offset[3:]}"
    zone = shown if name.startswith(("+", "-")) or name == "UTC" else f"{name} ({shown})"
    return f"{moment:%a %Y-%m-%d %H:%M:%S}", "UTC" if name == "UTC" else zone, stamp(moment)


def _every(form: str) -> str:
    """The length of a rate, without a number where that is one."""
    number, unit = form.removeprefix("rate(").removesuffix(")").split()
    return unit if number == "1" else f"{number} {unit}"


def _clock(one: Schedule, coming: times.Coming) -> Iterator[str]:
    rule = "a time that is skipped does not fire"
    if coming.skipped:
        yield f"schedule {one.name}: {_each(coming.skipped)} skipped by the clocks of {one.timezone}; {rule}"
    rule = "a time that comes twice fires the first time only"
    if coming.repeated:
        yield f"schedule {one.name}: {_each(coming.repeated)} shown twice by the clocks of {one.timezone}; {rule}"


def _each(moments: Sequence[datetime]) -> str:
    first, last = moments[0], moments[-1]
    if len(moments) == 1:
        return f"{first:%Y-%m-%d %H:%M} is"
    same_day = first.date() == last.date()
    return f"{len(moments)} times from {first:%Y-%m-%d %H:%M} to {last:{'%H:%M' if same_day else '%Y-%m-%d %H:%M'}} are"


@dataclass(frozen=True)
class Line:
    """A schedule in force, of whatever project; `next` is None where it has no next time that is known."""

    project: str
    environment: str
    entry: Entry
    next: datetime | None
    state: str


def lines(
    stacks: Iterable[StackDescription], now: datetime, *, project: str = "", environment: str = ""
) -> tuple[Line, ...]:
    """Every schedule of these stacks, or those of one project or environment, in the order of their names."""
    found = [_line(stack, entry, now) for stack in stacks for entry in kept.entries(stack)]
    wanted = [one for one in found if one.project == (project or one.project)]
    chosen = [one for one in wanted if one.environment == (environment or one.environment)]
    return tuple(sorted(chosen, key=lambda one: (one.project, one.environment, one.entry.name)))


def _line(stack: StackDescription, entry: Entry, now: datetime) -> Line:
    coming = times.coming(entry.expression, entry.timezone, now, 1).times
    over = not coming and not times.is_rate(entry.expression)
    state = "disabled" if not entry.enabled else "over" if over else "enabled"
    project, environment = (stack.tags.get(f"handoff:{name}", "-") for name in ("project", "environment"))
    shown = coming[0] if coming and entry.enabled else None
    return Line(project, environment, entry, shown, state if stack.is_sound else stack.status)


def table_of(found: Iterable[Line], now: datetime) -> str:
    """What a person reads."""
    return table(LIST_HEAD, [_row(one, now) for one in found])


def to_json(found: Iterable[Line]) -> str:
    """The same for a program: one JSON object a line."""
    return "".join(f"{json.dumps(_object(one), ensure_ascii=False)}\n" for one in found)


def _row(line: Line, now: datetime) -> tuple[str, ...]:
    entry = line.entry
    return (line.project, line.environment, entry.name, _when(entry), entry.timezone, _next(line, now), line.state)


def _when(entry: Entry) -> str:
    """The expression without AWS's brackets."""
    kind, _, rest = entry.expression.partition("(")
    return rest.removesuffix(")") if kind != "rate" else f"every {_every(entry.expression)}"


def _next(line: Line, now: datetime) -> str:
    if line.next:
        return f"{line.next:%a %Y-%m-%d %H:%M} {_told(line.next)[1].partition(' ')[0]} ({_in(line.next - now)})"
    if line.state == "enabled" and times.is_rate(line.entry.expression):
        return f"within {_every(line.entry.expression)}"
    return "-"


def _in(wait: timedelta) -> str:
    """How long it is till then, roughly."""
    minutes = int(wait.total_seconds()) // 60
    for size, unit in ((1440, "d"), (60, "h")):
        if minutes >= 2 * size:
            return f"in {minutes // size} {unit}"
    return f"in {minutes} m"


def _object(line: Line) -> dict[str, str | int | None]:
    entry = line.entry
    seconds = rate.turn(entry.expression).total_seconds() if times.is_rate(entry.expression) else None
    return {
        "project": line.project,
        "environment": line.environment,
        "name": entry.name,
        "expression": entry.expression,
        "timezone": entry.timezone,
        "next": line.next.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if line.next else None,
        "every_seconds": int(seconds) if seconds else None,
        "state": line.state,
    }
