"""The place of a project in AWS: its names, and the session that calls go through."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from handoff_kit.errors import translate_store_errors
from handoff_runtime import s3_keys
from handoff_runtime.aws.session import Session
from handoff_runtime.terminal import safe_name


@dataclass(frozen=True)
class Target:
    """`name` is that of the task stack, `bucket` is empty where only the parameter is used.

    `options` are the options that name the same project, for suggested commands.
    """

    project: str
    environment: str
    name: str
    bucket: str
    options: str
    session: Session

    @property
    def parameter(self) -> str:
        """The name of the parameter that holds the params document."""
        return s3_keys.parameter(self.name)

    @property
    def bucket_owner(self) -> str:
        """The account that the bucket must belong to."""
        with translate_store_errors():
            return self.session.bucket_owner()

    def call(self, service: str, operation: str, *, allow: Collection[str] = (), **request: object) -> Any:  # noqa: ANN401
        """Call an operation by the name of boto3's method; AWSError when it stays refused.

        None where AWS answers with one of the codes or statuses in `allow`.
        """
        with translate_store_errors():
            return self.session.call(service, operation, allow=allow, **request)

    def pages(
        self, service: str, operation: str, *, allow: Collection[str] = (), **request: object
    ) -> Iterator[dict[str, Any]]:
        """The pages of a listing; none where AWS answers with one of the codes or statuses in `allow`."""
        with translate_store_errors():
            yield from self.session.pages(service, operation, allow=allow, **request)

    def url(self, key: str) -> str:
        """A key as s3://BUCKET/KEY, in one line."""
        return f"s3://{self.bucket}/{safe_name(key)}"
