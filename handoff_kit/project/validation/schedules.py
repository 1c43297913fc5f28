"""When a project runs: schedules without a time, with two, of one name, or of a time that nobody can keep."""

from __future__ import annotations

import re
from collections.abc import Iterator

from handoff_kit.project.model import PROJECT_FILE
from handoff_kit.project.patterns import SCHEDULE_NAME, matches
from handoff_kit.project.problem import describe_value
from handoff_kit.project.validation.fault import Fault, ProjectFileView, label, mapping
from handoff_kit.project.validation.keys import is_misspelt
from handoff_kit.project.validation.stages import bad_name
from handoff_kit.project.yaml_reader import Data, KeyPath
from handoff_kit.scheduling.expression import KINDS, expression_problem
from handoff_kit.scheduling.timezones import timezone_problem

_CRON = 'cron: "0 2 * * *"'
_LONGEST_NAME = 64
_UNNAMED = "default"


def several_times(outline: ProjectFileView) -> Iterator[Fault]:
    """Schedules with more than one time."""
    for trail, schedule in outline.schedules():
        found = [kind for kind in KINDS if kind in schedule]
        for other in found[1:]:
            message = f"found both `{found[0]}` and `{other}`, expected one of them"
            yield Fault((*trail, other), message, "make two schedules of it, each with a name", on_key=True)


def names(outline: ProjectFileView) -> Iterator[Fault]:
    """Names that a schedule cannot have."""
    for schedule_trail, schedule in outline.schedules():
        trail = (*schedule_trail, "name")
        name = schedule.get("name")
        if isinstance(name, str) and not matches(SCHEDULE_NAME, name):
            expected = PROJECT_FILE.at(trail).key.expected
            message = f"`name` is {describe_value(name)}, expected {expected} characters"
            legal = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-")[:_LONGEST_NAME]
            yield Fault(trail, message, f"for example: name: {legal or 'nightly'}")


def expressions(outline: ProjectFileView) -> Iterator[Fault]:
    """Times and time zones that are none; a time in an unknown zone is judged in UTC."""
    for trail, schedule in outline.schedules():
        zone = schedule.get("timezone")
        wrong_zone = isinstance(zone, str) and timezone_problem(zone)
        if wrong_zone:
            yield Fault((*trail, "timezone"), f"`timezone`: {wrong_zone[0]}", wrong_zone[1])
        known_zone = zone if isinstance(zone, str) and not wrong_zone else "UTC"
        for kind in KINDS:
            if isinstance(text := schedule.get(kind), str) and (wrong := expression_problem(kind, text, known_zone)):
                yield Fault((*trail, kind), f"`{kind}`: {wrong[0]}", wrong[1])


def data_names(outline: ProjectFileView) -> Iterator[Fault]:
    """Names in the data of a schedule's runs that no placeholder can have."""
    for trail, schedule in outline.schedules():
        for name in mapping(schedule.get("data")):
            yield from bad_name((*trail, "data", name), name, "a placeholder's name", on_key=True)


def without_time(outline: ProjectFileView) -> Iterator[Fault]:
    """Schedules with no time."""
    for trail, schedule in outline.schedules():
        if not schedule.keys() & set(KINDS) and not is_misspelt(schedule, trail, *KINDS):
            message = f"{label(trail)} has neither `cron`, `rate` nor `at`, expected one of them"
            yield Fault(trail, message, f"for example, every night at two: {_CRON}")


def repeated_names(outline: ProjectFileView) -> Iterator[Fault]:
    """Names that another schedule has."""
    first: dict[str, int] = {}
    for trail, schedule in outline.schedules():
        name, number = schedule.get("name", _UNNAMED), int(trail[1])
        if not isinstance(name, str) or not matches(SCHEDULE_NAME, name):
            continue
        if (earlier := first.setdefault(name.lower(), number)) != number:
            yield _taken(trail, schedule, earlier)


def _taken(trail: KeyPath, schedule: dict[str, Data], earlier: int) -> Fault:
    if "name" not in schedule:
        message = f"{label(trail)} has no name, and schedule {earlier + 1} is called `{_UNNAMED}`, as it would be"
        return Fault(trail, message, "give it a name: name: nightly")
    message = f"`{schedule['name']}` is the name of schedule {earlier + 1} too, expected a unique name"
    return Fault((*trail, "name"), message, f"for example: name: {schedule['name']}-2")
