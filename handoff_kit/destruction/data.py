"""All objects below a prefix of a bucket with their versions, and unfinished uploads: counted and deleted."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from handoff_kit.remote.errors import told
from handoff_kit.steps import ApiCalls, Change
from handoff_kit.text import plural
from handoff_runtime.aws.clients import S3, Clients

NO_BUCKET = ("NoSuchBucket",)
VERSIONS_PER_CALL = 1000
"""Amazon S3 API Reference, DeleteObjects; a page of ListObjectVersions has as many."""
MOST_PAGES = 20  # counted of what is kept


@dataclass(frozen=True)
class Data:
    """Versions and delete markers by key and id; `objects` counts the current versions.

    `whole` is false where counting ended at MOST_PAGES.
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
        """Whether there is nothing to delete."""
        return not self.versions and not self.uploads

    @property
    def description(self) -> str:
        objects, versions = plural(self.objects, "object"), plural(len(self.versions), "version")
        more = "" if self.whole else "at least "
        unfinished = f", {len(self.uploads):,} unfinished uploads" if self.uploads else ""
        return f"s3://{self.bucket}/{self.prefix}: {more}{objects}, {versions}, {self.bytes:,} bytes{unfinished}"


def read(clients: Clients, bucket: str, prefix: str, *, whole: bool) -> Data | None:
    """Count objects, with `whole` to the end; None where there is no bucket."""
    request = {"Bucket": bucket, "Prefix": prefix}
    with told():
        uploads = clients.call_unless(NO_BUCKET, S3, "list_multipart_uploads", **request)
        if uploads is None:
            return None
        pages = list(islice(clients.pages(S3, "list_object_versions", **request), None if whole else MOST_PAGES))
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
    uploads = [
        Change(
            f"abort an unfinished upload of s3://{data.bucket}/{key}",
            S3,
            "abort_multipart_upload",
            {"Bucket": data.bucket, "Key": key, "UploadId": upload},
        )
        for key, upload in data.uploads
    ]
    starts = range(0, len(data.versions), VERSIONS_PER_CALL)
    removals = [_remove(data.bucket, place, data.versions[start : start + VERSIONS_PER_CALL]) for start in starts]
    calls = (*removals, *uploads)
    return (ApiCalls(calls),) if calls else ()


def _remove(bucket: str, place: str, versions: tuple[tuple[str, str], ...]) -> Change:
    named = [{"Key": key, "VersionId": version} for key, version in versions]
    request = {"Bucket": bucket, "Delete": {"Objects": named, "Quiet": True}}
    return Change(f"delete {plural(len(versions), 'version')} below {place}", S3, "delete_objects", request)
