"""Buckets: whether one exists, which stack created it, the objects in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError, translate_store_errors
from handoff_kit.resource_names import BUCKET_MARK
from handoff_kit.steps import ApiCall, ApiCalls
from handoff_kit.text import count, plural, table, timestamp
from handoff_runtime.aws import transfer
from handoff_runtime.aws.session import S3, Session
from handoff_runtime.aws.transfer import Item, Place

NO_BUCKET = ("404", "NoSuchBucket")
UNTAGGED = ("NoSuchTagSet", "NoSuchBucket")
CREATED_BY = "aws:cloudformation:stack-name"
"""A tag that only CloudFormation can set."""


def bucket_exists(session: Session, bucket: str, account: str) -> bool:
    """Whether the bucket exists; AWSError for one of another account."""
    try:
        with translate_store_errors():
            found = session.call(S3, "head_bucket", allow=NO_BUCKET, Bucket=bucket, ExpectedBucketOwner=account)
    except AWSError as error:
        # S3 answers 403 alike for another account's bucket and for a missing permission
        if "403" not in error.message and "Forbidden" not in error.message:
            raise
        message = f"bucket {bucket}: not one that this account ({account}) may use; it belongs to another account, or"
        raise AWSError(
            f"{message} the permission s3:ListBucket on it is missing",
            "name a bucket of your own: deploy: {bucket: NAME} in project.yml, or export S3_BUCKET_NAME=NAME",
        ) from None
    return found is not None


def is_created_by(session: Session, bucket: str, stack: str) -> bool:
    """Whether a stack of this name created the bucket, by its tags."""
    with translate_store_errors():
        answer = session.call(S3, "get_bucket_tagging", allow=UNTAGGED, Bucket=bucket) or {}
    tags = {one["Key"]: one["Value"] for one in answer.get("TagSet", ())}
    return stack in (tags.get(CREATED_BY), tags.get(BUCKET_MARK))


def list_objects(target: Target, prefix: str) -> list[Item]:
    """The objects below a prefix of the project's bucket."""
    with translate_store_errors():
        return list(transfer.list_items(target.session, Place(target.bucket, prefix)))


def objects_table(items: Iterable[Item]) -> str:
    """Path, bytes and date of each object; empty where there is none."""
    rows = [(item.path, count(item.size), timestamp(item.modified)) for item in items]
    return table(("PATH", "BYTES", "STORED"), rows, right=("BYTES",)) if rows else ""


VERSIONS_PER_CALL = 1000
"""Amazon S3 API Reference, DeleteObjects; a page of ListObjectVersions has as many."""
MOST_PAGES = 20  # counted of what is kept


@dataclass(frozen=True)
class StoredObjects:
    """Versions and delete markers by key and id; `objects` counts the current versions.

    `complete` is false where counting ended at MOST_PAGES.
    """

    bucket: str
    prefix: str
    versions: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    uploads: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    objects: int = 0
    bytes: int = 0
    complete: bool = True

    @property
    def is_empty(self) -> bool:
        return not self.versions and not self.uploads

    @property
    def description(self) -> str:
        objects, versions = plural(self.objects, "object"), plural(len(self.versions), "version")
        more = "" if self.complete else "at least "
        unfinished = f", {len(self.uploads):,} unfinished uploads" if self.uploads else ""
        return f"s3://{self.bucket}/{self.prefix}: {more}{objects}, {versions}, {self.bytes:,} bytes{unfinished}"


def read_stored_objects(session: Session, bucket: str, prefix: str, *, complete: bool) -> StoredObjects | None:
    """Count objects, with `complete` to the end; None where there is no bucket."""
    request = {"Bucket": bucket, "Prefix": prefix}
    with translate_store_errors():
        uploads = session.call(S3, "list_multipart_uploads", allow=NO_BUCKET, **request)
        if uploads is None:
            return None
        pages = list(islice(session.pages(S3, "list_object_versions", **request), None if complete else MOST_PAGES))
    versions = [one for page in pages for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))]
    return StoredObjects(
        bucket,
        prefix,
        tuple((one["Key"], one["VersionId"]) for one in versions),
        tuple((one["Key"], one["UploadId"]) for one in uploads.get("Uploads", ())),
        sum(bool(one["IsLatest"]) for one in versions if "Size" in one),
        sum(one.get("Size", 0) for one in versions),
        complete=not (pages and pages[-1].get("IsTruncated")),
    )


def plan_object_deletion(data: StoredObjects) -> tuple[ApiCalls, ...]:
    calls: list[ApiCall] = []
    for start in range(0, len(data.versions), VERSIONS_PER_CALL):
        versions = data.versions[start : start + VERSIONS_PER_CALL]
        objects = [{"Key": key, "VersionId": version} for key, version in versions]
        description = f"delete {plural(len(versions), 'version')} below s3://{data.bucket}/{data.prefix}"
        request: dict[str, Any] = {"Bucket": data.bucket, "Delete": {"Objects": objects, "Quiet": True}}
        calls.append(ApiCall(description, S3, "delete_objects", request))
    for key, upload in data.uploads:
        description = f"abort an unfinished upload of s3://{data.bucket}/{key}"
        request = {"Bucket": data.bucket, "Key": key, "UploadId": upload}
        calls.append(ApiCall(description, S3, "abort_multipart_upload", request))
    return (ApiCalls(tuple(calls)),) if calls else ()
