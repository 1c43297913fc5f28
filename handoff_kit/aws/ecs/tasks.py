"""Tasks of ECS: list, describe and stop them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.stop_reasons import has_started
from handoff_kit.aws.session import describe_location
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError

Task = Mapping[str, Any]

ECS = "ecs"
TASK_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]{27}")
NO_CLUSTER = ("ClusterNotFoundException",)
NO_TASK = "referenced task was not found"
UNKNOWN_STATUS = "UNKNOWN"
MAX_DESCRIBED = 100
"""Amazon ECS API Reference, DescribeTasks: so many tasks at most."""


def task_id(arn: str) -> str:
    """The last part of a task's ARN, by which log streams are named."""
    return arn.rpartition("/")[2]


def list_running_tasks(cluster: ProjectTasks) -> list[Task]:
    """The running and starting tasks, the newest first; one that is listed but not described has status UNKNOWN."""
    listed = _list(cluster, "RUNNING")
    found = _describe(cluster, listed)
    described = {task["taskArn"] for task in found}
    return [*found, *({"taskArn": arn, "lastStatus": UNKNOWN_STATUS} for arn in listed if arn not in described)]


def newest_task(cluster: ProjectTasks) -> Task | None:
    """The newest task that has run; ECS forgets a task an hour after it stopped."""
    both = [*_list(cluster, "RUNNING"), *_list(cluster, "STOPPED")]
    return next(filter(has_started, _describe(cluster, both)), None)


def describe_task(cluster: ProjectTasks, task: str) -> Task | None:
    """A task by id or ARN; None where ECS does not know it, which may also be too early."""
    answer = _call_for_task(cluster, "describe_tasks", {"tasks": [task]})
    return next(iter(answer.get("tasks", ())), None) if answer else None


def stop_task(cluster: ProjectTasks, task: str, reason: str) -> bool:
    """Stop a task: SIGTERM, and SIGKILL after its stop timeout; False where ECS does not know it."""
    return _call_for_task(cluster, "stop_task", {"task": task, "reason": reason}) is not None


def _call_for_task(cluster: ProjectTasks, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer; None where ECS does not know the task, whose error code has other causes too."""
    try:
        answer: dict[str, Any] = cluster.stack.call(ECS, operation, cluster=cluster.name, **request)
    except AWSError as error:
        if NO_TASK not in error.message:
            raise
        return None
    return answer


def _list(cluster: ProjectTasks, status: str) -> list[str]:
    request = {"cluster": cluster.name, "family": cluster.family, "desiredStatus": status}
    pages = list(cluster.stack.pages(ECS, "list_tasks", allow=NO_CLUSTER, **request))
    if not pages:
        where = f"cluster {cluster.name}: found none in {describe_location(cluster.stack.session)}"
        raise AWSError(f"{where}, expected the project deployed", cluster.known.invoke("deploy"))
    return [arn for page in pages for arn in page["taskArns"]]


def _describe(cluster: ProjectTasks, tasks: Sequence[str]) -> list[Task]:
    """The tasks, the newest first."""
    found: list[Task] = []
    for start in range(0, len(tasks), MAX_DESCRIBED):
        some = list(tasks[start : start + MAX_DESCRIBED])
        found += cluster.stack.call(ECS, "describe_tasks", cluster=cluster.name, tasks=some).get("tasks", ())
    return sorted(found, key=lambda task: str(task.get("createdAt", "")), reverse=True)


def list_running_ids(stack: Target, cluster: str) -> tuple[str, ...]:
    """The ids of the tasks of a project that are running or starting; none where there is no such cluster."""
    request = {"cluster": cluster, "family": resource_names.family(stack.name), "desiredStatus": "RUNNING"}
    pages = stack.pages(ECS, "list_tasks", allow=NO_CLUSTER, **request)
    return tuple(task_id(arn) for page in pages for arn in page["taskArns"])
