"""What the projects of an environment share, taken out of AWS: only where no project is left, its bucket at last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_kit import given, resource_names
from handoff_kit.aws.buckets import is_created_by
from handoff_kit.aws.cloudformation.stack import (
    ABSENT_STATUSES,
    CLOUDFORMATION,
    check_owner,
    describe_all,
    describe_stack,
)
from handoff_kit.destruction import data as contents
from handoff_kit.destruction.batch import Batch
from handoff_kit.destruction.execute import execute
from handoff_kit.destruction.telling import count, listed, prove
from handoff_kit.remote import consent
from handoff_kit.remote.change import Change
from handoff_kit.remote.errors import AWSError, told
from handoff_kit.steps import RemoveStack
from handoff_runtime import keys
from handoff_runtime.aws.clients import S3, SSM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from handoff_kit.aws.cloudformation.stack import StackDescription
    from handoff_kit.destruction.data import Data
    from handoff_kit.destruction.plan import Removal
    from handoff_runtime.aws.clients import Clients

    Say = Callable[[str], None]

__all__ = ["Asked", "Shared", "destroy", "plan", "read"]

PROJECT, ENVIRONMENT = "handoff:project", "handoff:environment"
A_CALL = 10
"""AWS Systems Manager API Reference, GetParameters and DeleteParameters: so many names at most."""


@dataclass(frozen=True)
class Asked:
    """Which environment, in which account, and whether its data goes too."""

    environment: str
    account: str
    data: bool

    @property
    def again(self) -> str:
        """How to do the same again."""
        environment = "" if self.environment == given.DEFAULT_ENVIRONMENT else f" --environment {self.environment}"
        return f"invoke destroy --shared{environment}{' --data' if self.data else ''}"


@dataclass(frozen=True)
class Shared:
    """The stack, the stacks of projects beside it, the bucket, whether that is ours, and params of former projects."""

    stack: StackDescription | None
    projects: tuple[str, ...]
    bucket: Data | None
    ours: bool
    parameters: tuple[str, ...]


def destroy(clients: Clients, asked: Asked, *, dry: bool, yes: bool, say: Say) -> int:
    """Remove what is to go; of how many steps that was, or with `dry` would be."""
    found = read(clients, asked)
    _refuse(found, asked)
    steps = plan(found, asked)
    gone, kept = _goes(found, asked), _stays(found, asked)
    if not gone:
        say(f"nothing {'but what stays ' if kept else ''}is there that environment {asked.environment} shares")
    listed("goes", gone, say)
    listed("stays", kept, say)
    if steps and not dry:
        lost = " and the data of all its projects" if asked.data else ""
        consent.ask(f"destroy what environment {asked.environment} shares{lost}", asked.again, yes=yes)
    execute(steps, clients, lambda _: None, dry=dry, say=say)
    if steps and not dry:
        now = read(clients, asked)
        prove(_goes(now, asked), (*_goes(now, asked), *_stays(now, asked)), asked.again, say)
    return len(steps)


def read(clients: Clients, asked: Asked) -> Shared:
    """Look at everything."""
    name, every = resource_names.shared(asked.environment), describe_all(clients)
    stack = describe_stack(clients, name)
    stack = None if stack is None or stack.status == "DELETE_COMPLETE" else stack
    if stack and stack.status not in ABSENT_STATUSES:
        check_owner(stack, {ENVIRONMENT: asked.environment})
    others = [one for one in every if one.tags.get(ENVIRONMENT) == asked.environment and one.name != name]
    projects = tuple(sorted({one.tags.get(PROJECT, one.name) for one in others}))
    bucket = resource_names.bucket(asked.environment, asked.account, clients.region)
    found = contents.read(clients, bucket, "", whole=asked.data)
    ours = found is not None and _is_ours(clients, bucket, name, stack)
    return Shared(stack, projects, found, ours, _parameters(clients, found) if found else ())


def plan(found: Shared, asked: Asked) -> tuple[Removal, ...]:
    """The data first, while the stack can tell whose it is; then the stack, which leaves its bucket; that at last."""
    stack = (RemoveStack(resource_names.shared(asked.environment), asked.again),) if found.stack else ()
    if not asked.data or found.bucket is None:
        return stack
    bucket = found.bucket.bucket
    calls = [
        Change(f"remove {count(len(some), 'parameter')} ({', '.join(some)})", SSM, "delete_parameters", {"Names": some})
        for some in _chunks(found.parameters)
    ]
    params = (Batch(tuple(calls)),) if calls else ()
    last = Batch((Change(f"remove bucket {bucket}", S3, "delete_bucket", {"Bucket": bucket}),))
    return (*params, *contents.plan(found.bucket), *stack, last)


def _refuse(found: Shared, asked: Asked) -> None:
    """What must not be taken from those who use it, and what is not ours."""
    if found.projects:
        listing = ", ".join(found.projects)
        what = f"found stacks of {count(len(found.projects), 'project')} in environment {asked.environment}"
        hint = f"destroy them first: invoke destroy --project {found.projects[0]}"
        raise AWSError(f"destroy --shared: {what} ({listing}), expected none", hint)
    if asked.data and found.bucket and not found.bucket.is_empty and not found.ours:
        bucket, name = found.bucket.bucket, resource_names.shared(asked.environment)
        message = f"bucket {bucket}: found one that stack {name} has not made, which is never emptied"
        raise AWSError(message, f"leave out --data; whose is it? aws s3api get-bucket-tagging --bucket {bucket}")


def _goes(found: Shared, asked: Asked) -> tuple[str, ...]:
    stack = f"stack {resource_names.shared(asked.environment)}" if found.stack else ""
    return tuple(filter(None, (stack, *(_kept(found) if asked.data else ()))))


def _stays(found: Shared, asked: Asked) -> tuple[str, ...]:
    return () if asked.data else _kept(found)


def _kept(found: Shared) -> tuple[str, ...]:
    bucket = (f"bucket {found.bucket.bucket} ({found.bucket.told.partition(': ')[2]})",) if found.bucket else ()
    return (*bucket, *(f"parameter {name}" for name in found.parameters))


def _is_ours(clients: Clients, bucket: str, name: str, stack: StackDescription | None) -> bool:
    """Whether our stack made the bucket: a tag says so, or the stack does."""
    if is_created_by(clients, bucket, name):
        return True
    with told():
        asked = {"StackName": name, "LogicalResourceId": "Bucket"}
        made = clients.call_unless(("ValidationError",), CLOUDFORMATION, "describe_stack_resource", **asked)
    detail: dict[str, Any] = (made or {}).get("StackResourceDetail", {})
    return stack is not None and detail.get("PhysicalResourceId") == bucket


def _parameters(clients: Clients, bucket: Data) -> tuple[str, ...]:
    """The params of projects that left data here: `destroy --project` keeps both, or neither."""
    stacks = sorted({key.partition("/")[0] for key, _ in bucket.versions if "/" in key})
    found: list[str] = []
    with told():
        for some in _chunks([keys.parameter(stack) for stack in stacks]):
            answer = clients.call(SSM, "get_parameters", Names=some)
            found += (one["Name"] for one in answer["Parameters"])
    return tuple(found)


def _chunks(listing: Sequence[str]) -> Iterable[list[str]]:
    return (list(listing[start : start + A_CALL]) for start in range(0, len(listing), A_CALL))
