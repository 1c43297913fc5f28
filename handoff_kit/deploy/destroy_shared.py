"""Delete the shared stack of an environment, once no project is deployed; with `data` its bucket too, which is last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handoff_kit import resource_names
from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.aws import buckets as contents
from handoff_kit.aws.buckets import StoredObjects, is_created_by
from handoff_kit.aws.cloudformation.stack import (
    ABSENT_STATUSES,
    CLOUDFORMATION,
    StackDescription,
    check_owner,
    describe_all,
    describe_stack,
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
    """The shared stack of an environment, which is of no project."""
    options = "" if environment == resource_names.DEFAULT_ENVIRONMENT else f" --environment {environment}"
    bucket = resource_names.bucket(environment, account, session.region)
    return Target("", environment, resource_names.shared_stack(environment), bucket, f"--shared{options}", session)


def destroy_shared(target: Target, *, data: bool, options: ApplyOptions) -> int:
    """Delete it; how many steps did something, or with `dry` would."""
    found, again = read_shared_inventory(target, data=data), destroy_command(target, data=data)
    _refuse(found, target, data=data)
    deleted, kept = _deleted(found, data=data), _kept(found, data=data)
    print_inventory(deleted, kept, f"shared by environment {target.environment}", options.say)
    steps = plan_shared_deletion(found, target, data=data)
    if steps and not options.dry:
        lost = " and the data of all its projects" if data else ""
        confirm(f"destroy what environment {target.environment} shares{lost}", again, yes=options.yes)
    done = apply(steps, target, replace(options, yes=True))
    if steps and not options.dry:
        now = read_shared_inventory(target, data=data)
        verify_deletion(_deleted(now, data=data), _kept(now, data=data), again, options.say)
    return done


def read_shared_inventory(target: Target, *, data: bool) -> SharedInventory:
    """With `data` the objects of the bucket are counted to the end."""
    session, name = target.session, target.name
    every = describe_all(session)
    stack = describe_stack(session, name)
    stack = None if stack is None or stack.status == "DELETE_COMPLETE" else stack
    if stack and stack.status not in ABSENT_STATUSES:
        check_owner(stack, {ENVIRONMENT: target.environment})
    others = [one for one in every if one.tags.get(ENVIRONMENT) == target.environment and one.name != name]
    projects = tuple(sorted({one.tags.get(PROJECT, one.name) for one in others}))
    bucket = contents.read_stored_objects(session, target.bucket, "", complete=data)
    own = bucket is not None and _has_own_bucket(target, stack)
    return SharedInventory(stack, projects, bucket, own, _parameters(session, bucket) if bucket else ())


def plan_shared_deletion(found: SharedInventory, target: Target, *, data: bool) -> tuple[Step, ...]:
    """The data while the stack proves that it owns the bucket, then the stack, which keeps its bucket, then that."""
    stack = (DeleteStack(target.name, destroy_command(target, data=data)),) if found.stack else ()
    if not data or found.bucket is None:
        return stack
    calls = tuple(
        ApiCall(
            f"delete {plural(len(some), 'parameter')} ({', '.join(some)})", SSM, "delete_parameters", {"Names": some}
        )
        for some in _chunks(found.parameters)
    )
    params = (ApiCalls(calls),) if calls else ()
    bucket = ApiCall(f"delete bucket {target.bucket}", S3, "delete_bucket", {"Bucket": target.bucket})
    return (*params, *contents.plan_object_deletion(found.bucket), *stack, ApiCalls((bucket,)))


def _refuse(found: SharedInventory, target: Target, *, data: bool) -> None:
    if found.projects:
        count = plural(len(found.projects), "project")
        what = f"found stacks of {count} in environment {target.environment} ({', '.join(found.projects)})"
        hint = f"destroy them first: invoke destroy --project {found.projects[0]}"
        raise AWSError(f"destroy --shared: {what}, expected none", hint)
    if data and found.bucket and not found.bucket.is_empty and not found.has_own_bucket:
        message = f"bucket {target.bucket}: not created by stack {target.name}, so it is not emptied"
        hint = f"leave out --data; its owner: aws s3api get-bucket-tagging --bucket {target.bucket}"
        raise AWSError(message, hint)


def _deleted(found: SharedInventory, *, data: bool) -> tuple[str, ...]:
    stack = (f"stack {found.stack.name}",) if found.stack else ()
    return (*stack, *_data_lines(found)) if data else stack


def _kept(found: SharedInventory, *, data: bool) -> tuple[str, ...]:
    return () if data else _data_lines(found)


def _data_lines(found: SharedInventory) -> tuple[str, ...]:
    size = found.bucket.description.partition(": ")[2] if found.bucket else ""
    bucket = (f"bucket {found.bucket.bucket} ({size})",) if found.bucket else ()
    return (*bucket, *(f"parameter {name}" for name in found.parameters))


def _has_own_bucket(target: Target, stack: StackDescription | None) -> bool:
    """A tag of the bucket says so, or the stack does."""
    if is_created_by(target.session, target.bucket, target.name):
        return True
    request = {"StackName": target.name, "LogicalResourceId": "Bucket"}
    answer = target.call(CLOUDFORMATION, "describe_stack_resource", allow=("ValidationError",), **request)
    detail: dict[str, Any] = (answer or {}).get("StackResourceDetail", {})
    return stack is not None and detail.get("PhysicalResourceId") == target.bucket


def _parameters(session: Session, bucket: StoredObjects) -> tuple[str, ...]:
    """The params of projects whose data is in the bucket: `destroy --project` keeps both, or neither."""
    stacks = sorted({key.partition("/")[0] for key, _ in bucket.versions if "/" in key})
    found: list[str] = []
    with translate_store_errors():
        for some in _chunks([s3_keys.parameter(stack) for stack in stacks]):
            answer = session.call(SSM, "get_parameters", Names=some)
            found += (one["Name"] for one in answer["Parameters"])
    return tuple(found)


def _chunks(names: Sequence[str]) -> Iterable[list[str]]:
    starts = range(0, len(names), PARAMETERS_PER_CALL)
    return (list(names[start : start + PARAMETERS_PER_CALL]) for start in starts)
