"""The schedules that are to be in force: what the project file says, or what is with one more that was asked for."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handoff_kit import params as documents
from handoff_kit.errors import ProjectError
from handoff_kit.fargate import overrides, secrets
from handoff_kit.faults import timezones
from handoff_kit.names import nearest
from handoff_kit.remote.names import CONTAINER
from handoff_kit.schedules import expression, times
from handoff_kit.schedules.template import OURS
from handoff_kit.schedules.zone import zone
from handoff_kit.settings.patterns import SCHEDULE_NAME, is_form, is_name
from handoff_kit.settings.schedule import Schedule
from handoff_runtime.store import ConfigFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from handoff_kit.names import ProjectPlace
    from handoff_kit.project import Project

__all__ = ["Words", "added", "check", "check_secrets", "declared", "given", "without"]

UNNAMED, UTC = "default", "UTC"


@dataclass(frozen=True)
class Words:
    """What was given on the command line for one schedule, as texts."""

    name: str = ""
    cron: str = ""
    rate: str = ""
    at: str = ""
    timezone: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def times(self) -> dict[expression.Kind, str]:
        """Those of the three that were given."""
        return {kind: text for kind in expression.KINDS if (text := getattr(self, kind))}

    @property
    def flags(self) -> str:
        """The same as one would type it again."""
        texts = {name: getattr(self, name) for name in ("name", "cron", "rate", "at", "timezone")}
        texts["data"] = json.dumps(dict(self.data), ensure_ascii=False) if self.data else ""
        return "".join(f" --{name} {shlex.quote(text)}" for name, text in texts.items() if text)


def given(words: Words) -> Schedule | None:
    """The one that was asked for by flags; None where none was."""
    if not words.times:
        _refuse_idle(words)
        return None
    if len(words.times) > 1:
        first, other, *_ = words.times
        message = f"--{other}: found together with --{first}, expected one of --cron, --rate and --at"
        raise ProjectError(message, "make two schedules of it, each with a --name")
    kind, text = next(iter(words.times.items()))
    place = _zone(words.timezone)
    if found := expression.problem(kind, text, place):
        raise ProjectError(f"--{kind}: {found[0]}", found[1])
    return Schedule(name=_name(words.name), timezone=place, data=_texts(words.data), **{kind: text})


def declared(loaded: Project, place: ProjectPlace, options: str) -> tuple[Schedule, ...]:
    """Those of the project file; an error where it has none."""
    if loaded.schedules:
        return loaded.schedules
    snippet = 'schedules: [{name: nightly, cron: "0 2 * * *", timezone: Europe/Berlin}]'
    hint = f"put into it: {snippet}; or, without: invoke schedule {options} --cron '0 2 * * *'"
    raise ProjectError(f"{place.shown}: found no schedules, expected at least one", hint)


def added(deployed: Sequence[Schedule], one: Schedule) -> tuple[Schedule, ...]:
    """Those in force and another one, in place of the one of its name."""
    return (*(other for other in deployed if other.name != one.name), one)


def without(deployed: Sequence[Schedule], name: str, options: str) -> tuple[Schedule, ...]:
    """Those in force but one."""
    names = [one.name for one in deployed]
    if name in names:
        return tuple(one for one in deployed if one.name != name)
    meant = nearest(name, names)
    hint = f"did you mean: --name {meant}" if meant else f"invoke schedule.list {options}"
    raise ProjectError(f"--name: found {name!r}, expected one that is in force: {', '.join(names)}", hint)


def check(wanted: Sequence[Schedule], deployed: Sequence[Schedule], now: datetime) -> None:
    """Refuse what would never fire, and what ECS would not take; what is over, but in force as it is, may stay."""
    for one in wanted:
        _check_size(one)
        if one not in deployed:
            _check_comes(one, now)


def check_secrets(place: ProjectPlace, loaded: Project, environment: str, data: Mapping[str, Any]) -> None:
    """Refuse data that would give a secret away: everybody who may look at schedules reads it."""
    files = documents.document(place, loaded, environment)["files"] if data else ()
    config = secrets.known(ConfigFile(file["name"], file["value"]) for file in files)
    overrides.check_data(data, place.name, config)


def _check_comes(one: Schedule, now: datetime) -> None:
    form = expression.of(one)
    if times.is_rate(form) or times.coming(form, one.timezone, now, 1).times:
        return
    kind, text = expression.kind_of(one), expression.written(one)
    here = f"in {one.timezone} it is {now.astimezone(zone(one.timezone)):%Y-%m-%dT%H:%M:%S} now"
    message = f"schedule {one.name}: {kind}: found `{text}`, which never comes again"
    raise ProjectError(f"{message}, expected a time to come", here)


def _check_size(one: Schedule) -> None:
    """The whole of what a task is given: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html."""
    text = json.dumps({**one.data, **OURS}, ensure_ascii=False)
    made = {"containerOverrides": [{"name": CONTAINER, "environment": [{"name": "DATA", "value": text}]}]}
    if (length := len(json.dumps(made))) > overrides.LONGEST:
        message = f"schedule {one.name}: data: found {length:,} characters with all that a run is given"
        hint = "put what is long into a file: projects/NAME/files/, then: invoke files.push"
        raise ProjectError(f"{message}, expected at most {overrides.LONGEST:,}", hint)


def _refuse_idle(words: Words) -> None:
    for name in ("name", "timezone", "data"):
        if getattr(words, name):
            message = f"--{name}: found without a time, expected --cron, --rate or --at with it"
            raise ProjectError(message, f"for example: --cron '0 2 * * *'{words.flags}")


def _name(text: str) -> str:
    name = text or UNNAMED
    if is_form(SCHEDULE_NAME, name):
        return name
    message = f"--name: found {name!r}, expected letters, digits, -, _ and ., at most 64 characters"
    raise ProjectError(message, "for example: --name nightly")


def _zone(text: str) -> str:
    name = text or UTC
    if found := timezones.problem(name):
        raise ProjectError(f"--timezone: {found[0]}", found[1])
    return name


def _texts(data: Mapping[str, Any]) -> dict[str, str]:
    """Values as texts, which is what they are for placeholders."""
    for name in data:
        if not is_name(name):
            message = f"--data: found the name {name!r}, expected letters, digits and _"
            raise ProjectError(message, "for example: base_2")
    return {name: one if isinstance(one, str) else json.dumps(one, separators=(",", ":")) for name, one in data.items()}
