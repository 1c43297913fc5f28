"""Next times, notes and lists of schedules for people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.deploy.schedule_template import ScheduleSummary, deployed_summaries
from handoff_kit.project.schedule_settings import Schedule
from handoff_kit.scheduling.expression import is_rate, rate_interval
from handoff_kit.scheduling.next_times import NextTimes, next_times
from handoff_kit.text import json_lines, table, timestamp, wait
from handoff_runtime.state import NONE

_COUNT = 5


def next_times_table(schedules: Iterable[Schedule], now: datetime) -> str:
    """The next five times of each, in its zone and in UTC; empty where none has any."""
    rows = [
        (schedule.name, *_times_of(moment))
        for schedule in schedules
        if schedule.enabled
        for moment in _next(schedule, now).times
    ]
    return table(("SCHEDULE", "NEXT", "ZONE", "UTC"), rows) if rows else ""


def schedule_notes(schedules: Iterable[Schedule], now: datetime) -> Iterator[str]:
    """What the table does not hold: rates, disabled schedules, and times that the clocks skip or repeat."""
    for schedule in schedules:
        if not schedule.enabled:
            yield f"schedule {schedule.name}: disabled (enabled: false); it starts nothing"
        elif schedule.kind == "rate":
            rule = "counted from its creation; the first run starts at once"
            yield f"schedule {schedule.name}: every {_interval(schedule.expression)}, {rule}"
        else:
            coming = _next(schedule, now)
            if coming.skipped:
                skipped = f"{_moments(coming.skipped)} skipped by the clocks of {schedule.timezone}"
                yield f"schedule {schedule.name}: {skipped}; a time that is skipped does not fire"
            if coming.repeated:
                repeated = f"{_moments(coming.repeated)} shown twice by the clocks of {schedule.timezone}"
                yield f"schedule {schedule.name}: {repeated}; a time that comes twice fires the first time only"
            if not coming.times:
                yield f"schedule {schedule.name}: over; {schedule.text} does not come again"


def shared_state_warning(schedules: Iterable[Schedule], mode: str) -> str:
    """A warning where schedules of one project differ in their data and share its state; else empty."""
    enabled = [schedule for schedule in schedules if schedule.enabled]
    other = next((schedule for schedule in enabled if schedule.data != enabled[0].data), None)
    if other is None or mode == NONE:
        return ""
    message = (
        f"schedules {enabled[0].name} and {other.name} have different data, and share one state, lock and artifacts"
    )
    why = "one continues where the other ended, and may send nothing"
    return f"warning: {message}: {why}\nhint: make a project of each; where the state is of no use, write `state: none`"


def _next(schedule: Schedule, now: datetime) -> NextTimes:
    return next_times(schedule.expression, schedule.timezone, now, _COUNT)


def _times_of(moment: datetime) -> tuple[str, str, str]:
    """A time by its own clock, the name of that clock, and the time in UTC."""
    offset = moment.strftime("%z")
    name = moment.tzname() or ""
    offset_name = f"UTC{offset[:3]}:{offset[3:]}"
    zone = offset_name if name.startswith(("+", "-")) or name == "UTC" else f"{name} ({offset_name})"
    return f"{moment:%a %Y-%m-%d %H:%M:%S}", "UTC" if name == "UTC" else zone, timestamp(moment)


def _interval(expression: str) -> str:
    """The interval of a rate: `15 minutes`, `day`."""
    number, unit = expression.removeprefix("rate(").removesuffix(")").split()
    return unit if number == "1" else f"{number} {unit}"


def _moments(moments: Sequence[datetime]) -> str:
    first, last = moments[0], moments[-1]
    if len(moments) == 1:
        return f"{first:%Y-%m-%d %H:%M} is"
    same_day = first.date() == last.date()
    return f"{len(moments)} times from {first:%Y-%m-%d %H:%M} to {last:{'%H:%M' if same_day else '%Y-%m-%d %H:%M'}} are"


@dataclass(frozen=True)
class ListedSchedule:
    """A deployed schedule of any project; `next` is None where its next time is unknown."""

    project: str
    environment: str
    summary: ScheduleSummary
    next: datetime | None
    state: str


def list_schedules(
    stacks: Iterable[StackDescription], now: datetime, *, project: str = "", environment: str = ""
) -> tuple[ListedSchedule, ...]:
    """Every schedule of these stacks, or those of one project or environment, in the order of their names."""
    listed = []
    for stack in stacks:
        of_project, within = (stack.tags.get(f"handoff:{name}", "-") for name in ("project", "environment"))
        if project not in ("", of_project) or environment not in ("", within):
            continue
        for schedule in deployed_summaries(stack):
            next_time = schedule.next_time(now)
            over = not next_time and not is_rate(schedule.expression)
            state = "disabled" if not schedule.enabled else "over" if over else "enabled"
            state = state if stack.is_sound else stack.status
            listed.append(ListedSchedule(of_project, within, schedule, next_time, state))
    return tuple(sorted(listed, key=lambda each: (each.project, each.environment, each.summary.name)))


def schedules_table(schedules: Iterable[ListedSchedule], now: datetime) -> str:
    head = ("PROJECT", "ENVIRONMENT", "NAME", "WHEN", "TIMEZONE", "NEXT", "STATE")
    rows = []
    for listed in schedules:
        schedule, time = listed.summary, listed.next
        interval = _interval(schedule.expression) if is_rate(schedule.expression) else ""
        when = f"every {interval}" if interval else schedule.expression.partition("(")[2].removesuffix(")")
        if time:
            zone = _times_of(time)[1].partition(" ")[0]
            following = f"{time:%a %Y-%m-%d %H:%M} {zone} ({wait(time - now)})"
        else:
            following = f"within {interval}" if interval and listed.state == "enabled" else "-"
        names = (listed.project, listed.environment, schedule.name)
        rows.append((*names, when, schedule.timezone, following, listed.state))
    return table(head, rows)


def schedules_json(schedules: Iterable[ListedSchedule]) -> str:
    """One JSON object a line."""
    return json_lines(
        {
            "project": listed.project,
            "environment": listed.environment,
            "name": schedule.name,
            "expression": schedule.expression,
            "timezone": schedule.timezone,
            "next": timestamp(listed.next) if listed.next else None,
            "every_seconds": int(rate_interval(schedule.expression).total_seconds())
            if is_rate(schedule.expression)
            else None,
            "state": listed.state,
        }
        for listed in schedules
        for schedule in (listed.summary,)
    )
