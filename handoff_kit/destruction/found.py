"""What there is of a project in AWS: stacks, images, log, data and params; and what of it goes, what stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import ABSENT_STATUSES, check_owner, describe_stack
from handoff_kit.destruction import data, images
from handoff_runtime.aws.clients import SSM

if TYPE_CHECKING:
    from handoff_kit.aws.cloudformation.stack import StackDescription
    from handoff_kit.aws.target import Target
    from handoff_kit.destruction.data import Data
    from handoff_kit.destruction.images import Images

__all__ = ["Found", "goes", "left", "read", "running", "stays", "there"]

LOGS, ECS = "logs", "ecs"
NO_CLUSTER = ("ClusterNotFoundException",)
NO_PARAMETER = ("ParameterNotFound",)


@dataclass(frozen=True)
class Found:
    """None for what is not there; `parameter` is the version of the params, `log` the bytes that are kept."""

    schedule: StackDescription | None
    task: StackDescription | None
    registry: StackDescription | None
    images: Images | None
    log: int | None
    data: Data | None
    parameter: int | None

    @property
    def stacks(self) -> int:
        """How many stacks there are."""
        return sum(one is not None for one in (self.schedule, self.task, self.registry))


def read(stack: Target, *, whole: bool) -> Found:
    """Look at everything; data is counted to the end where the `whole` is asked for. No stack may be another's."""
    name = stack.name
    schedule, task, registry = (
        _stack(stack, each) for each in (resource_names.schedule(name), name, resource_names.registry(name))
    )
    return Found(
        schedule,
        task,
        registry,
        images.read(stack, resource_names.repository(name)),
        _log(stack),
        data.read(stack.clients, stack.bucket, f"{name}/", whole=whole),
        _parameter(stack),
    )


def running(stack: Target, cluster: str) -> tuple[str, ...]:
    """The ids of the project's tasks that run, or are about to."""
    request = {"cluster": cluster, "family": resource_names.family(stack.name), "desiredStatus": "RUNNING"}
    pages = stack.pages(ECS, "list_tasks", allow=NO_CLUSTER, **request)
    return tuple(arn.rpartition("/")[2] for page in pages for arn in page["taskArns"])


def goes(stack: Target, found: Found, *, data: bool) -> tuple[str, ...]:
    """What is to be removed, a line each."""
    name, log = stack.name, f", with its log ({found.log:,} bytes)" if found.log is not None else ""
    pictures = f", with {found.images.told}" if found.images else ""
    lines = (
        f"stack {resource_names.schedule(name)}" if found.schedule else "",
        f"stack {name}{log}" if found.task else "",
        f"stack {resource_names.registry(name)}{pictures}" if found.registry else "",
        *(_kept(stack, found) if data else ()),
    )
    return tuple(filter(None, lines))


def stays(stack: Target, found: Found, *, data: bool) -> tuple[str, ...]:
    """What is there and is not to be removed, a line each."""
    name = stack.name
    loose = (
        f"log group {resource_names.log_group(name)}, of no stack" if found.log is not None and not found.task else "",
        f"repository {found.images.repository}, of no stack" if found.images and not found.registry else "",
    )
    return tuple(filter(None, (*loose, *(() if data else _kept(stack, found)))))


def there(stack: Target, found: Found) -> tuple[str, ...]:
    """All there is, a line each."""
    return (*goes(stack, found, data=True), *stays(stack, found, data=True))


def left(stack: Target, before: Found, now: Found, *, data: bool) -> tuple[str, ...]:
    """What should be gone and is not; a stack takes its log and its repository with it."""
    name = stack.name
    loose = (
        f"log group {resource_names.log_group(name)}" if before.task and not now.task and now.log is not None else "",
        f"repository {now.images.repository}" if before.registry and not now.registry and now.images else "",
    )
    return (*goes(stack, now, data=data), *filter(None, loose))


def _kept(stack: Target, found: Found) -> tuple[str, ...]:
    """Files, artifacts, state, history and params: what makes a project go on where it was."""
    lines = (
        found.data.told if found.data and not found.data.is_empty else "",
        f"parameter {stack.parameter} (version {found.parameter})" if found.parameter is not None else "",
    )
    return tuple(filter(None, lines))


def _stack(stack: Target, name: str) -> StackDescription | None:
    found = describe_stack(stack.clients, name)
    if found is None or found.status == "DELETE_COMPLETE":
        return None
    if found.status not in ABSENT_STATUSES:  # what was only ever reviewed has no tags yet
        check_owner(found, {"handoff:project": stack.project, "handoff:environment": stack.environment})
    return found


def _log(stack: Target) -> int | None:
    name = resource_names.log_group(stack.name)
    page = stack.call(LOGS, "describe_log_groups", logGroupNamePrefix=name)
    sizes = [int(one.get("storedBytes", 0)) for one in page["logGroups"] if one["logGroupName"] == name]
    return sizes[0] if sizes else None


def _parameter(stack: Target) -> int | None:
    found = stack.call_unless(NO_PARAMETER, SSM, "get_parameter", Name=stack.parameter)
    return int(found["Parameter"]["Version"]) if found else None
