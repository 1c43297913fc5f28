"""Before a run or a schedule: where the last run started no task, check what its reason points at.

A task that cannot start takes a quarter of an hour to fail. At most four calls more; one where the last run started.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.cloudformation.stack_resources import MISSING, StackResource, list_resources
from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.executions import read_start_failure
from handoff_kit.aws.network import judge_group, judge_subnet, read_network
from handoff_kit.aws.probes import (
    cluster_problem,
    find_states,
    image_problem,
    newest_revision,
    read_executions,
)
from handoff_kit.aws.reader import Reader
from handoff_kit.console import Say
from handoff_kit.errors import AWSError
from handoff_kit.project.deploy_settings import Deploy


@dataclass(frozen=True)
class Start:
    """What a run starts with: the deployed task stack, and its settings."""

    tasks: ProjectTasks
    stack: StackDescription
    settings: Deploy
    reader: Reader


def check_last_start(
    tasks: ProjectTasks, stack: StackDescription, settings: Deploy, say: Say, *, force: bool | None
) -> None:
    """AWSError where the last run started no task and what it lacked is still missing; with `force` a note.

    `force` is None for a task without that flag. What cannot be checked prevents no run.
    """
    start = Start(tasks, stack, settings, Reader(tasks.target.session))
    try:
        executions = read_executions(start.reader, tasks.machine)
        if not executions or executions[0]["status"] != "FAILED":
            return
        name, arn = executions[0]["name"], executions[0]["executionArn"]
        reason = read_start_failure(tasks.target, arn)
        if reason is None:
            return
        subject, problem = find_cause(start, reason)
    except AWSError as error:
        say(f"note: whether the last run could start was not checked: {error.message}")
        return
    message = f"the last run ({name}) started no task: {reason}"
    if not problem:
        say(f"note: {message}; {f'its {subject} is found now' if subject else 'a reason that may have passed'}")
        return
    message = f"{message}; its {subject} still is a problem: {problem}"
    if not force:
        anyway = "; to start a run anyway: --force" if force is False else ""
        raise AWSError(message, f"{_fix(start, subject)}{anyway}")
    say(f"note: {message}")


def find_cause(start: Start, reason: str) -> tuple[str, str]:
    """The subject that a reason points at, and what is wrong with it; both empty where it points at none of these."""
    found = next(((subject, check) for pattern, subject, check in CAUSES if re.search(pattern, reason)), None)
    return (found[0], found[1](start)) if found else ("", "")


def _check_roles(start: Start) -> str:
    resources = list_resources(start.reader, start.tasks.target.name)
    states = find_states(start.reader, [one for one in resources if one.kind == "AWS::IAM::Role"])
    return next((f"{state.resource.name} {state.problem}" for state in states if state.problem), "")


def _check_log_group(start: Start) -> str:
    name = start.tasks.log_group
    return find_states(start.reader, [StackResource("", "LogGroup", "AWS::Logs::LogGroup", name)])[0].problem


def _check_subnets(start: Start) -> str:
    subnets, public_ip = start.settings.subnets, start.tasks.public_ip
    network = read_network(start.reader, subnets, (), "", public_ip=public_ip)
    problems = ((subnet, judge_subnet(network, subnet, public_ip=public_ip)) for subnet in subnets)
    return next((f"{subnet} {problem}" for subnet, problem in problems if problem), "")


def _check_groups(start: Start) -> str:
    network = read_network(start.reader, (), start.settings.security_groups, "", public_ip=True)
    problems = ((group, judge_group(network, group)) for group in start.settings.security_groups)
    return next((f"{group} {problem}" for group, problem in problems if problem), "")


CAUSES: tuple[tuple[str, str, Callable[[Start], str]], ...] = (
    (r"[Cc]luster", "cluster", lambda start: cluster_problem(start.reader, start.tasks.cluster)),
    (
        r"[Tt]ask ?[Dd]efinition",
        "task definition",
        lambda start: "" if newest_revision(start.reader, start.stack.outputs["TaskDefinition"]) else MISSING,
    ),
    (r"[Ss]ecurity ?[Gg]roup|sg-", "security group", _check_groups),
    (r"log group|log stream", "log group", _check_log_group),
    (r"[Rr]ole|AccessDenied|not authorized", "role", _check_roles),
    (
        r"CannotPull.*(not found|does not exist|manifest unknown|NotFound)",
        "image",
        lambda start: image_problem(start.reader, start.stack.outputs["Image"]),
    ),
    (
        r"[Ss]ubnet|timeout|timed out|dial tcp|no route|RequestError|RequestCanceled|[Nn]etwork",
        "network",
        _check_subnets,
    ),
)
"""What the reason of a start that failed points at: a pattern, the subject, its check. The first match counts."""


def _fix(start: Start, subject: str) -> str:
    """`deploy` pushes an image again; the own network of a project is named in its file; the rest is repaired."""
    deploy = start.tasks.invoke("deploy")
    is_own = subject in ("network", "security group") and "Subnets" not in start.stack.parameters
    if is_own:
        return f"{start.tasks.file}: deploy: {{subnets: [...], security_groups: [...]}}, then: {deploy}"
    return deploy if subject == "image" else start.tasks.invoke("deploy --repair")
