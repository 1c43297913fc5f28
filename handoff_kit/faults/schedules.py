"""When a project runs: schedules without a time, with two, of one name, or of a time that nobody can keep."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.faults.fault import Fault, label, short, told
from handoff_kit.faults.keys import misspelt
from handoff_kit.faults.names import bad_name
from handoff_kit.faults.outline import mapping
from handoff_kit.forms import MAX_WINDOW, SCHEDULE_NAME, is_form
from handoff_kit.scheduling.expression import KINDS, expression_problem
from handoff_kit.scheduling.timezones import timezone_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.faults.outline import Outline
    from handoff_kit.scheduling.expression import Kind
    from handoff_kit.source import Data, Trail

_CRON = 'cron: "0 2 * * *"'
_DASHES = f"begin each with a dash: - {_CRON}"
_LONGEST_NAME = 64
_UNNAMED = "default"
SHAPES: dict[str, tuple[tuple[str, str], ...]] = {
    "schedules": (("a list of schedules", _DASHES), ("a schedule, a mapping", f"write it like this: - {_CRON}")),
    "name": ((f"letters, digits, -, _ and ., at most {_LONGEST_NAME}", "write it like this: name: nightly"),),
    "cron": (("five or six fields of cron", f"write it like this: {_CRON}"),),
    "rate": (("a number of minutes, hours or days", "write it like this: rate: 15 minutes"),),
    "at": (("a time", 'write it like this: at: "2027-01-31T06:00:00"'),),
    "timezone": (("the IANA name of a time zone", "write it like this: timezone: Europe/Berlin"),),
    "data": (
        ("a mapping of names and texts", "write it like this: data: {base: EUR}"),
        ("a text", "put it into quotes"),
    ),
    "enabled": (("true or false", "write it like this: enabled: false"),),
    "window": ((f"a number of minutes, 0 to {MAX_WINDOW}", "write it like this: window: 15"),),
}
_MINUTES = {
    **dict.fromkeys(("", "m", "min", "mins", "minute", "minutes"), 1),
    **dict.fromkeys(("h", "hour", "hours"), 60),
    **dict.fromkeys(("d", "day", "days"), 1440),
}
_NO_WINDOW = ("off", "no", "none", "false", "never")


def rewritten(trail: Trail, found: str) -> str | None:
    """How a text would be right that stands where schedules, one of them, or its window belongs."""
    text = found.strip()
    match trail:
        case ("schedules",) if kind := _kind(text):
            return f'write it like this: schedules: [{{{kind}: "{short(text)}"}}]'
        case ("schedules", int()) if kind := _kind(text):
            return f'write it like this: - {kind}: "{short(text)}"'
        case ("schedules", int(), "window"):
            return _window(text.lower())
    return None


def crowded(outline: Outline) -> Iterator[Fault]:
    """Schedules with more than one time."""
    for trail, schedule in outline.schedules():
        found = [kind for kind in KINDS if kind in schedule]
        for other in found[1:]:
            message = f"found both `{found[0]}` and `{other}`, expected one of them"
            yield Fault((*trail, other), message, "make two schedules of it, each with a name", on_key=True)


def expressions(outline: Outline) -> Iterator[Fault]:
    """Times that are none."""
    for trail, schedule in outline.schedules():
        zone = schedule.get("timezone")
        for kind in KINDS:
            if isinstance(text := schedule.get(kind), str) and (found := _judged(kind, text, zone)):
                message, hint = found
                yield Fault((*trail, kind), f"`{kind}`: {message}", hint)


def zones(outline: Outline) -> Iterator[Fault]:
    """Time zones that are none."""
    for trail, text in outline.schedule_texts("timezone"):
        if found := timezone_problem(text):
            message, hint = found
            yield Fault(trail, f"`timezone`: {message}", hint)


def data_names(outline: Outline) -> Iterator[Fault]:
    """Names in the data of a schedule's runs that no placeholder can have."""
    for trail, schedule in outline.schedules():
        for name in mapping(schedule.get("data")):
            yield from bad_name((*trail, "data", name), name, "a placeholder's name", on_key=True)


def whole(outline: Outline) -> Iterator[Fault]:
    """What is wrong with schedules as such: no time, or a name that is none or another's."""
    yield from _incomplete(outline)
    yield from _names(outline)


def _incomplete(outline: Outline) -> Iterator[Fault]:
    """Schedules with no time."""
    for trail, schedule in outline.schedules():
        if not schedule.keys() & set(KINDS) and not misspelt(schedule, outline.keys.schedule, *KINDS):
            message = f"{label(trail)} has neither `cron`, `rate` nor `at`, expected one of them"
            yield Fault(trail, message, f"for example, every night at two: {_CRON}")


def _names(outline: Outline) -> Iterator[Fault]:
    """Names that a schedule cannot have, and those that another one has."""
    first: dict[str, int] = {}
    for trail, schedule in outline.schedules():
        name, number = schedule.get("name", _UNNAMED), int(trail[1])
        if not isinstance(name, str):
            continue
        if not is_form(SCHEDULE_NAME, name):
            yield Fault((*trail, "name"), *_bad_name(name))
        elif (earlier := first.setdefault(name.lower(), number)) != number:
            yield _taken(trail, schedule, earlier)


def _judged(kind: Kind, text: str, zone: Data) -> tuple[str, str] | None:
    """What is wrong with an expression; a zone that is none is told by itself."""
    known = isinstance(zone, str) and not timezone_problem(zone)
    return expression_problem(kind, text, str(zone) if known else "UTC")


def _bad_name(name: str) -> tuple[str, str]:
    message = f"`name` is {told(name)}, expected {SHAPES['name'][0][0]} characters"
    legal = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-")[:_LONGEST_NAME]
    return message, f"for example: name: {legal or 'nightly'}"


def _taken(trail: Trail, schedule: dict[str, Data], earlier: int) -> Fault:
    if "name" not in schedule:
        message = f"{label(trail)} has no name, and schedule {earlier + 1} is called `{_UNNAMED}`, as it would be"
        return Fault(trail, message, "give it a name of its own: name: nightly")
    message = f"`{schedule['name']}` is the name of schedule {earlier + 1} too, expected one of its own"
    return Fault((*trail, "name"), message, f"for example: name: {schedule['name']}-2")


def _kind(text: str) -> str | None:
    """What a time alone is, if it is one."""
    return next((kind for kind in KINDS if expression_problem(kind, text, "UTC") is None), None)


def _window(text: str) -> str | None:
    if text in _NO_WINDOW:
        return "did you mean `0`?"
    found = re.fullmatch(r"([0-9]{1,9})\s*([a-z]*)", text)
    if not found or found[2] not in _MINUTES:
        return None
    minutes = int(found[1]) * _MINUTES[found[2]]
    return f"did you mean `{minutes}`?" if minutes <= MAX_WINDOW else f"the longest is {MAX_WINDOW}, a day"
