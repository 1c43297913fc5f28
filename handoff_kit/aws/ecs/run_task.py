"""Start a task: RunTask, retried while AWS has no capacity or throttles."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from handoff_kit.aws.ecs.cluster import ProjectTasks, TaskNetwork
from handoff_kit.aws.ecs.overrides import RunOptions, build_overrides
from handoff_kit.aws.ecs.stop_reasons import fill_advice, match_start_failure
from handoff_kit.aws.ecs.tasks import ECS
from handoff_kit.console import Say
from handoff_kit.errors import AWSError

RETRY_WAITS = (5.0, 15.0, 30.0, 60.0)
"""Seconds between attempts."""
RETRYABLE = re.compile(r"[Cc]apacity is|RESOURCE|Rate exceeded|[Tt]hrottl|limit on the number of|AGENT")
RETRIED = "still after"  # in the error of a call that has been retried already
REFUSALS = (
    (r"ClusterNotFound|ClusterContainsNo|Cluster not found", "its cluster does not exist: {deploy}"),
    (r"TaskDefinition (not found|is inactive)|Unable to (find|describe) task definition|MISSING", "{deploy}"),
    (r"[Ss]ubnet", "{file}: deploy: {{subnets: [...]}} must name subnets of this region"),
    (r"[Ss]ecurity ?[Gg]roup", "{file}: deploy: {{security_groups: [...]}} must name groups of the subnets' VPC"),
    (r"[Cc]apacity [Pp]rovider", "the cluster needs FARGATE and FARGATE_SPOT: aws ecs put-cluster-capacity-providers"),
    (r"iam:PassRole", "allow iam:PassRole on the roles below /handoff/{stack}/ to the identity that runs this"),
    (
        r"PlatformTaskDefinition|Fargate only supports|No Fargate configuration",
        "{file}: deploy: {{cpu: ..., memory: ...}}",
    ),
)


def run_task_request(network: TaskNetwork, family: str, options: RunOptions) -> dict[str, Any]:
    """The request without its client token, which is another one for each attempt."""
    return {
        "cluster": network.cluster,
        "taskDefinition": family,
        "count": 1,
        **network.capacity,
        "networkConfiguration": network.configuration,
        "overrides": build_overrides(options),
        "startedBy": "handoff-run",
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": True,
        **({"enableExecuteCommand": True} if network.exec else {}),
    }


@dataclass(frozen=True)
class TaskHooks:
    """Print a line, pause, read the clock, and raise where a signal came (`check`)."""

    say: Say
    pause: Callable[[float], None]
    clock: Callable[[], float]
    check: Callable[[], None]


def start_task(tasks: ProjectTasks, request: Mapping[str, Any], hooks: TaskHooks) -> str:
    """The ARN of the started task. By the client token a retried call whose answer was lost finds its task."""
    for wait in (*RETRY_WAITS, None):
        arn, why = _try_to_start(tasks, request)
        if arn:
            return arn
        if wait is None or not RETRYABLE.search(why):
            times = f", {len(RETRY_WAITS) + 1} times" if wait is None else ""
            hint = fill_advice(match_start_failure(why).advice, tasks)
            raise _with_advice(tasks, AWSError(f"task of {tasks.family}: not started{times}: {why}", hint))
        hooks.say(f"not started: {why}; retry in {wait:.0f} s")
        hooks.pause(wait)
        hooks.check()
    raise AssertionError


def _try_to_start(tasks: ProjectTasks, request: Mapping[str, Any]) -> tuple[str, str]:
    """The ARN of the task and an empty reason, or the reason why there is none."""
    try:
        answer = tasks.target.call(ECS, "run_task", **request, clientToken=str(uuid.uuid4()))
    except AWSError as error:
        is_retryable = RETRYABLE.search(error.message)
        if error.passing and not is_retryable:  # no answer: it may have started one
            look = f"a task may have started anyway: {tasks.invoke('status')}"
            raise AWSError(error.message, f"{look}; if none runs: {tasks.invoke('run')}") from None
        if RETRIED in error.message or not is_retryable:
            raise _with_advice(tasks, error) from None
        return "", error.message
    if answer["tasks"]:
        return str(answer["tasks"][0]["taskArn"]), ""
    texts = [f"{each.get('reason', '')} {each.get('detail') or ''}".strip() for each in answer.get("failures", ())]
    return "", ", ".join(texts) or "ECS started none, and gave no reason"


def _with_advice(tasks: ProjectTasks, error: AWSError) -> AWSError:
    """The error, with the hint of REFUSALS where one fits."""
    advice = next((advice for pattern, advice in REFUSALS if re.search(pattern, error.message)), None)
    return AWSError(error.message, fill_advice(advice, tasks) if advice else error.hint)
