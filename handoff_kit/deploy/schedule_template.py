"""The template of the schedule stack: the schedules of EventBridge Scheduler, which start its state machine.

A deployed stack holds its schedules twice: summaries in its outputs, which DescribeStacks returns for all stacks at
once, and complete in the metadata of its template, from which the next template is rendered.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import FAILED_CREATION, OWNER_TAGS, StackDescription
from handoff_kit.aws.cloudformation.template import parse_template, template_section
from handoff_kit.deploy.templates import boundary_arn
from handoff_kit.jinja import render_template
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.project.schedule_settings import Schedule, escape_references, schedule_input
from handoff_kit.scheduling.next_times import next_times

NOT_SCHEDULED = (FAILED_CREATION, "DELETE_IN_PROGRESS")
"""Statuses of a stack that has no schedules, or soon has none: a deployment creates no others."""
_METADATA = "Schedules"
_MAX_OUTPUT = 1024  # bytes of one output


@dataclass(frozen=True)
class ScheduleSummary:
    """A deployed schedule, as an output of its stack holds it; `state` is ENABLED or DISABLED."""

    name: str
    expression: str
    timezone: str
    state: str

    @property
    def enabled(self) -> bool:
        return self.state == "ENABLED"

    def next_time(self, now: datetime) -> datetime | None:
        """None where it is disabled or over, or a rate, which counts from its creation."""
        times = next_times(self.expression, self.timezone, now, 1).times if self.enabled else ()
        return times[0] if times else None


def render_schedule_template(  # noqa: PLR0917  # like the other templates of a project
    root: Path, project: str, schedules: Sequence[Schedule], deploy: Deploy, stack: str, environment: str
) -> str:
    """The template of a project's schedules, in the order of their names."""
    ordered = sorted(schedules, key=lambda schedule: schedule.name)
    values = {
        "project": project,
        "environment": environment,
        "stack": stack,
        "machine": resource_names.state_machine_arn(stack),
        "names": {
            "group": resource_names.schedule_group(stack),
            "queue": resource_names.dead_letters(stack),
            "role_path": resource_names.role_path(stack),
        },
        "alarms": {
            "MissedAlarm": {
                "name": resource_names.missed_alarm(stack),
                "metric": "InvocationsSentToDeadLetterCount",
                "why": f"queue {resource_names.dead_letters(stack)} has the event",
                "command": "invoke history --remote",
            },
            "LostAlarm": {  # the role of the schedules writes to the queue, so both fail without it
                "name": resource_names.lost_alarm(stack),
                "metric": "InvocationsFailedToBeSentToDeadLetterCount",
                "why": f"queue {resource_names.dead_letters(stack)} could not take the event",
                "command": "invoke verify",
            },
        },
        "deploy": deploy,
        "boundary": boundary_arn(deploy),
        "schedules": [_schedule_values(schedule) for schedule in ordered],
        "metadata": _METADATA,
        "kept": escape_references(
            [schedule.model_dump(exclude_defaults=True) | {"name": schedule.name} for schedule in ordered]
        ),
        "outputs": list(_outputs(ordered)),
    }
    return render_template(root, "schedule.yml.j2", values)


def _schedule_values(schedule: Schedule) -> dict[str, Any]:
    plain = re.sub("[^A-Za-z0-9]", "", schedule.name)
    unique = "" if plain == schedule.name else hashlib.sha256(schedule.name.encode()).hexdigest()[:8]
    return {
        "id": f"Schedule{plain}{unique}",
        "name": schedule.name,
        "expression": schedule.expression,
        "timezone": None if schedule.kind == "rate" else schedule.timezone,
        "state": summary(schedule).state,
        "window": schedule.window,
        "input": json.dumps(schedule_input(schedule.name, schedule.data)),
    }


def _outputs(schedules: Sequence[Schedule]) -> Iterator[tuple[str, str]]:
    """Names and values of the outputs: one or more, since an output is limited to 1024 bytes."""
    chunks: list[list[dict[str, str]]] = [[]]
    for entry in (asdict(summary(schedule)) for schedule in schedules):
        if chunks[-1] and len(json.dumps([*chunks[-1], entry]).encode()) > _MAX_OUTPUT:
            chunks.append([])
        chunks[-1].append(entry)
    for number, chunk in enumerate(chunks, 1):
        yield f"Schedules{number if number > 1 else ''}", json.dumps(chunk)


def summary(schedule: Schedule) -> ScheduleSummary:
    state = "ENABLED" if schedule.enabled else "DISABLED"
    return ScheduleSummary(schedule.name, schedule.expression, schedule.timezone, state)


def deployed_summaries(stack: StackDescription) -> tuple[ScheduleSummary, ...]:
    """The schedules in a stack's outputs, in the order of their names; none where the stack is not one of ours."""
    if "handoff:project" not in stack.tags:
        return ()
    texts = [text for name, text in stack.outputs.items() if re.fullmatch("Schedules[0-9]*", name)]
    try:
        entries = [entry for text in texts for entry in json.loads(text)]
        summaries = [
            ScheduleSummary(entry["name"], entry["expression"], entry["timezone"], entry["state"]) for entry in entries
        ]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()
    return tuple(sorted(summaries, key=lambda entry: entry.name))


def deployed_schedules(stack: StackDescription) -> tuple[Schedule, ...] | None:
    """The schedules in the metadata of a stack's template, which must have been read; None where it has none."""
    text = template_section(parse_template(stack.template), "Metadata").get(_METADATA)
    try:
        return tuple(Schedule.model_validate(entry) for entry in json.loads(str(text)))
    except (ValueError, TypeError, RecursionError):
        return None


def settings_of_schedules(stack: StackDescription) -> Deploy:
    """What a deployed stack, whose template must have been read, takes from `deploy`: tags and boundary."""
    resources = template_section(parse_template(stack.template), "Resources")
    boundary = None
    match resources.get("SchedulerRole"):
        case {"Properties": {"PermissionsBoundary": {"Fn::Sub": str(arn)}}}:
            boundary = arn.partition(":policy/")[2] if "${" in arn else arn
    tags = {name: text for name, text in stack.tags.items() if name not in OWNER_TAGS}
    return Deploy(tags=tags, permissions_boundary=boundary)
