"""What S3 holds below a prefix."""

from __future__ import annotations

from handoff_runtime import keys
from handoff_runtime.aws.clients import S3
from handoff_runtime.value import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from handoff_runtime.aws.clients import Clients


class Place(NamedTuple):
    """A bucket, and what the keys that matter in it begin with."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


class Item(NamedTuple):
    """An object; `path` is its key below the prefix."""

    key: str
    path: str
    size: int
    etag: str
    modified: float


def items(clients: Clients, place: Place) -> Iterator[Item]:
    """Every object below a prefix, in the order of keys; one call a thousand. A key that leads out is refused.

    Empty objects whose key ends with a slash are the folders that consoles draw, and left out.
    """
    for found in contents(clients, place):
        key, size = found["Key"], found["Size"]
        if size or not key.endswith("/"):
            path = keys.inside(key, place.prefix)
            yield Item(key, path, size, found["ETag"], found["LastModified"].timestamp())


def contents(clients: Clients, place: Place) -> Iterator[Any]:
    """Every object below a prefix as ListObjectsV2 describes it, whatever its key."""
    for page in clients.pages(S3, "list_objects_v2", Bucket=place.bucket, Prefix=place.prefix):
        yield from page.get("Contents", ())
