"""Calls that change what AWS holds, as values: told with --dry, else made, by one loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handoff_kit.remote.errors import AWSError
from handoff_runtime.aws.together import each

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handoff_kit.aws.target import Target

    Say = Callable[[str], None]

__all__ = ["LOST", "Change", "Race", "execute"]

LOST = ("412", "404", "409")
"""How S3 answers a conditional call whose condition no longer holds: changed, gone, or just being changed."""


@dataclass(frozen=True)
class Race:
    """What to say where somebody else was quicker."""

    message: str
    hint: str


@dataclass(frozen=True)
class Change:
    """One call by AWS's own names; `told` says it without its contents; with a `race` it is conditional."""

    told: str
    service: str
    operation: str
    request: Mapping[str, object] = field(repr=False)
    race: Race | None = None


def execute(changes: Sequence[Change], stack: Target, *, dry: bool, say: Say) -> None:
    """Make all the calls, several at a time, and say each; or only say it."""
    if dry:
        for change in changes:
            say(f"would {change.told}")
        return
    for change, _ in zip(changes, each(lambda change: _make(change, stack), changes), strict=True):
        say(change.told)


def _make(change: Change, stack: Target) -> None:
    codes = LOST if change.race else ()
    answer = stack.call_unless(codes, change.service, change.operation, **change.request)
    if answer is None and change.race:
        raise AWSError(change.race.message, change.race.hint)
