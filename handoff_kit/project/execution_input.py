"""The input of an execution of a project's state machine: how its task differs from the task definition.

`invoke run` and schedules start the same machine with the same form of input (templates/state_machine.asl.json.j2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handoff_kit.resource_names import CONTAINER
from handoff_runtime import exact_json

SCHEDULE, EXECUTION = "HANDOFF_SCHEDULE", "HANDOFF_EXECUTION"
"""Variables of the container: the schedule that started it, and the execution, which the machine adds."""
SCHEDULER_KEYS = ("scheduled_at", "trigger")
"""Keys of the data of a run that a schedule adds to its own."""
_LONGEST_EXECUTION = 80
"""Characters of a name. AWS Step Functions API Reference, StartExecution."""


def execution_input(environment: Mapping[str, str], size: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Variables of the container; `Cpu` and `Memory` where the run has others than the task definition."""
    variables = [{"Name": name, "Value": text} for name, text in environment.items()]
    return {"environment": variables, "size": dict(size or {})}


def overrides_length(given: Mapping[str, Any]) -> int:
    """The characters of the overrides that the machine makes of an input, as ECS counts them."""
    texts = {EXECUTION: "x" * _LONGEST_EXECUTION, **{each["Name"]: each["Value"] for each in given["environment"]}}
    container = {"name": CONTAINER, "environment": [{"name": name, "value": text} for name, text in texts.items()]}
    size = {name.lower(): text for name, text in given["size"].items()}
    return len(json.dumps({"containerOverrides": [container], **size}))


@dataclass(frozen=True)
class RunInput:
    """What the input of an execution says of a run; `data` may hold secrets until it is masked."""

    trigger: str = ""
    schedule: str | None = None
    command: str = "run"
    data: Mapping[str, Any] = field(default_factory=dict)


def parse_input(text: str) -> RunInput:
    """The input of an execution, or what a dead letter holds of it; nothing is known of one that cannot be read."""
    try:
        found = json.loads(text)
        variables = {each["Name"]: each["Value"] for each in found["environment"]}
        data = exact_json.loads(variables.get("DATA") or "{}")
    except (ValueError, TypeError, KeyError, RecursionError):
        return RunInput()
    data = data if isinstance(data, dict) else {}
    schedule = variables.get(SCHEDULE)
    trigger = variables.get("TRIGGER") or data.get("trigger") or ("schedule" if schedule else "")
    return RunInput(str(trigger), schedule, variables.get("COMMAND", "run"), data)
