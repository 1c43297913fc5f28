"""A bucket as a whole: whether it is there, whose it is, and which stack has made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.remote import names
from handoff_kit.remote.errors import AWSError, told
from handoff_runtime.aws.clients import S3

if TYPE_CHECKING:
    from handoff_runtime.aws.clients import Clients

__all__ = ["is_marked", "is_there"]

ABSENT = ("404", "NoSuchBucket")
UNTAGGED = ("NoSuchTagSet", "NoSuchBucket")
MADE_BY = "aws:cloudformation:stack-name"
"""A tag that CloudFormation alone can give."""


def is_there(clients: Clients, bucket: str, account: str) -> bool:
    """Whether it is there; one of another account is refused."""
    try:
        with told():
            found = clients.call_unless(ABSENT, S3, "head_bucket", Bucket=bucket, ExpectedBucketOwner=account)
    except AWSError as error:
        raise _not_ours(bucket, account, error) from None
    return found is not None


def is_marked(clients: Clients, bucket: str, stack: str) -> bool:
    """Whether a stack of this name has made it, and says so by a tag."""
    with told():
        tags = clients.call_unless(UNTAGGED, S3, "get_bucket_tagging", Bucket=bucket)
    given = {one["Key"]: one["Value"] for one in (tags or {}).get("TagSet", ())}
    return stack in (given.get(MADE_BY), given.get(names.BUCKET_MARK))


def _not_ours(bucket: str, account: str, error: AWSError) -> AWSError:
    """S3 answers 403 alike where the bucket is another account's and where we may not look."""
    if "403" not in error.message and "Forbidden" not in error.message:
        return error
    message = f"bucket {bucket}: not one that this account ({account}) may use; it belongs to another account, or"
    return AWSError(
        f"{message} the permission s3:ListBucket on it is missing",
        "name a bucket of your own: deploy: {bucket: NAME} in project.yml, or export S3_BUCKET_NAME=NAME",
    )
