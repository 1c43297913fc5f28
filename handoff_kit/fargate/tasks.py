"""Tasks of ECS: list, describe and stop them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from handoff_kit import resource_names
from handoff_kit.fargate.ending import has_run
from handoff_kit.fargate.ground import Cluster
from handoff_kit.remote import connection
from handoff_kit.remote.errors import AWSError
from handoff_kit.remote.stack import Stack

Task = Mapping[str, Any]

ECS = "ecs"
ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]{27}")
NO_CLUSTER = ("ClusterNotFoundException",)
NO_TASK = "referenced task was not found"
UNKNOWN = "UNKNOWN"
A_CALL = 100
"""Amazon ECS API Reference, DescribeTasks: so many tasks at most."""


def id_of(arn: str) -> str:
    """The last part of a task's ARN, by which log streams are named."""
    return arn.rpartition("/")[2]


def running(cluster: Cluster) -> list[Task]:
    """The running and starting tasks, the newest first; one that is listed but not described has status UNKNOWN."""
    listed = _list(cluster, "RUNNING")
    found = _describe(cluster, listed)
    described = {task["taskArn"] for task in found}
    return [*found, *({"taskArn": arn, "lastStatus": UNKNOWN} for arn in listed if arn not in described)]


def newest(cluster: Cluster) -> Task | None:
    """The newest task that has run; ECS forgets a task an hour after it stopped."""
    both = [*_list(cluster, "RUNNING"), *_list(cluster, "STOPPED")]
    return next(filter(has_run, _describe(cluster, both)), None)


def look(cluster: Cluster, task: str) -> Task | None:
    """A task by id or ARN; None where ECS does not know it, which may also be too early."""
    answer = _call_for_task(cluster, "describe_tasks", tasks=[task])
    return next(iter(answer.get("tasks", ())), None) if answer else None


def stop(cluster: Cluster, task: str, reason: str) -> bool:
    """Stop a task: SIGTERM, and SIGKILL after its stop timeout; False where ECS does not know it."""
    return _call_for_task(cluster, "stop_task", task=task, reason=reason) is not None


def _call_for_task(cluster: Cluster, operation: str, **request: object) -> dict[str, Any] | None:
    """The answer; None where ECS does not know the task, whose error code has other causes too."""
    try:
        return cluster.stack.call(ECS, operation, cluster=cluster.name, **request)
    except AWSError as error:
        if NO_TASK not in error.message:
            raise
        return None


def _list(cluster: Cluster, status: str) -> list[str]:
    request = {"cluster": cluster.name, "family": cluster.family, "desiredStatus": status}
    pages = list(cluster.stack.pages(ECS, "list_tasks", allow=NO_CLUSTER, **request))
    if not pages:
        where = f"cluster {cluster.name}: found none in {connection.place(cluster.stack.clients)}"
        raise AWSError(f"{where}, expected the project deployed", cluster.known.invoke("deploy"))
    return [arn for page in pages for arn in page["taskArns"]]


def _describe(cluster: Cluster, tasks: Sequence[str]) -> list[Task]:
    """The tasks, the newest first."""
    found: list[Task] = []
    for start in range(0, len(tasks), A_CALL):
        some = list(tasks[start : start + A_CALL])
        found += cluster.stack.call(ECS, "describe_tasks", cluster=cluster.name, tasks=some).get("tasks", ())
    return sorted(found, key=lambda task: str(task.get("createdAt", "")), reverse=True)


def running_ids(stack: Stack, cluster: str) -> tuple[str, ...]:
    """The ids of the tasks of a project that are running or starting; none where there is no such cluster."""
    request = {"cluster": cluster, "family": resource_names.family(stack.name), "desiredStatus": "RUNNING"}
    pages = stack.pages(ECS, "list_tasks", allow=NO_CLUSTER, **request)
    return tuple(id_of(arn) for page in pages for arn in page["taskArns"])
