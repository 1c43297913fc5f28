"""A project's stack: what it is called in AWS, and one way to call what holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from handoff_kit.remote.errors import told
from handoff_runtime import keys
from handoff_runtime.terminal import safe_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from handoff_runtime.aws.clients import Clients

__all__ = ["Stack"]


@dataclass(frozen=True)
class Stack:
    """Where one project lies in AWS; `bucket` is empty where only its parameter is asked for.

    `options` are the flags that name the same project again, for the commands we suggest.
    """

    project: str
    environment: str
    name: str
    bucket: str
    options: str
    clients: Clients

    @property
    def parameter(self) -> str:
        """The parameter that holds the params document."""
        return keys.parameter(self.name)

    @property
    def bucket_owner(self) -> str:
        """The account that the bucket must belong to."""
        with told():
            return self.clients.bucket_owner()

    def call(self, service: str, operation: str, **request: object) -> dict[str, Any]:
        """Call an operation by the name of boto3's method; AWSError when it stays refused."""
        with told():
            return cast("dict[str, Any]", self.clients.call(service, operation, **request))

    def call_unless(
        self, codes: Collection[str], service: str, operation: str, **request: object
    ) -> dict[str, Any] | None:
        """The same, but None where AWS answers with one of these codes or statuses."""
        with told():
            return cast("dict[str, Any] | None", self.clients.call_unless(codes, service, operation, **request))

    def pages(
        self, service: str, operation: str, *, allow: Collection[str] = (), **request: object
    ) -> Iterator[dict[str, Any]]:
        """The pages of a listing; none where AWS answers with one of the codes or statuses in `allow`."""
        with told():
            yield from self.clients.pages(service, operation, allow=allow, **request)

    def shown(self, key: str) -> str:
        """A key as the aws command line would name it, in one line."""
        return f"s3://{self.bucket}/{safe_name(key)}"
