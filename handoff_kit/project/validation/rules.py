"""Every rule for project files, and all problems they find in one.

A rule reads the file as its author wrote it, expects nothing of its shape, and yields the faults it finds. pydantic's
own complaints are one rule's input (shapes.type_errors), so that no fault is missed. What follows from a fault that
an earlier rule found is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from pydantic_core import ErrorDetails

from handoff_kit.project.problem import Problem
from handoff_kit.project.validation import aws_resources, fargate, image, keys, schedules, shapes, stages
from handoff_kit.project.validation.fault import Fault
from handoff_kit.project.yaml_reader import YamlFile

Rule: TypeAlias = Callable[[YamlFile], Iterator[Fault]]
_FIRST: tuple[Rule, ...] = (
    keys.unknown_keys,
    shapes.missing_values,
    fargate.unfilled_placeholders,
    fargate.impossible_sizes,
)
_THEN: tuple[Rule, ...] = (
    shapes.invalid_characters,
    shapes.unquoted_scalars,
    shapes.empty_texts,
    stages.unquoted_operators,
    stages.backslashes_at_line_ends,
    stages.cut_shell_lines,
    stages.lookalikes,
    stages.command_lines,
    stages.var_names,
    stages.env_names,
    stages.env_items,
    stages.declared_venvs,
    stages.stage_venvs,
    stages.installs,
    stages.clashing_venvs,
    image.unfilled_placeholders,
    image.padded_names,
    image.bases,
    image.packages,
    image.steps,
    image.services,
    image.patterns,
    image.ineffective_includes,
    image.ineffective_keys,
    fargate.contradicting_platforms,
    fargate.tag_names,
    fargate.tag_values,
    fargate.number_of_tags,
    aws_resources.managed_policies,
    aws_resources.statement_ids,
    aws_resources.inline_policies,
    schedules.names,
    shapes.malformed_texts,
    aws_resources.incomplete_statements,
    aws_resources.list_counts,
    aws_resources.two_alerts,
    aws_resources.network_combinations,
    schedules.several_times,
    schedules.expressions,
    schedules.data_names,
    schedules.data_lengths,
    schedules.time_windows,
    schedules.without_time,
    schedules.repeated_names,
    stages.uncounted_rows,
    stages.incomplete_stages,
    stages.missing_stages,
)


def find_problems(source: YamlFile, errors: Sequence[ErrorDetails]) -> tuple[Problem, ...]:
    """The problems of the reader and of the rules, in the order of the file."""
    faults: list[Fault] = []
    rules: tuple[Rule, ...] = (*_FIRST, partial(shapes.type_errors, errors=errors), *_THEN)
    for rule in rules:
        earlier = {fault.key_path for fault in faults}
        faults += [fault for fault in rule(source) if not fault.follows(earlier)]
    if not faults and not source.problems:
        faults = [shapes.other_error(source, error) for error in errors]
    known = {(problem.line, problem.column) for problem in source.problems}
    problems = [fault.locate(source) for fault in faults]
    problems = [problem for problem in problems if (problem.line, problem.column) not in known]
    return tuple(sorted({*source.problems, *problems}))
