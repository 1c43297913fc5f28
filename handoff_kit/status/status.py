"""The task status: all projects at once, or one in detail, with as few calls as that takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import check_owner
from handoff_kit.aws.session import account_of, deployed_bucket, note_on_bucket, target_by_name
from handoff_kit.errors import ProjectError
from handoff_kit.remote.errors import AWSError
from handoff_kit.resource_names import STACK_VARIABLE
from handoff_kit.status import account as accounts
from handoff_kit.status import detail as details
from handoff_kit.status import here as files
from handoff_kit.status.row import row
from handoff_runtime import keys
from handoff_runtime.aws.lease import Found
from handoff_runtime.aws.together import each

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handoff_kit.aws.cloudformation.stack import StackDescription
    from handoff_kit.aws.target import Target
    from handoff_kit.names import ProjectPlace
    from handoff_kit.status.account import Account
    from handoff_kit.status.detail import Detail
    from handoff_kit.status.here import Here
    from handoff_kit.status.row import Row
    from handoff_runtime.aws.clients import Clients

__all__ = ["every", "one"]

AT_ONCE = 4


def every(
    places: Sequence[ProjectPlace], environment: str, environ: Mapping[str, str], clients: Clients
) -> tuple[list[Row], tuple[str, ...]]:
    """All projects, and what could not be seen: a call a project, and a few for all of them."""
    if resource_names.given_stack(environ) and len(places) > 1:
        message = f"{STACK_VARIABLE}: found together with all projects, expected one: --project NAME"
        raise ProjectError(message, f"unset {STACK_VARIABLE}")
    account = accounts.read(clients, f"{resource_names.shared(environment)}-")
    _check_whose(places[0], environment, environ, account.stacks.get(resource_names.given_stack(environ) or ""))
    return _rows([files.read(place, environment) for place in places], environment, environ, clients, account)


def one(
    place: ProjectPlace, environment: str, environ: Mapping[str, str], clients: Clients
) -> tuple[Row, Detail, tuple[str, ...]]:
    """One project, its files and tasks too, and what could not be seen."""
    name = target_by_name(place, environment, environ, clients, "").name
    account = accounts.read(clients, name, (name, resource_names.schedule(name)))
    _check_whose(place, environment, environ, account.stacks.get(name))
    here = files.read(place, environment)
    (found,), notes = _rows([here], environment, environ, clients, account)
    (stack,), _ = _stacks([here], environment, environ, clients, account)
    return found, details.read(here, stack, deployed=found.status is not None), notes


def _check_whose(
    place: ProjectPlace, environment: str, environ: Mapping[str, str], found: StackDescription | None
) -> None:
    """Refuse a STACK_NAME of another project."""
    if found and resource_names.given_stack(environ):
        check_owner(found, {"handoff:project": place.name, "handoff:environment": environment})


def _rows(
    found: Sequence[Here], environment: str, environ: Mapping[str, str], clients: Clients, account: Account
) -> tuple[list[Row], tuple[str, ...]]:
    now, (stacks, others) = datetime.now(timezone.utc), _stacks(found, environment, environ, clients, account)
    locks = _locks(stacks, account)
    unseen = [lock for lock in locks if isinstance(lock, str) and lock]
    damaged = [
        f"note: {stack.shown(keys.lease(stack.name))}: damaged ({lock.damage}); the next run replaces it"
        for stack, lock in zip(stacks, locks, strict=True)
        if isinstance(lock, Found) and lock.damage
    ]
    # several at a time, since fingerprints are slow to make
    rows = each(
        lambda of: row(*of, account, now, read=accounts.document), zip(found, stacks, locks, strict=True), AT_ONCE
    )
    return list(rows), tuple(dict.fromkeys((*account.notes, *unseen[:1], *damaged, *others)))


def _stacks(
    found: Sequence[Here], environment: str, environ: Mapping[str, str], clients: Clients, account: Account
) -> tuple[list[Target], tuple[str, ...]]:
    """The stack of each, with the bucket it is deployed with, and a note of each whose bucket is named otherwise.

    AWS is asked for the account once, where neither a deployed stack nor a name decides; no bucket where it is refused.
    """
    bare = [target_by_name(here.place, environment, environ, clients, "") for here in found]
    used = [deployed_bucket(account.stacks.get(stack.name), stack) for stack in bare]
    named = [
        resource_names.named_bucket(environ, here.loaded.deploy.bucket if here.loaded else None, here.place.shown)
        for here in found
    ]
    chosen = [bucket or (one.name if one else "") for bucket, one in zip(used, named, strict=True)]
    shared, unknown = ("", ()) if all(chosen) else _shared_bucket(environment, clients)
    stacks = [replace(stack, bucket=bucket or shared) for stack, bucket in zip(bare, chosen, strict=True)]
    pairs = zip(bare, used, named, strict=True)
    notes = (note_on_bucket(stack.project, bucket, one) for stack, bucket, one in pairs if bucket)
    return stacks, (*unknown, *(f"note: {note}" for note in notes if note))


def _shared_bucket(environment: str, clients: Clients) -> tuple[str, tuple[str, ...]]:
    """Its name; none, and why, where AWS does not name the account."""
    try:
        return resource_names.bucket(environment, account_of(clients), clients.region), ()
    except AWSError as error:
        return "", (str(error),)


def _locks(stacks: Sequence[Target], account: Account) -> list[Found | str | None]:
    """Nobody has run what is neither deployed nor has params; an empty text where its bucket is not known."""
    there = [stack for stack in stacks if stack.name in account.stacks or stack.parameter in account.params]
    known = [stack for stack in there if stack.bucket]
    found = dict(zip((stack.name for stack in known), accounts.locks(known), strict=True))
    unseen = {stack.name: "" for stack in there if not stack.bucket}
    return [{**unseen, **found}.get(stack.name) for stack in stacks]
