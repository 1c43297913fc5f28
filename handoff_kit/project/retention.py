"""The ladder of `keep`: the days and numbers that the bucket of every environment has a lifecycle rule for.

A bucket takes 1,000 rules, so they depend on no project: an object carries a tag (handoff_runtime/retention.py), and
there is a rule for each value of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from handoff_kit.project.model import Keep
from handoff_kit.project.patterns import FOREVER
from handoff_runtime import retention

DAYS = (1, 3, 7, 14, 30, 60, 90, 180, 365, 730, 1825, 3650, 9999)
STATES = (5, 10, 20, 50, 100)


@dataclass(frozen=True)
class LifecycleRule:
    """A rule for objects with the tag `key`=`value`.

    They expire `days` after they are written (None: never), and an earlier version `replaced_days` after it is
    replaced, unless it is among the `newest`.
    """

    key: str
    value: int
    days: int | None
    replaced_days: int
    newest: int | None = None


LIFECYCLE_RULES = (
    *(LifecycleRule(retention.KEEP, days, days, 1) for days in DAYS),
    *(LifecycleRule(retention.KEEP_OLD, days, None, days) for days in DAYS),
    *(LifecycleRule(retention.STATES, number, None, 1, number) for number in STATES),
)


def on_ladder(keep: Keep) -> retention.Keep:
    """`keep` of a project file as its objects are tagged: the next step of the ladder, so that nothing goes early."""

    def step(number: int, ladder: tuple[int, ...]) -> int:
        return next(each for each in ladder if each >= number)

    runs, artifacts = (days and step(days, DAYS) for days in (keep.runs, keep.artifacts))
    return retention.Keep(runs, artifacts, step(keep.states, STATES))


def describe_keep(keep: retention.Keep) -> str:
    """`keep` as the project file has it, e.g. `runs: 90d, artifacts: 30d, states: 50`."""
    runs, artifacts = (f"{days}d" if days else FOREVER for days in (keep.runs, keep.artifacts))
    return f"runs: {runs}, artifacts: {artifacts}, states: {keep.states}"
