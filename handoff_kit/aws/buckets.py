"""A bucket: whether it exists, and which stack created it."""

from __future__ import annotations

from handoff_kit.remote.errors import AWSError, told
from handoff_kit.resource_names import BUCKET_MARK
from handoff_runtime.aws.clients import S3, Clients

NO_BUCKET = ("404", "NoSuchBucket")
UNTAGGED = ("NoSuchTagSet", "NoSuchBucket")
CREATED_BY = "aws:cloudformation:stack-name"
"""A tag that only CloudFormation can set."""


def bucket_exists(clients: Clients, bucket: str, account: str) -> bool:
    """Whether the bucket exists; AWSError for one of another account."""
    try:
        with told():
            found = clients.call_unless(NO_BUCKET, S3, "head_bucket", Bucket=bucket, ExpectedBucketOwner=account)
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


def is_created_by(clients: Clients, bucket: str, stack: str) -> bool:
    """Whether a stack of this name created the bucket, by its tags."""
    with told():
        answer = clients.call_unless(UNTAGGED, S3, "get_bucket_tagging", Bucket=bucket) or {}
    tags = {one["Key"]: one["Value"] for one in answer.get("TagSet", ())}
    return stack in (tags.get(CREATED_BY), tags.get(BUCKET_MARK))
