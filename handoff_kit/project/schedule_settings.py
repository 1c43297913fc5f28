"""When a project runs: an item of `schedules` in the project file."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints

from handoff_kit.project import suggestions
from handoff_kit.project.fields import Flag, Key, TextMapping, integer
from handoff_kit.project.patterns import MAX_WINDOW, SCHEDULE_NAME
from handoff_kit.scheduling.expression import KINDS, Kind, translate


class Schedule(BaseModel):
    """When the project runs; exactly one of `cron`, `rate` and `at`."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"oneOf": [{"required": [key]} for key in KINDS]}
    )

    name: Annotated[
        str,
        StringConstraints(pattern=SCHEDULE_NAME),
        Key("letters, digits, -, _ and ., at most 64", example="name: nightly", is_text=True),
    ] = Field(
        "default",
        description="The schedule's name, unique in the project: at most 64 letters, digits, `-`, `_` and `.`.",
        examples=["nightly"],
    )
    cron: Annotated[
        str | None,
        Key(
            "five or six fields of cron",
            example='cron: "0 2 * * *"',
            default="one of `cron`, `rate` and `at`",
            synonyms=("when", "expression", "schedule"),
        ),
    ] = Field(
        None,
        min_length=1,
        description="When, as five fields of cron (minute, hour, day, month, weekday), or six as AWS writes them, or "
        "`@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
        examples=["0 2 * * *", "@daily", "0 2 ? * MON-FRI *"],
    )
    rate: Annotated[
        str | None,
        Key(
            "a number of minutes, hours or days",
            example="rate: 15 minutes",
            default="one of the three",
            synonyms=("every", "interval"),
        ),
    ] = Field(
        None,
        min_length=1,
        description="How often: a number of minutes, hours or days, counted from when `invoke schedule` created it.",
        examples=["15 minutes"],
    )
    at: Annotated[
        str | None,
        Key("a time", example='at: "2027-01-31T06:00:00"', default="one of the three", synonyms=("once", "time")),
    ] = Field(
        None, min_length=1, description="Once: a time of `timezone`, to the second.", examples=["2027-01-31T06:00:00"]
    )
    timezone: Annotated[
        str,
        Key(
            "the IANA name of a time zone",
            example="timezone: Europe/Berlin",
            written="name of a time zone",
            synonyms=("tz", "zone"),
        ),
    ] = Field(
        "UTC",
        min_length=1,
        description="The time zone of `cron` and `at`, by its IANA name.",
        examples=["Europe/Berlin"],
    )
    data: Annotated[TextMapping, Key(example="data: {base: EUR}", synonyms=("input", "vars"))] = Field(
        default_factory=dict,
        description="The data of its runs: values for placeholders, as `--data` gives them.",
        examples=[{"base": "EUR"}],
    )
    enabled: Annotated[Flag, Key(example="enabled: false")] = Field(
        default=True, description="Whether it starts runs; with `false` it exists but is inactive.", examples=[False]
    )
    window: Annotated[
        StrictInt,
        Key(
            f"a number of minutes, 0 to {MAX_WINDOW}",
            example="window: 15",
            written="minutes",
            parse=integer(0, MAX_WINDOW),
            suggest=suggestions.window,
            synonyms=("flexible_window", "jitter"),
        ),
    ] = Field(
        0,
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
