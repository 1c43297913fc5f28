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
from handoff_kit.project.execution_input import SCHEDULE

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


def describe_starter(task: Task) -> str:
    """What started a task: a schedule, the trigger `run`, or who claims it of a task that no execution started."""
    containers = task.get("overrides", {}).get("containerOverrides", ())
    texts = {each["name"]: each["value"] for container in containers for each in container.get("environment", ())}
    schedule = f"schedule {texts[SCHEDULE]}" if texts.get(SCHEDULE) else ""
    return schedule or texts.get("TRIGGER") or str(task.get("startedBy", ""))


def list_running_tasks(tasks: ProjectTasks) -> list[Task]:
    """The running and starting tasks, the newest first; one that is listed but not described has status UNKNOWN."""
    listed = _list(tasks, "RUNNING")
    described = {task["taskArn"]: task for task in _describe(tasks, listed)}
    unknown = [{"taskArn": arn, "lastStatus": UNKNOWN_STATUS} for arn in listed if arn not in described]
    return [*described.values(), *unknown]


def newest_task(tasks: ProjectTasks) -> Task | None:
    """The newest task that has run; ECS forgets a task an hour after it stopped."""
    both = [*_list(tasks, "RUNNING"), *_list(tasks, "STOPPED")]
    return next(filter(has_started, _describe(tasks, both)), None)


def describe_task(tasks: ProjectTasks, task: str) -> Task | None:
    """A task by id or ARN; None where ECS does not know it, which may also be too early."""
    answer = _call_for_task(tasks, "describe_tasks", {"tasks": [task]})
    return next(iter(answer.get("tasks", ())), None) if answer else None


def stop_task(tasks: ProjectTasks, task: str, reason: str) -> bool:
    """Stop a task: SIGTERM, and SIGKILL after its stop timeout; False where ECS does not know it."""
    return _call_for_task(tasks, "stop_task", {"task": task, "reason": reason}) is not None


def _call_for_task(tasks: ProjectTasks, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer; None where ECS does not know the task, whose error code has other causes too."""
    try:
        answer: dict[str, Any] = tasks.target.call(ECS, operation, cluster=tasks.cluster, **request)
    except AWSError as error:
        if NO_TASK not in error.message:
            raise
        return None
    return answer


def _list(tasks: ProjectTasks, status: str) -> list[str]:
    request = {"cluster": tasks.cluster, "family": tasks.family, "desiredStatus": status}
    pages = list(tasks.target.pages(ECS, "list_tasks", allow=NO_CLUSTER, **request))
    if not pages:
        where = f"cluster {tasks.cluster}: found none in {describe_location(tasks.target.session)}"
        command = "deploy --repair" if tasks.machine else "deploy"  # with a machine only the cluster is gone
        raise AWSError(f"{where}, expected the project deployed", tasks.invoke(command))
    return [arn for page in pages for arn in page["taskArns"]]


def _describe(tasks: ProjectTasks, arns: Sequence[str]) -> list[Task]:
    """The tasks, the newest first."""
    described: list[Task] = []
    for start in range(0, len(arns), MAX_DESCRIBED):
        some = list(arns[start : start + MAX_DESCRIBED])
        described += tasks.target.call(ECS, "describe_tasks", cluster=tasks.cluster, tasks=some).get("tasks", ())
    return sorted(described, key=lambda task: str(task.get("createdAt", "")), reverse=True)


def list_running_ids(target: Target, cluster: str) -> tuple[str, ...]:
    """The ids of the tasks of a project that are running or starting; none where there is no such cluster."""
    request = {"cluster": cluster, "family": resource_names.family(target.name), "desiredStatus": "RUNNING"}
    pages = target.pages(ECS, "list_tasks", allow=NO_CLUSTER, **request)
    return tuple(task_id(arn) for page in pages for arn in page["taskArns"])
