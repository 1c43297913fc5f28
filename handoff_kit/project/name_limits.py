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


class _Limit(NamedTuple):
    """What is called so, and how long its name may be."""

    what: str
    name: str
    most: int


def name_problems(name: str, environment: str, loaded: Project, known: Iterable[str] = ()) -> tuple[NameProblem, ...]:
    """Everything that AWS would not take of a project called so, beside others of these names."""
    own = names.stack_name(name, environment)
    return (*stack_name_problems(own, environment, loaded), *_shared(name, environment, known))


def stack_name_problems(stack: str, environment: str, loaded: Project) -> tuple[NameProblem, ...]:
    """Names that are too long, where a project's stack is called so."""
    return tuple(_too_long(limit) for limit in _limits(stack, environment, loaded) if len(limit.name) > limit.most)


def check_names(paths: ProjectPaths, environment: str, loaded: Project, known: Iterable[str] = ()) -> None:
    """ProjectFileError with every problem."""
    if found := name_problems(paths.name, environment, loaded, known):
        raise ProjectFileError([Problem(paths.display_path, 0, 0, message, hint) for message, hint in found])


def _limits(stack: str, environment: str, loaded: Project) -> Iterator[_Limit]:
    """https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html, each service's API reference."""
    yield _Limit("a CloudFormation stack", names.registry_stack(stack), 128)
    yield _Limit("an ECR repository", names.repository(stack), 256)
    yield _Limit("a parameter", s3_keys.parameter(stack), 1011)
    yield _Limit("a family of task definitions", names.family(stack), 255)
    yield _Limit("a log group", names.log_group(stack), 512)
    yield _Limit("an IAM path", names.role_path(stack), 512)
    yield from _of_environment(environment, loaded)
    if loaded.schedules:
        yield _Limit("a group of schedules", names.schedule_group(stack), 64)
        yield _Limit("a state machine", names.state_machine(stack), 80)
        yield _Limit("an SQS queue", names.dead_letters(stack), 80)


def _of_environment(environment: str, loaded: Project) -> Iterator[_Limit]:
    if not loaded.deploy.bucket:
        yield _Limit("a bucket", names.bucket(environment, _ACCOUNT, _LONGEST_REGION), 63)
    if not loaded.deploy.cluster:
        yield _Limit("an ECS cluster", names.cluster(environment), 255)
    if not loaded.deploy.alerts:
        yield _Limit("an SNS topic", names.topic(environment), 256)


def _too_long(limit: _Limit) -> NameProblem:
    over = len(limit.name) - limit.most
    message = (
        f"the name of {limit.what} would be {limit.name}, {len(limit.name)} characters; AWS takes at most {limit.most}"
    )
    what = "the environment" if limit.what == "a bucket" else "the project or the environment"
    return NameProblem(message, f"call {what} by a name that is shorter by {over}")


def _shared(name: str, environment: str, known: Iterable[str]) -> Iterator[NameProblem]:
    """Other projects that would have a stack or a repository in common with this one."""
    own = _in_aws(name, environment)
    for other in known:
        if other != name and (common := own.keys() & _in_aws(other, environment).keys()):
            what = next(name for key, name in own.items() if key in common)
            message = f"the projects {name} and {other} would share {what} in AWS, expected names that differ there too"
            yield NameProblem(message, f"rename one: git mv projects/{name} projects/{name}2")


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
