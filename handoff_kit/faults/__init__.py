"""Everything that can be wrong with a project file, told with its place and a hint.

The rules read the file as its author wrote it and expect nothing of its shape; each yields the faults it
finds. pydantic's own complaints are translated by one of them (shapes), so that no fault is missed and none
is told in a library's words. What follows from a fault told already is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.faults import (
    deploy,
    image,
    lines,
    names,
    network,
    policies,
    schedules,
    shapes,
    sizes,
    stages,
    tags,
    venvs,
)
from handoff_kit.faults import keys as key_rules
from handoff_kit.faults.outline import Keys, Outline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic_core import ErrorDetails

    from handoff_kit.faults.fault import Fault
    from handoff_kit.source import Problem, Source

__all__ = ["Keys", "problems"]

_FIRST: tuple[Callable[[Outline], Iterator[Fault]], ...] = (
    key_rules.unknown,
    shapes.missing,
    deploy.unfilled,
    sizes.pairs,
)
_THEN: tuple[Callable[[Outline], Iterator[Fault]], ...] = (
    shapes.unusable,
    shapes.unquoted,
    shapes.empty,
    lines.args,
    lines.commands,
    names.var_names,
    names.env_names,
    venvs.declared,
    venvs.named,
    venvs.installs,
    venvs.clashes,
    image.unfilled,
    image.padded,
    image.bases,
    image.packages,
    image.steps,
    image.services,
    image.patterns,
    image.idle,
    deploy.processors,
    tags.names,
    tags.values,
    tags.number,
    policies.arns,
    policies.names,
    policies.statements,
    network.forms,
    network.counts,
    network.belonging,
    schedules.crowded,
    schedules.expressions,
    schedules.zones,
    schedules.data_names,
    schedules.whole,
    stages.incomplete,
    stages.pipeline,
)


def problems(source: Source, keys: Keys, errors: Sequence[ErrorDetails]) -> tuple[Problem, ...]:
    """Every problem in the order of the file: what reading found, and what the rules find."""
    faults = _faults(Outline(source, keys), errors)
    if not faults and not source.problems:
        faults = [shapes.untold(source, error) for error in errors]
    found = [fault.placed(source) for fault in faults]
    told = {(problem.line, problem.column) for problem in source.problems}
    own = [problem for problem in found if (problem.line, problem.column) not in told]
    return tuple(sorted(dict.fromkeys([*source.problems, *own])))


def _faults(outline: Outline, errors: Sequence[ErrorDetails]) -> list[Fault]:
    faults: list[Fault] = []
    for found in _found(outline, errors):
        faults += [fault for fault in found if not any(fault.follows(earlier) for earlier in faults)]
    return faults


def _found(outline: Outline, errors: Sequence[ErrorDetails]) -> Iterator[Iterator[Fault]]:
    yield from (rule(outline) for rule in _FIRST)
    yield shapes.wrong(outline, errors)
    yield from (rule(outline) for rule in _THEN)
