"""The input of an execution of a project's state machine: how its task differs from the task definition.

`invoke run` and schedules start the same machine with the same form of input (templates/state_machine.asl.json.j2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handoff_kit.resource_names import CONTAINER

SCHEDULE, EXECUTION = "HANDOFF_SCHEDULE", "HANDOFF_EXECUTION"
"""Variables of the container: the schedule that started it, and the execution, which the machine adds."""
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
