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
    return (_item(found, place.prefix) for found in contents(clients, place) if not _folder(found))


def contents(clients: Clients, place: Place) -> Iterator[Any]:
    """Every object below a prefix as ListObjectsV2 describes it, whatever its key."""
    request = {"Bucket": place.bucket, "Prefix": place.prefix}
    while True:
        page = clients.call(S3, "list_objects_v2", **request)
        yield from page.get("Contents", ())
        if not page.get("IsTruncated"):
            return
        request = {**request, "ContinuationToken": page["NextContinuationToken"]}


def _folder(found: Any) -> bool:
    return bool(found["Key"].endswith("/") and not found["Size"])


def _item(found: Any, prefix: str) -> Item:
    key = found["Key"]
    return Item(key, keys.inside(key, prefix), found["Size"], found["ETag"], found["LastModified"].timestamp())
