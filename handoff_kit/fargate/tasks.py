"""Tasks of ECS: which there are, what is told of one, and stopping it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from handoff_kit.fargate.ending import has_run
from handoff_kit.remote import connection, names
from handoff_kit.remote.errors import AWSError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handoff_kit.fargate.ground import Cluster
    from handoff_kit.remote.stack import Stack

    Task = Mapping[str, Any]

__all__ = ["ECS", "ID", "UNKNOWN", "id_of", "look", "newest", "running", "running_ids", "stop"]

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
    """What runs, or is about to, the newest first; what is listed and not described comes as UNKNOWN."""
    listed = _listed(cluster, "RUNNING")
    found = _described(cluster, listed)
    described = {task["taskArn"] for task in found}
    return [*found, *({"taskArn": arn, "lastStatus": UNKNOWN} for arn in listed if arn not in described)]


def newest(cluster: Cluster) -> Task | None:
    """The last one that came to run; ECS forgets one that stopped an hour ago."""
    both = [*_listed(cluster, "RUNNING"), *_listed(cluster, "STOPPED")]
    return next(filter(has_run, _described(cluster, both)), None)


def look(cluster: Cluster, task: str) -> Task | None:
    """What is told of one; None where ECS does not know it (yet, at present, or any more)."""
    answer = _call_unless_unknown(cluster, "describe_tasks", tasks=[task])
    return next(iter(answer.get("tasks", ())), None) if answer else None


def stop(cluster: Cluster, task: str, reason: str) -> bool:
    """Have it stopped: SIGTERM, and SIGKILL after its stop timeout; whether ECS knows it."""
    return _call_unless_unknown(cluster, "stop_task", task=task, reason=reason) is not None


def _call_unless_unknown(cluster: Cluster, operation: str, **request: object) -> dict[str, Any] | None:
    """Call an operation of one task; None where ECS does not know the task, which it says under a code of many uses."""
    try:
        return cluster.stack.call(ECS, operation, cluster=cluster.name, **request)
    except AWSError as error:
        if NO_TASK not in error.message:
            raise
        return None


def _listed(cluster: Cluster, status: str) -> list[str]:
    request = {"cluster": cluster.name, "family": cluster.family, "desiredStatus": status}
    pages = list(cluster.stack.pages(ECS, "list_tasks", allow=NO_CLUSTER, **request))
    if not pages:
        where = f"cluster {cluster.name}: found none in {connection.place(cluster.stack.clients)}"
        raise AWSError(f"{where}, expected the project deployed", cluster.known.invoke("deploy"))
    return [arn for page in pages for arn in page["taskArns"]]


def _described(cluster: Cluster, tasks: Sequence[str]) -> list[Task]:
    found: list[Task] = []
    for start in range(0, len(tasks), A_CALL):
        some = list(tasks[start : start + A_CALL])
        found += cluster.stack.call(ECS, "describe_tasks", cluster=cluster.name, tasks=some).get("tasks", ())
    return sorted(found, key=lambda task: str(task.get("createdAt", "")), reverse=True)


def running_ids(stack: Stack, cluster: str) -> tuple[str, ...]:
    """The ids of the tasks of a project that are running or starting; none where there is no such cluster."""
    request = {"cluster": cluster, "family": names.family(stack.name), "desiredStatus": "RUNNING"}
    pages = stack.pages(ECS, "list_tasks", allow=NO_CLUSTER, **request)
    return tuple(id_of(arn) for page in pages for arn in page["taskArns"])
