"""What is told of one project besides: its files, and the tasks that run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit.fargate import ground, tasks
from handoff_kit.remote import files
from handoff_kit.remote.errors import AWSError
from handoff_kit.remote.table import stamp

if TYPE_CHECKING:
    from handoff_kit.fargate.tasks import Task
    from handoff_kit.project.model import Project
    from handoff_kit.remote.stack import Stack
    from handoff_kit.status.here import Here

__all__ = ["Detail", "read"]


@dataclass(frozen=True)
class Detail:
    """In words."""

    files: str
    tasks: tuple[str, ...]


def read(here: Here, stack: Stack, *, deployed: bool) -> Detail:
    """Look at its files and its tasks; what cannot be seen is told in its place."""
    if not deployed:
        return Detail("none", ())
    return Detail(_files(here, stack), _tasks(stack, here.loaded) if here.loaded else ())


def _files(here: Here, stack: Stack) -> str:
    try:
        plan = files.compare(stack, here.place)
    except AWSError as error:
        return f"unknown: {error.message}"
    if plan.send:
        return f"differs: {len(plan.send)} to upload, {len(plan.same)} in step"
    gone = f", {len(plan.gone)} stored that are not here" if plan.gone else ""
    return f"in step: {len(plan.same)}{gone}" if plan.same or plan.gone else "none"


def _tasks(stack: Stack, loaded: Project) -> tuple[str, ...]:
    try:
        return tuple(map(_task, tasks.running(ground.cluster_of(stack, loaded.deploy))))
    except AWSError as error:
        return (f"unknown: {error.message}",)


def _task(task: Task) -> str:
    began = task.get("startedAt") or task.get("createdAt")
    since = f" since {stamp(began)}" if began else ""
    by = f", started by {task['startedBy']}" if task.get("startedBy") else ""
    return f"{tasks.id_of(task['taskArn'])} {task['lastStatus']}{since}{by}"
