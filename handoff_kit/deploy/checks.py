"""The checks of `invoke verify`: what AWS describes, judged. Nothing is called here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handoff_kit.aws.alerts import CONFIRM, UNCONFIRMED
from handoff_kit.aws.cloudformation.drift import DriftedResource
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.cloudformation.stack_resources import ResourceState
from handoff_kit.aws.network import Network, judge_group, judge_subnet
from handoff_kit.deploy.schedule_template import ScheduleSummary
from handoff_kit.errors import AWSError, HandoffError
from handoff_kit.text import count, join_first, plural, timestamp
from handoff_runtime.aws.transfer import UploadPlan
from handoff_runtime.params import ADVANCED, STANDARD

OK, FAILED, SKIPPED = "OK", "FAILED", "skipped"
CPU_UNITS = 1024  # of a vCPU
NOT_FAILED = ("RUNNING", "SUCCEEDED", "ABORTED", "PENDING_REDRIVE")
"""Statuses of executions; ABORTED is one that was stopped."""
NO_ANSWER = (", the permission ", " answered 501")
"""Of refusals: a permission is missing, or the service is not there."""
MOST_NAMED = 4


@dataclass(frozen=True)
class Check:
    """`fix` is what to do about a check that failed: a command as a rule."""

    name: str
    outcome: str
    detail: str = ""
    fix: str = ""


@dataclass(frozen=True)
class CheckGroup:
    """Checks of one subject; `noun` is what each is of, e.g. resource."""

    name: str
    checks: tuple[Check, ...]
    noun: str = "check"


def check(name: str, problem: str, fix: str, detail: str = "") -> Check:
    """A check that failed if there is a problem."""
    return Check(name, FAILED, problem, fix) if problem else Check(name, OK, detail)


def refused_check(name: str, error: HandoffError) -> Check:
    """The check of a call that was refused: skipped where that says nothing of what was to be checked."""
    is_passing = isinstance(error, AWSError) and error.passing
    if is_passing or any(text in error.message for text in NO_ANSWER):
        return Check(name, SKIPPED, error.message)
    return Check(name, FAILED, error.message, error.hint or "")


def judge_stack(name: str, stack: StackDescription | None, command: str) -> Check:
    """The status of a stack, which names its last operation; one whose update was undone is as it was before."""
    if stack is None:
        return Check(name, FAILED, "not deployed", command)
    if stack.is_changing:
        return Check(name, SKIPPED, f"{stack.status}: it is being changed")
    undone = ": its last update failed and was undone" if "ROLLBACK" in stack.status else ""
    return check(name, "" if stack.is_sound else stack.status, command, f"{stack.status}{undone}")


def judge_resources(states: Iterable[ResourceState], command: str) -> tuple[Check, ...]:
    """A check for each resource; `command` repairs one."""
    checks = []
    for state in states:
        resource = state.resource
        if state.unknown:
            checks.append(Check(resource.name, SKIPPED, f"{resource.kind} {resource.id}: {state.unknown}"))
        else:
            detail = f"{resource.kind} {resource.id}"
            checks.append(check(resource.name, state.problem and f"{detail}: {state.problem}", command, detail))
    return tuple(checks)


def judge_network(
    network: Network, subnets: Iterable[str], groups: Iterable[str], fix: str, *, public_ip: bool
) -> tuple[Check, ...]:
    """A route to AWS from each subnet, and a way out through each security group."""
    return (
        *(
            check(f"subnet {one}", judge_subnet(network, one, public_ip=public_ip), fix, "has a route")
            for one in subnets
        ),
        *(check(f"security group {one}", judge_group(network, one), fix, "lets HTTPS out") for one in groups),
    )


def judge_params(size: int | None, version: int, *, advanced: bool, command: str) -> Check:
    """`size` is that of the stored text in bytes; None where none is stored."""
    if size is None:
        return Check("params", FAILED, "none are stored", command)
    limit, tier = (ADVANCED, "advanced") if advanced or size > STANDARD else (STANDARD, "standard")
    return Check("params", OK, f"version {version}, {count(size)} of {count(limit)} bytes ({tier} tier)")


def judge_files(plan: UploadPlan, command: str) -> Check:
    """Files that are only stored are no problem: a deployment keeps them."""
    names = join_first([file.path for file in plan.send], MOST_NAMED)
    problem = f"{plural(len(plan.send), 'file')} to upload: {names}" if plan.send else ""
    return check("files", problem, command, f"{plural(len(plan.same), 'file')} up to date")


def judge_schedules(
    declared: Iterable[ScheduleSummary],
    deployed: Iterable[ScheduleSummary],
    states: Mapping[str, str],
    commands: Mapping[str, str],
) -> tuple[Check, ...]:
    """The schedules of the project file against those deployed, and these against their state in AWS.

    `commands` are `schedule` and `repair`. One that is missing in AWS is a problem of its resource.
    """
    by_name, checks = {one.name: one for one in deployed}, []
    expected = {one.name: one for one in declared}
    for name in sorted({*by_name, *expected}):
        current, problem, fix = by_name.get(name), "", commands["schedule"]
        if current is None:
            problem = "not deployed"
        elif name in expected and expected[name] != current:
            problem = f"deployed as {_summary(current)}, the project file says {_summary(expected[name])}"
        elif states.get(name, current.state) != current.state:
            problem, fix = f"is {states[name]} in AWS, deployed as {current.state}", commands["repair"]
        checks.append(check(f"schedule {name}", problem, fix, _summary(current) if current else ""))
    return tuple(checks)


def _summary(schedule: ScheduleSummary) -> str:
    return " ".join((schedule.expression, schedule.timezone, *(() if schedule.enabled else ("disabled",))))


def judge_subscriptions(topic: str, subscriptions: Sequence[Mapping[str, str]] | None, fix: str) -> tuple[Check, ...]:
    """Whether messages of an alert topic reach people."""
    name = f"topic {topic}"
    if subscriptions is None:
        return (Check(name, FAILED, "not found", fix),)
    if not subscriptions:
        return (Check(name, FAILED, "has no subscribers: nobody is notified", fix),)
    return tuple(
        check(
            f"subscriber {one['Endpoint']}",
            "unconfirmed" if one["SubscriptionArn"] == UNCONFIRMED else "",
            CONFIRM,
            one["Protocol"],
        )
        for one in subscriptions
    )


def judge_execution(
    name: str, executions: Sequence[Mapping[str, Any]] | None, problem: str, fix: str, detail: str = "never ran"
) -> Check:
    """The newest execution of a state machine; `problem` says what became of a failed one."""
    if executions is None:
        return Check(name, SKIPPED, "its state machine was not found")
    if not executions:
        return Check(name, OK, detail)
    newest = executions[0]
    what = f"{newest['name']}: {newest['status']}, started {timestamp(newest['startDate'])}"
    is_failed = newest["status"] not in NOT_FAILED
    return check(name, f"{what}{problem and f', {problem}'}" if is_failed else "", fix, what)


def judge_drift(stack: str, drifted: Sequence[DriftedResource], command: str) -> tuple[Check, ...]:
    """A check for each resource that differs from its template; one for a stack without any."""
    if not drifted:
        return (Check(stack, OK, "as its template says"),)
    return tuple(
        Check(
            one.name,
            FAILED,
            f"{one.kind} {one.id}: {'deleted' if one.is_deleted else join_first(one.differences, MOST_NAMED)}",
            command,
        )
        for one in drifted
    )


def judge_quota(quota: float, cpu: int, name: str, code: str) -> Check:
    needed = cpu / CPU_UNITS
    problem = f"{quota:g}, and one task takes {needed:g}" if quota < needed else ""
    place = f"--service-code fargate --quota-code {code}"
    fix = f"aws service-quotas request-service-quota-increase {place} --desired-value {math.ceil(needed)}"
    return check(name, problem, fix, f"{quota:g}; one task takes {needed:g}")


def has_failed(groups: Iterable[CheckGroup]) -> bool:
    return any(one.outcome == FAILED for group in groups for one in group.checks)
