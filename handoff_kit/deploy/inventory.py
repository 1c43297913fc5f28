"""What a project has in AWS: stacks, images, log, data and params; and which of it a deletion deletes or keeps."""

from __future__ import annotations

from dataclasses import dataclass

from handoff_kit import resource_names
from handoff_kit.aws import buckets, ecr
from handoff_kit.aws.buckets import StoredObjects
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_owned
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
    name, tags = target.name, resource_names.owner_tags(target.project, target.environment)
    schedule_stack = describe_owned(target.session, resource_names.schedule_stack(name), tags)
    task_stack = describe_owned(target.session, name, tags)
    registry_stack = describe_owned(target.session, resource_names.registry_stack(name), tags)
    images = ecr.read_images(target, resource_names.repository(name))
    log_bytes = read_log_bytes(target)
    data = buckets.read_stored_objects(target.session, target.bucket, f"{name}/", complete=complete)
    parameter = target.call(SSM, "get_parameter", allow=NO_PARAMETER, Name=target.parameter)
    params_version = int(parameter["Parameter"]["Version"]) if parameter else None
    return Inventory(schedule_stack, task_stack, registry_stack, images, log_bytes, data, params_version)


def read_log_bytes(target: Target) -> int | None:
    """The size of a project's log group; None where there is none."""
    log_group = resource_names.log_group(target.name)
    page = target.call(LOGS, "describe_log_groups", logGroupNamePrefix=log_group)
    sizes = (int(group.get("storedBytes", 0)) for group in page["logGroups"] if group["logGroupName"] == log_group)
    return next(sizes, None)


def deleted_lines(target: Target, inventory: Inventory, *, data: bool) -> tuple[str, ...]:
    """What a deletion deletes, a line each."""
    name = target.name
    log = f", with its log ({inventory.log_bytes:,} bytes)" if inventory.log_bytes is not None else ""
    content = f", with {inventory.images.description}" if inventory.images else ""
    lines = (
        f"stack {resource_names.schedule_stack(name)}" if inventory.schedule_stack else "",
        f"stack {name}{log}" if inventory.task_stack else "",
        f"stack {resource_names.registry_stack(name)}{content}" if inventory.registry_stack else "",
        *(_data_lines(target, inventory) if data else ()),
    )
    return tuple(filter(None, lines))


def kept_lines(target: Target, inventory: Inventory, *, data: bool) -> tuple[str, ...]:
    """What a deletion keeps, a line each."""
    log = inventory.log_bytes is not None and not inventory.task_stack
    lines = (
        f"log group {resource_names.log_group(target.name)}, of no stack" if log else "",
        f"repository {inventory.images.repository}, of no stack"
        if inventory.images and not inventory.registry_stack
        else "",
        *(() if data else _data_lines(target, inventory)),
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


def _data_lines(target: Target, inventory: Inventory) -> tuple[str, ...]:
    """Files, artifacts, state, history and params."""
    lines = (
        inventory.data.description if inventory.data and not inventory.data.is_empty else "",
        f"parameter {target.parameter} (version {inventory.params_version})"
        if inventory.params_version is not None
        else "",
    )
    return tuple(filter(None, lines))
