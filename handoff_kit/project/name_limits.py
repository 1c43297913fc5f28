"""Limits of AWS for the names derived from a project: their length, and that no two projects share one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from handoff_kit import resource_names
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.project.model import Project
from handoff_kit.project.problem import Problem, ProjectFileError
from handoff_kit.project.recipients import recipients_of
from handoff_runtime import s3_keys

_ACCOUNT = 12 * "0"
_LONGEST_REGION = "us-isof-south-1"


class NameProblem(NamedTuple):
    """Why a project cannot be deployed under its name, and what to do."""

    message: str
    hint: str


def name_problems(name: str, environment: str, project: Project, known: Iterable[str] = ()) -> tuple[NameProblem, ...]:
    """The names that AWS would refuse for a project, beside other projects with the names in `known`."""
    stack = resource_names.stack_name(name, environment)
    uses = {"schedules": bool(project.schedules), "webhooks": bool(recipients_of(project).webhooks)}
    problems = [*stack_name_problems(stack, environment, project.deploy, **uses)]
    resources = _exclusive_resources(name, environment)
    for other in known:
        shared = [text for key, text in resources.items() if key in _exclusive_resources(other, environment)]
        if other != name and shared:
            pair = f"the projects {name} and {other}"
            message = f"{pair} would share {shared[0]} in AWS, expected names that differ there too"
            problems.append(NameProblem(message, f"rename one: git mv projects/{name} projects/{name}2"))
    return tuple(problems)


def stack_name_problems(
    stack: str, environment: str, deploy: Deploy, *, schedules: bool, webhooks: bool = False
) -> tuple[NameProblem, ...]:
    """Names derived from a stack's name that are too long."""
    problems = []
    for resource, name, longest in _limits(stack, environment, deploy, schedules=schedules, webhooks=webhooks):
        if (over := len(name) - longest) > 0:
            message = f"the name of {resource} would be {name}, {len(name)} characters; AWS takes at most {longest}"
            part = "the environment" if resource == "a bucket" else "the project or the environment"
            problems.append(NameProblem(message, f"call {part} by a name that is shorter by {over}"))
    return tuple(problems)


def check_names(paths: ProjectPaths, environment: str, project: Project, known: Iterable[str] = ()) -> None:
    """Raise ProjectFileError with every problem of the names."""
    if problems := name_problems(paths.name, environment, project, known):
        raise ProjectFileError([Problem(paths.display_path, 0, 0, message, hint) for message, hint in problems])


def _limits(
    stack: str, environment: str, deploy: Deploy, *, schedules: bool, webhooks: bool
) -> Iterator[tuple[str, str, int]]:
    """Each kind of resource, its name, and the longest it may be.

    https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html, each service's API reference.
    """
    yield "a CloudFormation stack", resource_names.registry_stack(stack), 128
    yield "an ECR repository", resource_names.repository(stack), 256
    yield "a parameter", s3_keys.parameter(stack), 1011
    yield "a family of task definitions", resource_names.family(stack), 255
    yield "a state machine", resource_names.expect_machine(stack), 80
    yield "a log group", resource_names.log_group(stack), 512
    yield "an IAM path", resource_names.role_path(stack), 512
    if not deploy.bucket:
        yield "a bucket", resource_names.bucket(environment, _ACCOUNT, _LONGEST_REGION), 63
    if not deploy.cluster:
        yield "an ECS cluster", resource_names.cluster(environment), 255
    yield "an SNS topic", resource_names.alert_topic(stack), 256
    if webhooks:
        yield "an EventBridge API destination", resource_names.alert_webhook(stack, 8 * "0"), 64
    if schedules:
        yield "a group of schedules", resource_names.schedule_group(stack), 64
        yield "an SQS queue", resource_names.dead_letters(stack), 80


@cache
def _exclusive_resources(name: str, environment: str) -> dict[tuple[str, str], str]:
    """The resources that only one project may have, by their kind and their name as AWS compares it."""
    stack = resource_names.stack_name(name, environment)
    repository = resource_names.repository(stack)
    stacks = (stack, resource_names.registry_stack(stack), resource_names.schedule_stack(stack))
    return {
        **{("stack", each.lower()): f"the stack {each}" for each in stacks},
        ("repository", repository): f"the repository {repository}",
    }
