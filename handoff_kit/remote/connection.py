"""The way to a project in AWS: names from flags and environment variables, clients as boto3 makes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from handoff_kit.remote import names, parameter
from handoff_kit.remote.errors import told
from handoff_kit.remote.stack import Stack
from handoff_kit.stacks import deployed
from handoff_runtime.aws import clients as connections

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handoff_kit.names import ProjectPlace
    from handoff_kit.remote.names import NamedBucket
    from handoff_kit.stacks.deployed import Deployed
    from handoff_runtime.aws.clients import Clients

    Say = Callable[[str], None]

__all__ = ["account", "bucket_of", "connect", "other_bucket", "place", "sign_in", "stack"]


def connect(
    place: ProjectPlace,
    environment: str,
    environ: Mapping[str, str],
    say: Say,
    *,
    bucket: bool = True,
    own: str | None = None,
) -> Stack:
    """The stack of a project; a STACK_NAME that belongs to another project is refused.

    The bucket is the one the project is deployed with. Before it is deployed S3_BUCKET_NAME decides, then `own`, the
    bucket that the project file names.
    """
    named = names.named_bucket(environ, own, place.shown)
    clients = sign_in(environ, say)
    found = stack(place, environment, environ, clients, "")
    if not bucket:
        return found
    used = bucket_of(deployed.read(clients, found.name), found)
    if used and (note := other_bucket(found.project, used, named)):
        say(f"note: {note}; {used} is used")
    name = used or (named.name if named else names.bucket(environment, account(clients), clients.region))
    found = replace(found, bucket=name)
    if names.given_stack(environ):
        parameter.check_whose(found)
    return found


def bucket_of(there: Deployed | None, found: Stack) -> str:
    """The bucket a project is deployed with; empty where it is not deployed, or the stack is another's."""
    owner = {"handoff:project": found.project, "handoff:environment": found.environment}
    return there.bucket if there and owner.items() <= there.tags.items() else ""


def other_bucket(project: str, used: str, named: NamedBucket | None) -> str:
    """What to say where a variable or the project file names another bucket than the one that is used."""
    if named is None or named.name == used:
        return ""
    return f"project {project} is deployed with bucket {used}; {named.source} says {named.name}"


def sign_in(environ: Mapping[str, str], say: Say) -> Clients:
    """Clients for the credentials and the region of the environment; nothing is called yet.

    Buckets must belong to the account of the credentials, or to the one that S3_BUCKET_OWNER names.
    """
    with told():
        return connections.connect(environ, say, owner=names.given_owner(environ))


def account(clients: Clients) -> str:
    """The account that the credentials belong to, twelve digits."""
    with told():
        return clients.account()


def place(clients: Clients) -> str:
    """Where we look, in words, for who finds nothing there; one call."""
    return f"account {account(clients)}, region {clients.region}"


def stack(place: ProjectPlace, environment: str, environ: Mapping[str, str], clients: Clients, bucket: str) -> Stack:
    """A project's stack by its names; nothing is called."""
    name = names.given_stack(environ) or names.stack(place.name, environment)
    return Stack(place.name, environment, name, bucket, _options(place, environment), clients)


def _options(place: ProjectPlace, environment: str) -> str:
    more = "" if environment == names.DEFAULT_ENVIRONMENT else f" --environment {environment}"
    return f"--project {place.name}{more}"
