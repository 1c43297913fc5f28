"""How long the bucket keeps what a project's runs leave there: rules of its lifecycle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit.errors import ProjectError
from handoff_runtime import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handoff_kit.project.model import Keep

__all__ = ["MOST_RULES", "Rule", "check", "rules"]

# Amazon S3 User Guide, "Managing the lifecycle of objects": rules of one bucket, of which two are for all projects
MOST_RULES = 1000
_FOR_ALL = 2


@dataclass(frozen=True)
class Rule:
    """A rule of the bucket's lifecycle, for the objects whose keys begin with `prefix`.

    They go `days` after they were written (None: they stay), and an earlier version `replaced_days` after something
    took its place, unless it is among the `newest`.
    """

    name: str
    prefix: str
    days: int | None
    replaced_days: int
    newest: int | None = None


def rules(stack: str, keep: Keep) -> tuple[Rule, ...]:
    """How long the bucket keeps what a project's runs leave there."""
    runs, history = keys.run(stack, "").removesuffix("/"), keys.history(stack)
    return (
        *([Rule(f"{stack}-runs", runs, keep.runs, 1)] if keep.runs else []),
        Rule(f"{stack}-history", history, keep.runs, 1),  # each run writes its day's index anew
        _replaced(stack, keep),
        Rule(f"{stack}-states", keys.state(stack), None, 1, keep.states),
    )


def check(projects: Sequence[tuple[str, Sequence[Rule]]]) -> None:
    """S3 would refuse the bucket's lifecycle as a whole."""
    count = _FOR_ALL + sum(len(of_one) for _, of_one in projects)
    if count > MOST_RULES:
        found = f"found {len(projects)} projects, whose bucket needs {count:,} lifecycle rules"
        hint = "move some to another checkout, with an --environment and so a bucket of its own"
        raise ProjectError(f"projects: {found}, expected at most {MOST_RULES:,}", hint)


def _replaced(stack: str, keep: Keep) -> Rule:
    """One rule for artifacts, files and the lock, whose names all begin with a dot: a bucket has few rules."""
    if keep.artifacts is None:
        return Rule(f"{stack}-lock", keys.lease(stack), None, 1)  # each heartbeat writes it anew
    return Rule(f"{stack}-replaced", f"{stack}/.", None, keep.artifacts)
