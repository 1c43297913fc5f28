"""What lies below a prefix of a bucket: every version of every object, and what was never uploaded whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from handoff_kit.remote.errors import told
from handoff_kit.steps import ApiCalls, Change
from handoff_runtime.aws.clients import S3

if TYPE_CHECKING:
    from handoff_runtime.aws.clients import Clients

__all__ = ["Data", "plan", "read"]

NO_BUCKET = ("NoSuchBucket",)
A_CALL = 1000
"""Amazon S3 API Reference, DeleteObjects: so many versions at most; ListObjectVersions tells as many."""
PAGES = 20  # that are counted of what is not to be removed


@dataclass(frozen=True)
class Data:
    """Versions (of objects, and marks that one was removed) by key and id; `objects` are there at present.

    `whole` says whether they were counted to the end.
    """

    bucket: str
    prefix: str
    versions: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    uploads: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    objects: int = 0
    bytes: int = 0
    whole: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there."""
        return not self.versions and not self.uploads

    @property
    def description(self) -> str:
        objects = f"{self.objects:,} object{'' if self.objects == 1 else 's'}"
        more = "" if self.whole else "at least "
        versions = f"{len(self.versions):,} version{'' if len(self.versions) == 1 else 's'}"
        unfinished = f", {len(self.uploads):,} unfinished uploads" if self.uploads else ""
        return f"s3://{self.bucket}/{self.prefix}: {more}{objects}, {versions}, {self.bytes:,} bytes{unfinished}"


def read(clients: Clients, bucket: str, prefix: str, *, whole: bool) -> Data | None:
    """What is there, counted to the end only where the `whole` is asked for; None where there is no bucket."""
    request = {"Bucket": bucket, "Prefix": prefix}
    with told():
        uploads = clients.call_unless(NO_BUCKET, S3, "list_multipart_uploads", **request)
        if uploads is None:
            return None
        pages = list(islice(clients.pages(S3, "list_object_versions", **request), None if whole else PAGES))
    found = [one for page in pages for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))]
    return Data(
        bucket,
        prefix,
        tuple((one["Key"], one["VersionId"]) for one in found),
        tuple((one["Key"], one["UploadId"]) for one in uploads.get("Uploads", ())),
        sum(bool(one["IsLatest"]) for one in found if "Size" in one),
        sum(one.get("Size", 0) for one in found),
        whole=not (pages and pages[-1].get("IsTruncated")),
    )


def plan(data: Data) -> tuple[ApiCalls, ...]:
    """The calls that delete all of it."""
    place = f"s3://{data.bucket}/{data.prefix}"
    uploads = [_abort(data.bucket, key, upload) for key, upload in data.uploads]
    starts = range(0, len(data.versions), A_CALL)
    removals = [_remove(data.bucket, place, data.versions[start : start + A_CALL]) for start in starts]
    calls = (*removals, *uploads)
    return (ApiCalls(calls),) if calls else ()


def _remove(bucket: str, place: str, versions: tuple[tuple[str, str], ...]) -> Change:
    named = [{"Key": key, "VersionId": version} for key, version in versions]
    count = f"{len(versions):,} version{'' if len(versions) == 1 else 's'}"
    request = {"Bucket": bucket, "Delete": {"Objects": named, "Quiet": True}}
    return Change(f"delete {count} below {place}", S3, "delete_objects", request)


def _abort(bucket: str, key: str, upload: str) -> Change:
    request = {"Bucket": bucket, "Key": key, "UploadId": upload}
    return Change(f"abort an unfinished upload of s3://{bucket}/{key}", S3, "abort_multipart_upload", request)
