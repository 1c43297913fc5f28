"""What a deployed stack tells of its schedules: the outputs in short, its template's metadata as they were written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit.aws.cloudformation.template import parse_template, template_section
from handoff_kit.schedules import expression
from handoff_kit.schedules.inert import inert
from handoff_kit.settings.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handoff_kit.aws.cloudformation.stack import StackDescription

__all__ = ["METADATA", "Entry", "entries", "entry", "schedules", "written"]

METADATA = "Schedules"
OWNER = "handoff:project"
_OUTPUT = re.compile(r"Schedules[0-9]*")


@dataclass(frozen=True)
class Entry:
    """A deployed schedule in short; `expression` as AWS has it."""

    name: str
    expression: str
    timezone: str
    enabled: bool


def entry(schedule: Schedule) -> dict[str, str]:
    """A schedule as the outputs hold it."""
    return {
        "name": schedule.name,
        "expression": expression.of(schedule),
        "timezone": schedule.timezone,
        "state": "ENABLED" if schedule.enabled else "DISABLED",
    }


def entries(deployed: StackDescription) -> tuple[Entry, ...]:
    """The schedules of a stack by its outputs alone, in the order of their names; none where it is not one of ours."""
    if OWNER not in deployed.tags:
        return ()
    texts = [text for name, text in deployed.outputs.items() if _OUTPUT.fullmatch(name)]
    try:
        found = [one for text in texts for one in json.loads(text)]
        made = [Entry(one["name"], one["expression"], one["timezone"], one["state"] == "ENABLED") for one in found]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()
    return tuple(sorted(made, key=lambda one: one.name))


def written(schedules: Sequence[Schedule]) -> str:
    """Schedules as a template's metadata hold them: all that is needed to render them again."""
    return inert([one.model_dump(exclude_defaults=True) | {"name": one.name} for one in schedules])


def schedules(deployed: StackDescription) -> tuple[Schedule, ...] | None:
    """The schedules that a stack was made from; its template has to be read. None where that does not tell them."""
    text = template_section(parse_template(deployed.template), "Metadata").get(METADATA)
    try:
        return tuple(Schedule.model_validate(one) for one in json.loads(str(text)))
    except (ValueError, TypeError, RecursionError):
        return None
