"""The template of the schedule stack: one schedule of EventBridge Scheduler each, and the machine that they start."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from handoff_kit import resource_names
from handoff_kit.schedules import expression
from handoff_kit.schedules.inert import inert
from handoff_kit.schedules.kept import METADATA, entry, written
from handoff_kit.schedules.machine import machine
from handoff_kit.templates import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from handoff_kit.settings.deploy import Deploy
    from handoff_kit.settings.schedule import Schedule

__all__ = ["OURS", "schedule"]

OUTPUT = "Schedules"
MOST_OUTPUT = 1024  # bytes, which one value is kept below
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
"""Filled by EventBridge Scheduler:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html"""
OURS = {"scheduled_at": SCHEDULED_TIME, "trigger": "schedule"}
"""What a run of a schedule finds in its data besides what the project file gives it."""


def schedule(  # noqa: PLR0917  # what all templates are asked for
    root: Path, project: str, schedules: Sequence[Schedule], deploy: Deploy, stack: str, environment: str
) -> str:
    """The template of a project's schedules, in the order of their names."""
    ordered = sorted(schedules, key=lambda one: one.name)
    values = {
        "project": project,
        "environment": environment,
        "stack": stack,
        "names": _names(stack, environment),
        "deploy": deploy,
        "machine": json.dumps(machine(deploy, stack), indent=2),
        "schedules": [_values(one) for one in ordered],
        "metadata": METADATA,
        "kept": written(ordered),
        "outputs": list(_outputs(ordered)),
    }
    return render(root, "schedule.yml.j2", values)


def _names(stack: str, environment: str) -> dict[str, str]:
    return {
        "group": resource_names.schedule_group(stack),
        "machine": resource_names.state_machine(stack),
        "family": resource_names.family(stack),
        "queue": resource_names.dead_letters(stack),
        "role_path": resource_names.role_path(stack),
        "topic": resource_names.topic(environment),
    }


def _values(schedule: Schedule) -> dict[str, Any]:
    kind = expression.kind_of(schedule)
    return {
        "id": _logical_id(schedule.name),
        "name": schedule.name,
        "expression": expression.of(schedule),
        "timezone": None if kind == "rate" else schedule.timezone,
        "state": "ENABLED" if schedule.enabled else "DISABLED",
        "window": schedule.window,
        "input": _input(schedule),
    }


def _logical_id(name: str) -> str:
    """A name that CloudFormation takes, and that no other schedule has."""
    plain = re.sub("[^A-Za-z0-9]", "", name)
    return f"Schedule{plain}" + ("" if plain == name else hashlib.sha256(name.encode()).hexdigest()[:8])


def _input(schedule: Schedule) -> str:
    """The input: what the project file gives, of which nothing is filled in, and what AWS fills in."""
    theirs = inert({name: value for name, value in schedule.data.items() if name not in OURS})
    pairs = filter(None, (theirs[1:-1], json.dumps(OURS)[1:-1]))
    return f'{{"data": {{{", ".join(pairs)}}}}}'


def _outputs(schedules: Sequence[Schedule]) -> Iterator[tuple[str, str]]:
    """What DescribeStacks tells of them, in as many outputs as it takes."""
    chunks: list[list[Mapping[str, str]]] = [[]]
    for one in map(entry, schedules):
        if chunks[-1] and len(json.dumps([*chunks[-1], one]).encode()) > MOST_OUTPUT:
            chunks.append([])
        chunks[-1].append(one)
    for number, chunk in enumerate(chunks, 1):
        yield f"{OUTPUT}{number if number > 1 else ''}", json.dumps(chunk)
