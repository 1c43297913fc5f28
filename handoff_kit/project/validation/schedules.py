"""Rules for schedules: time, time zone, name, data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone

from handoff_kit.project.execution_input import overrides_length
from handoff_kit.project.model import PROJECT_FILE
from handoff_kit.project.patterns import MAX_OVERRIDES, SCHEDULE_NAME, matches
from handoff_kit.project.problem import describe_value
from handoff_kit.project.schedule_settings import schedule_input
from handoff_kit.project.validation.fault import Fault, label
from handoff_kit.project.validation.keys import is_misspelt
from handoff_kit.project.validation.stages import bad_name
from handoff_kit.project.yaml_reader import YamlFile
from handoff_kit.scheduling.expression import KINDS, expression_problem
from handoff_kit.scheduling.timezones import timezone_problem
from handoff_runtime.errors import UsageError
from handoff_runtime.placeholders import time_window

_CRON = 'cron: "0 2 * * *"'
_LONGEST_NAME = 64
_LATER = datetime(5000, 1, 1, tzinfo=timezone.utc)
_WINDOW = 'for example: data: {start_offset_days: "-7", duration_days: "7"}'
_UNNAMED = "default"


def several_times(source: YamlFile) -> Iterator[Fault]:
    """Schedules with more than one of cron, rate and at."""
    for key_path, schedule in source.mappings("schedules"):
        kinds = [kind for kind in KINDS if kind in schedule]
        for other in kinds[1:]:
            message = f"found both `{kinds[0]}` and `{other}`, expected one of them"
            yield Fault((*key_path, other), message, "make two schedules of it, each with a name", on_key=True)


def names(source: YamlFile) -> Iterator[Fault]:
    """Invalid names of schedules."""
    for schedule_path, schedule in source.mappings("schedules"):
        key_path = (*schedule_path, "name")
        name = schedule.get("name")
        if isinstance(name, str) and not matches(SCHEDULE_NAME, name):
            expected = PROJECT_FILE.at(key_path).key.expected
            message = f"`name` is {describe_value(name)}, expected {expected} characters"
            legal = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-")[:_LONGEST_NAME]
            yield Fault(key_path, message, f"for example: name: {legal or 'nightly'}")


def expressions(source: YamlFile) -> Iterator[Fault]:
    """Invalid expressions and time zones; in an invalid zone, the expression is read in UTC."""
    for key_path, schedule in source.mappings("schedules"):
        zone = schedule.get("timezone")
        zone_problem = isinstance(zone, str) and timezone_problem(zone)
        if zone_problem:
            yield Fault((*key_path, "timezone"), f"`timezone`: {zone_problem[0]}", zone_problem[1])
        known_zone = zone if isinstance(zone, str) and not zone_problem else "UTC"
        for kind in KINDS:
            if isinstance(text := schedule.get(kind), str) and (problem := expression_problem(kind, text, known_zone)):
                yield Fault((*key_path, kind), f"`{kind}`: {problem[0]}", problem[1])


def data_names(source: YamlFile) -> Iterator[Fault]:
    """Names under `data` that are invalid for placeholders."""
    for key_path, _ in source.mappings("schedules"):
        for name in source.mapping(*key_path, "data"):
            yield from bad_name((*key_path, "data", name), name, "a placeholder's name", on_key=True)


def data_lengths(source: YamlFile) -> Iterator[Fault]:
    """Data that a run on Fargate cannot be given, because they are too long."""
    for key_path, schedule in source.mappings("schedules"):
        given = schedule_input(str(schedule.get("name", "default")), source.mapping(*key_path, "data"))
        if (length := overrides_length(given)) > MAX_OVERRIDES:
            message = f"found {length:,} characters with all overrides of a run, expected at most {MAX_OVERRIDES:,}"
            yield Fault((*key_path, "data"), f"`data`: {message}", "put what is long into a file below files/")


def time_windows(source: YamlFile) -> Iterator[Fault]:
    """Data that leave no run a time window, neither now nor in future."""
    for key_path, _ in source.mappings("schedules"):
        data = {name: text for name, text in source.mapping(*key_path, "data").items() if isinstance(text, str)}
        problems = [_window_problem(data, moment) for moment in (datetime.now(timezone.utc), _LATER)]
        if all(problems) and (problem := problems[0]):
            where, _, message = problem.partition(": ")
            place = where.split(".")
            yield Fault((*key_path, *place), f"`{place[-1]}`: {message}", _WINDOW)


def _window_problem(data: Mapping[str, str], moment: datetime) -> str:
    try:
        time_window(data, moment)
    except UsageError as error:
        return error.message
    except OverflowError:
        return "data: a time window that leaves the years 1 to 9999 found, a nearer one expected"
    return ""


def without_time(source: YamlFile) -> Iterator[Fault]:
    """Schedules without cron, rate and at."""
    for key_path, schedule in source.mappings("schedules"):
        if not schedule.keys() & set(KINDS) and not is_misspelt(schedule, key_path, *KINDS):
            message = f"{label(key_path)} has neither `cron`, `rate` nor `at`, expected one of them"
            yield Fault(key_path, message, f"for example, every night at two: {_CRON}")


def repeated_names(source: YamlFile) -> Iterator[Fault]:
    """Repeated names of schedules."""
    first: dict[str, int] = {}
    for key_path, schedule in source.mappings("schedules"):
        name, number = schedule.get("name", _UNNAMED), int(key_path[1])
        if not isinstance(name, str) or not matches(SCHEDULE_NAME, name):
            continue
        earlier = first.setdefault(name.lower(), number)
        if earlier != number:
            if "name" in schedule:
                message = f"`{name}` is the name of schedule {earlier + 1} too, expected a unique name"
                yield Fault((*key_path, "name"), message, f"for example: name: {name}-2")
            else:
                default = f"schedule {earlier + 1} is called `{_UNNAMED}`, as it would be"
                message = f"{label(key_path)} has no name, and {default}"
                yield Fault(key_path, message, "give it a name: name: nightly")
