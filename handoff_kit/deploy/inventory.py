"""What a project has in AWS: stacks, images, log, data and params; and which of it a deletion deletes or keeps."""

from __future__ import annotations

from dataclasses import dataclass

from handoff_kit import resource_names
from handoff_kit.aws import buckets, ecr
from handoff_kit.aws.buckets import StoredObjects
from handoff_kit.aws.cloudformation.stack import ABSENT_STATUSES, StackDescription, check_owner, describe_stack
from handoff_kit.aws.ecr import StoredImages
from handoff_kit.aws.target import Target
from handoff_runtime.aws.session import SSM

LOGS = "logs"
NO_PARAMETER = ("ParameterNotFound",)


@dataclass(frozen=True)
class Inventory:
    """None for what does not exist; `log_bytes` is the size of the log group, `params_version` that of the params."""

    schedule_stack: StackDescription | None
    task_stack: StackDescription | None
    registry_stack: StackDescription | None
    images: StoredImages | None
    log_bytes: int | None
    data: StoredObjects | None
    params_version: int | None


def read_inventory(target: Target, *, complete: bool) -> Inventory:
    """Data is counted to the end only if `complete`. AWSError where a stack of these names belongs to another owner."""
    name = target.name
    return Inventory(
        _stack(target, resource_names.schedule_stack(name)),
        _stack(target, name),
        _stack(target, resource_names.registry_stack(name)),
        ecr.read_images(target, resource_names.repository(name)),
        _log_bytes(target),
        buckets.read_stored_objects(target.session, target.bucket, f"{name}/", complete=complete),
        _params_version(target),
    )


def deleted_lines(target: Target, found: Inventory, *, data: bool) -> tuple[str, ...]:
    """What a deletion deletes, a line each."""
    name = target.name
    log = f", with its log ({found.log_bytes:,} bytes)" if found.log_bytes is not None else ""
    content = f", with {found.images.description}" if found.images else ""
    lines = (
        f"stack {resource_names.schedule_stack(name)}" if found.schedule_stack else "",
        f"stack {name}{log}" if found.task_stack else "",
        f"stack {resource_names.registry_stack(name)}{content}" if found.registry_stack else "",
        *(_data_lines(target, found) if data else ()),
    )
    return tuple(filter(None, lines))


def kept_lines(target: Target, found: Inventory, *, data: bool) -> tuple[str, ...]:
    """What a deletion keeps, a line each."""
    log = found.log_bytes is not None and not found.task_stack
    lines = (
        f"log group {resource_names.log_group(target.name)}, of no stack" if log else "",
        f"repository {found.images.repository}, of no stack" if found.images and not found.registry_stack else "",
        *(() if data else _data_lines(target, found)),
    )
    return tuple(filter(None, lines))


def remaining_lines(target: Target, before: Inventory, after: Inventory, *, data: bool) -> tuple[str, ...]:
    """What a deletion should have deleted and did not; a stack takes its log and its repository with it."""
    log = before.task_stack and not after.task_stack and after.log_bytes is not None
    repository = before.registry_stack and not after.registry_stack
    lines = (
        f"log group {resource_names.log_group(target.name)}" if log else "",
        f"repository {after.images.repository}" if repository and after.images else "",
    )
    return (*deleted_lines(target, after, data=data), *filter(None, lines))


def _data_lines(target: Target, found: Inventory) -> tuple[str, ...]:
    """Files, artifacts, state, history and params."""
    lines = (
        found.data.description if found.data and not found.data.is_empty else "",
        f"parameter {target.parameter} (version {found.params_version})" if found.params_version is not None else "",
    )
    return tuple(filter(None, lines))


def _stack(target: Target, name: str) -> StackDescription | None:
    found = describe_stack(target.session, name)
    if found is None or found.status == "DELETE_COMPLETE":
        return None
    if found.status not in ABSENT_STATUSES:  # a stack that was only ever reviewed has no tags yet
        check_owner(found, resource_names.owner_tags(target.project, target.environment))
    return found


def _log_bytes(target: Target) -> int | None:
    name = resource_names.log_group(target.name)
    page = target.call(LOGS, "describe_log_groups", logGroupNamePrefix=name)
    sizes = [int(one.get("storedBytes", 0)) for one in page["logGroups"] if one["logGroupName"] == name]
    return sizes[0] if sizes else None


def _params_version(target: Target) -> int | None:
    found = target.call(SSM, "get_parameter", allow=NO_PARAMETER, Name=target.parameter)
    return int(found["Parameter"]["Version"]) if found else None
