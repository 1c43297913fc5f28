"""An account as it is: stacks, and params by their descriptions, of all projects; and one look at the lock of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handoff_kit.aws.cloudformation.stack import describe_all, describe_existing
from handoff_kit.aws.params import find_params, read_fingerprint
from handoff_kit.errors import HandoffError
from handoff_kit.remote.errors import AWSError, told
from handoff_runtime.aws import lease
from handoff_runtime.aws.clients import SSM
from handoff_runtime.aws.together import each
from handoff_runtime.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handoff_kit.aws.cloudformation.stack import StackDescription
    from handoff_kit.aws.target import Target
    from handoff_runtime.aws.clients import Clients
    from handoff_runtime.aws.lease import Found

__all__ = ["Account", "Stored", "locks", "read"]

A_PAGE = 50
"""AWS Systems Manager API Reference, DescribeParameters: so many at most."""

AT_ONCE = 16


@dataclass(frozen=True)
class Stored:
    """A stored params document: its version, and its fingerprint where it has one."""

    version: int
    fingerprint: str | None


@dataclass(frozen=True)
class Account:
    """Stacks and params by their names; `notes` tell what we may not see."""

    stacks: Mapping[str, StackDescription]
    params: Mapping[str, Stored] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read(clients: Clients, start: str, names: Sequence[str] = ()) -> Account:
    """All stacks, or only those of these names; and the parameters whose names begin so."""
    if names:
        stacks = [found for name in names if (found := describe_existing(clients, name))]
    else:
        stacks = [found for found in describe_all(clients) if found.name.startswith(start)]
    by_name = {stack.name: stack for stack in stacks}
    try:
        return Account(by_name, _params(clients, start))
    except AWSError as error:
        return Account(by_name, notes=(str(error),))


def _params(clients: Clients, start: str) -> dict[str, Stored]:
    filters = [{"Key": "Name", "Option": "BeginsWith", "Values": [start]}]
    with told():
        pages = list(clients.pages(SSM, "describe_parameters", ParameterFilters=filters, MaxResults=A_PAGE))
    parameters = [parameter for page in pages for parameter in page["Parameters"]]
    return {one["Name"]: Stored(one["Version"], read_fingerprint(one.get("Description", ""))) for one in parameters}


def document(stack: Target) -> Mapping[str, Any] | None:
    """The stored params document; None where it may not be read, or cannot be."""
    try:
        stored = find_params(stack)
    except HandoffError:
        return None
    return stored.document if stored else None


def locks(stacks: Sequence[Target]) -> list[Found | str | None]:
    """The lock of each, which tells the last run: None where there never was one, a text where it cannot be seen."""
    return list(each(_lock, stacks, AT_ONCE))


def _lock(stack: Target) -> Found | str | None:
    try:
        return lease.look(stack.clients, stack.bucket, stack.name)
    except StoreError as error:
        return str(error)
