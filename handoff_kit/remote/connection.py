"""The way to a project in AWS: names from flags and environment variables, clients as boto3 makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit import given
from handoff_kit.remote import names, parameter
from handoff_kit.remote.errors import told
from handoff_kit.remote.stack import Stack
from handoff_runtime.aws import clients as connections
from handoff_runtime.aws.clients import STS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handoff_kit.names import ProjectPlace
    from handoff_runtime.aws.clients import Clients

    Say = Callable[[str], None]

__all__ = ["connect"]


def connect(
    place: ProjectPlace, environment: str, environ: Mapping[str, str], say: Say, *, bucket: bool = True
) -> Stack:
    """The stack of a project; a STACK_NAME that belongs to another project is refused."""
    named, given_bucket = names.given_stack(environ), names.given_bucket(environ)
    with told():
        clients = connections.connect(environ, say)
        bucket_name = (given_bucket or _bucket(environment, clients)) if bucket else ""
    name = named or names.stack(place.name, environment)
    found = Stack(place.name, environment, name, bucket_name, _options(place, environment), clients)
    if named and bucket:
        parameter.check_whose(found)
    return found


def _bucket(environment: str, clients: Clients) -> str:
    account = clients.call(STS, "get_caller_identity")["Account"]
    return names.bucket(environment, account, clients.region)


def _options(place: ProjectPlace, environment: str) -> str:
    more = "" if environment == given.DEFAULT_ENVIRONMENT else f" --environment {environment}"
    return f"--project {place.name}{more}"
