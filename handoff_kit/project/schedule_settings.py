"""When a project runs: an item of `schedules` in the project file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, StrictInt

from handoff_kit.project import suggestions
from handoff_kit.project.execution_input import SCHEDULE, execution_input
from handoff_kit.project.fields import Flag, TextMapping, declare, integer
from handoff_kit.project.patterns import MAX_WINDOW, SCHEDULE_NAME
from handoff_kit.scheduling.expression import KINDS, Kind, translate

SCHEDULER_DATA = {"scheduled_at": "<aws.scheduler.scheduled-time>", "trigger": "schedule"}
"""The data of each run besides that of the project file. EventBridge Scheduler fills in the time:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html"""


def schedule_input(name: str, data: Mapping[str, object]) -> dict[str, Any]:
    """The input of the executions that a schedule starts; the Scheduler fills in our own part of its data alone."""
    own = {key: value for key, value in data.items() if key not in SCHEDULER_DATA}
    pairs = filter(None, (escape_references(own)[1:-1], json.dumps(SCHEDULER_DATA)[1:-1]))
    return execution_input({"DATA": f"{{{', '.join(pairs)}}}", SCHEDULE: name})


def escape_references(value: object) -> str:
    """A value as ASCII JSON without anything that AWS would substitute.

    CloudFormation fills in `{{resolve:...}}` and `${...}`, EventBridge Scheduler `<aws.scheduler...>`, and YAML takes
    no control characters. None of these occurs in JSON outside of a string, where each may be escaped.
    """
    text = json.dumps(value)
    for sign, escaped in {"{{": "\\u007b\\u007b", "${": "\\u0024{", "<": "\\u003c", "\x7f": "\\u007f"}.items():
        text = text.replace(sign, escaped)
    return text


class Schedule(
    BaseModel, extra="forbid", frozen=True, json_schema_extra={"oneOf": [{"required": [key]} for key in KINDS]}
):
    """When the project runs; exactly one of `cron`, `rate` and `at`."""

    name: str = declare(
        "default",
        "letters, digits, -, _ and ., at most 64",
        pattern=SCHEDULE_NAME,
        is_text=True,
        description="The schedule's name, unique in the project: at most 64 letters, digits, `-`, `_` and `.`.",
        examples=["nightly"],
    )
    cron: str | None = declare(
        None,
        "five or six fields of cron",
        min_length=1,
        default_text="one of `cron`, `rate` and `at`",
        synonyms=("when", "expression", "schedule"),
        description="When, as five fields of cron (minute, hour, day, month, weekday), or six as AWS writes them, or "
        "`@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
        examples=["0 2 * * *", "@daily", "0 2 ? * MON-FRI *"],
    )
    rate: str | None = declare(
        None,
        "a number of minutes, hours or days",
        min_length=1,
        example="rate: 15 minutes",
        default_text="one of the three",
        synonyms=("every", "interval"),
        description="How often: a number of minutes, hours or days, counted from when `invoke schedule` created it.",
        examples=["15 minutes"],
    )
    at: str | None = declare(
        None,
        "a time",
        min_length=1,
        default_text="one of the three",
        synonyms=("once", "time"),
        description="Once: a time of `timezone`, to the second.",
        examples=["2027-01-31T06:00:00"],
    )
    timezone: str = declare(
        "UTC",
        "the IANA name of a time zone",
        min_length=1,
        written="name of a time zone",
        synonyms=("tz", "zone"),
        description="The time zone of `cron` and `at`, by its IANA name.",
        examples=["Europe/Berlin"],
    )
    data: TextMapping = declare(
        default_factory=dict,
        synonyms=("input", "vars"),
        description="The data of its runs: values for placeholders, as `--data` gives them.",
        examples=[{"base": "EUR"}],
    )
    enabled: Flag = Field(
        default=True, description="Whether it starts runs; with `false` it exists but is inactive.", examples=[False]
    )
    window: StrictInt = declare(
        0,
        f"a number of minutes, 0 to {MAX_WINDOW}",
        written="minutes",
        parse=integer(0, MAX_WINDOW),
        suggest=suggestions.window,
        synonyms=("flexible_window", "jitter"),
        description="Minutes within which a run may begin late, so that not all begin at once: 0 (none) to "
        f"{MAX_WINDOW}.",
        examples=[15],
    )

    @property
    def kind(self) -> Kind:
        """The key that says when it runs."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def text(self) -> str:
        """The value of that key, as written in the project file."""
        return str(getattr(self, self.kind))

    @property
    def expression(self) -> str:
        """The expression as EventBridge Scheduler takes it."""
        return translate(self.kind, self.text, self.timezone)
