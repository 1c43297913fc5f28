"""Limits of AWS for the names derived from a project: their length, and that no two projects share one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from handoff_kit import resource_names as names
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.model import Project
from handoff_kit.project.problem import Problem, ProjectFileError
from handoff_runtime import s3_keys

_ACCOUNT = 12 * "0"
_LONGEST_REGION = "us-isof-south-1"


class NameProblem(NamedTuple):
    """What stands in a project's way into AWS, and what to do."""

    message: str
    hint: str


def name_problems(name: str, environment: str, loaded: Project, known: Iterable[str] = ()) -> tuple[NameProblem, ...]:
    """Everything that AWS would not take of a project called so, beside others of these names."""
    problems = [*stack_name_problems(names.stack_name(name, environment), environment, loaded)]
    own = _in_aws(name, environment)
    for other in known:
        if other != name and (common := own.keys() & _in_aws(other, environment).keys()):
            what = next(name for key, name in own.items() if key in common)
            message = f"the projects {name} and {other} would share {what} in AWS, expected names that differ there too"
            problems.append(NameProblem(message, f"rename one: git mv projects/{name} projects/{name}2"))
    return tuple(problems)


def stack_name_problems(stack: str, environment: str, loaded: Project) -> tuple[NameProblem, ...]:
    """Names that are too long, where a project's stack is called so."""
    problems = []
    for resource, name, longest in _limits(stack, environment, loaded):
        if (over := len(name) - longest) > 0:
            message = f"the name of {resource} would be {name}, {len(name)} characters; AWS takes at most {longest}"
            part = "the environment" if resource == "a bucket" else "the project or the environment"
            problems.append(NameProblem(message, f"call {part} by a name that is shorter by {over}"))
    return tuple(problems)


def check_names(place: ProjectPaths, environment: str, loaded: Project, known: Iterable[str] = ()) -> None:
    """ProjectFileError with every problem."""
    if found := name_problems(place.name, environment, loaded, known):
        raise ProjectFileError([Problem(place.shown, 0, 0, message, hint) for message, hint in found])


def _limits(stack: str, environment: str, loaded: Project) -> Iterator[tuple[str, str, int]]:
    """Each kind of resource, its name, and the longest it may be.

    https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html, each service's API reference.
    """
    yield "a CloudFormation stack", names.registry_stack(stack), 128
    yield "an ECR repository", names.repository(stack), 256
    yield "a parameter", s3_keys.parameter(stack), 1011
    yield "a family of task definitions", names.family(stack), 255
    yield "a log group", names.log_group(stack), 512
    yield "an IAM path", names.role_path(stack), 512
    if not loaded.deploy.bucket:
        yield "a bucket", names.bucket(environment, _ACCOUNT, _LONGEST_REGION), 63
    if not loaded.deploy.cluster:
        yield "an ECS cluster", names.cluster(environment), 255
    if not loaded.deploy.alerts:
        yield "an SNS topic", names.topic(environment), 256
    if loaded.schedules:
        yield "a group of schedules", names.schedule_group(stack), 64
        yield "a state machine", names.state_machine(stack), 80
        yield "an SQS queue", names.dead_letters(stack), 80


@cache
def _in_aws(name: str, environment: str) -> dict[tuple[str, str], str]:
    """What only one project may have: each by its kind and its name as AWS compares it."""
    stack = names.stack_name(name, environment)
    repository = names.repository(stack)
    stacks = (stack, names.registry_stack(stack), names.schedule_stack(stack))
    return {
        **{("stack", each.lower()): f"the stack {each}" for each in stacks},
        ("repository", repository): f"the repository {repository}",
    }
