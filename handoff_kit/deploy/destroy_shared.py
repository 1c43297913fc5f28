"""Delete the shared stack of an environment, once no project is deployed; with `data` its bucket too, which is last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handoff_kit import resource_names
from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.aws.buckets import StoredObjects, is_created_by, plan_object_deletion, read_stored_objects
from handoff_kit.aws.cloudformation.stack import (
    CLOUDFORMATION,
    StackDescription,
    describe_all,
    describe_owned,
)
from handoff_kit.aws.target import Target
from handoff_kit.console import confirm
from handoff_kit.deploy.destroy import destroy_command, print_inventory, verify_deletion
from handoff_kit.errors import AWSError, translate_store_errors
from handoff_kit.steps import ApiCall, ApiCalls, DeleteStack, Step
from handoff_kit.text import plural
from handoff_runtime import s3_keys
from handoff_runtime.aws.session import S3, SSM, Session

PROJECT, ENVIRONMENT = "handoff:project", "handoff:environment"
PARAMETERS_PER_CALL = 10
"""AWS Systems Manager API Reference, GetParameters and DeleteParameters."""


@dataclass(frozen=True)
class SharedInventory:
    """The shared stack, the projects that are deployed beside it, the bucket, and params of former projects.

    `has_own_bucket`: the bucket was created by this stack, now or before.
    """

    stack: StackDescription | None
    projects: tuple[str, ...]
    bucket: StoredObjects | None
    has_own_bucket: bool
    parameters: tuple[str, ...]


def shared_target(session: Session, environment: str, account: str) -> Target:
    """The shared stack of an environment, as a target without a project."""
    options = "" if environment == resource_names.DEFAULT_ENVIRONMENT else f" --environment {environment}"
    bucket = resource_names.bucket(environment, account, session.region)
    return Target("", environment, resource_names.shared_stack(environment), bucket, f"--shared{options}", session)


def destroy_shared(target: Target, *, data: bool, options: ApplyOptions) -> int:
    """Delete the shared stack, and with `data` its bucket; returns how many steps changed something, or would."""
    inventory, command = read_shared_inventory(target, data=data), destroy_command(target, data=data)
    if inventory.projects:
        count = plural(len(inventory.projects), "project")
        what = f"found stacks of {count} in environment {target.environment} ({', '.join(inventory.projects)})"
        hint = f"destroy them first: invoke destroy --project {inventory.projects[0]}"
        raise AWSError(f"destroy --shared: {what}, expected none", hint)
    if data and inventory.bucket and not inventory.bucket.is_empty and not inventory.has_own_bucket:
        message = f"bucket {target.bucket}: not created by stack {target.name}, so it is not emptied"
        hint = f"leave out --data; its owner: aws s3api get-bucket-tagging --bucket {target.bucket}"
        raise AWSError(message, hint)
    deleted, kept = _deleted(inventory, data=data), _kept(inventory, data=data)
    print_inventory(deleted, kept, f"shared by environment {target.environment}", options.say)
    steps = plan_shared_deletion(inventory, target, data=data)
    if steps and not options.dry:
        lost = " and the data of all its projects" if data else ""
        confirm(f"destroy what environment {target.environment} shares{lost}", command, yes=options.yes)
    done = apply(steps, target, replace(options, yes=True))
    if steps and not options.dry:
        now = read_shared_inventory(target, data=data)
        verify_deletion(_deleted(now, data=data), _kept(now, data=data), command, options.say)
    return done


def read_shared_inventory(target: Target, *, data: bool) -> SharedInventory:
    """All objects of the bucket are counted only with `data`."""
    session, name = target.session, target.name
    stacks = describe_all(session)
    stack = describe_owned(session, name, {ENVIRONMENT: target.environment})
    others = [each for each in stacks if each.tags.get(ENVIRONMENT) == target.environment and each.name != name]
    projects = tuple(sorted({each.tags.get(PROJECT, each.name) for each in others}))
    bucket = read_stored_objects(session, target.bucket, "", complete=data)
    is_own = bucket is not None and _has_own_bucket(target, stack)
    # `destroy --project` keeps the params and the data of a project, or neither
    stack_names = {key.partition("/")[0] for key, _ in bucket.versions if "/" in key} if bucket else set()
    parameters: list[str] = []
    with translate_store_errors():
        for names in _chunks([s3_keys.parameter(stack_name) for stack_name in sorted(stack_names)]):
            answer = session.call(SSM, "get_parameters", Names=names)
            parameters += (parameter["Name"] for parameter in answer["Parameters"])
    return SharedInventory(stack, projects, bucket, is_own, tuple(parameters))


def plan_shared_deletion(inventory: SharedInventory, target: Target, *, data: bool) -> tuple[Step, ...]:
    """Params and objects first, while the stack proves that it owns the bucket; then the stack, then its bucket."""
    stack = (DeleteStack(target.name, destroy_command(target, data=data)),) if inventory.stack else ()
    if not data or inventory.bucket is None:
        return stack
    calls = tuple(
        ApiCall(
            f"delete {plural(len(names), 'parameter')} ({', '.join(names)})", SSM, "delete_parameters", {"Names": names}
        )
        for names in _chunks(inventory.parameters)
    )
    params = (ApiCalls(calls),) if calls else ()
    bucket = ApiCall(f"delete bucket {target.bucket}", S3, "delete_bucket", {"Bucket": target.bucket})
    return (*params, *plan_object_deletion(inventory.bucket), *stack, ApiCalls((bucket,)))


def _deleted(inventory: SharedInventory, *, data: bool) -> tuple[str, ...]:
    stack = (f"stack {inventory.stack.name}",) if inventory.stack else ()
    return (*stack, *_data_lines(inventory)) if data else stack


def _kept(inventory: SharedInventory, *, data: bool) -> tuple[str, ...]:
    return () if data else _data_lines(inventory)


def _data_lines(inventory: SharedInventory) -> tuple[str, ...]:
    size = inventory.bucket.description.partition(": ")[2] if inventory.bucket else ""
    bucket = (f"bucket {inventory.bucket.bucket} ({size})",) if inventory.bucket else ()
    return (*bucket, *(f"parameter {name}" for name in inventory.parameters))


def _has_own_bucket(target: Target, stack: StackDescription | None) -> bool:
    """A tag of the bucket says so, or the stack does."""
    if is_created_by(target.session, target.bucket, target.name):
        return True
    request = {"StackName": target.name, "LogicalResourceId": "Bucket"}
    answer = target.call(CLOUDFORMATION, "describe_stack_resource", allow=("ValidationError",), **request)
    detail: dict[str, Any] = (answer or {}).get("StackResourceDetail", {})
    return stack is not None and detail.get("PhysicalResourceId") == target.bucket


def _chunks(names: Sequence[str]) -> Iterable[list[str]]:
    starts = range(0, len(names), PARAMETERS_PER_CALL)
    return (list(names[start : start + PARAMETERS_PER_CALL]) for start in starts)
