"""When a project runs, as people write it and as EventBridge Scheduler takes it: `cron(...)`, `rate(...)`, `at(...)`.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from handoff_kit.errors import ProjectError
from handoff_kit.schedules import cron, once, rate

if TYPE_CHECKING:
    from handoff_kit.settings.schedule import Schedule

__all__ = ["KINDS", "Kind", "kind_of", "of", "problem", "written"]

Kind: TypeAlias = Literal["cron", "rate", "at"]
KINDS: tuple[Kind, ...] = ("cron", "rate", "at")


def problem(kind: Kind, text: str, timezone: str) -> tuple[str, str] | None:
    """What is wrong with an expression, and a hint; None where nothing is."""
    try:
        translated(kind, text, timezone)
    except ProjectError as error:
        return error.message, error.hint or ""
    return None


def of(schedule: Schedule) -> str:
    """A schedule's expression as AWS takes it."""
    return translated(kind_of(schedule), written(schedule), schedule.timezone)


def translated(kind: Kind, text: str, timezone: str) -> str:
    """The same of what is no schedule yet; ProjectError tells what is wrong with it."""
    match kind:
        case "cron":
            return cron.translated(text)
        case "rate":
            return rate.translated(text)
        case "at":
            return once.translated(text, timezone)


def kind_of(schedule: Schedule) -> Kind:
    """Which of the three a schedule has."""
    return next(kind for kind in KINDS if getattr(schedule, kind) is not None)


def written(schedule: Schedule) -> str:
    """What it says there, as it was written."""
    return str(getattr(schedule, kind_of(schedule)))
