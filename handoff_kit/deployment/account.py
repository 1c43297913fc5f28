"""What there is of a project in an account, before anything is planned: a few calls, none of which changes anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit.remote import files, names, parameter
from handoff_kit.remote.errors import AWSError
from handoff_runtime.aws.clients import S3

if TYPE_CHECKING:
    from handoff_kit.deployment.wanted import Wanted
    from handoff_kit.remote.parameter import Stored
    from handoff_kit.remote.stack import Stack
    from handoff_runtime.aws.transfer import Plan

__all__ = ["ECR", "Account", "has_bucket", "is_pushed", "read"]

ECR = "ecr"
ABSENT = ("RepositoryNotFoundException", "ImageNotFoundException")


@dataclass(frozen=True)
class Account:
    """An account as a project finds it: whether its image is pushed, its stored params, how its files differ."""

    id: str
    region: str
    pushed: bool
    params: Stored | None
    files: Plan

    def uri(self, repository: str) -> str:
        """What docker calls a repository of this account."""
        return names.repository_uri(repository, self.id, self.region)


def read(wanted: Wanted, stack: Stack, account: str) -> Account:
    """Four calls, and a further one for each thousand files that are stored."""
    there = _has_bucket(wanted, stack, account)
    pushed = is_pushed(stack, names.repository(stack.name), wanted.tag)
    stored = parameter.replaceable(stack)
    plan = files.compare(stack, wanted.place) if there else files.first(wanted.place)
    return Account(account, stack.clients.region, pushed, stored, plan)


def is_pushed(stack: Stack, repository: str, tag: str) -> bool:
    """Whether ECR has an image of this tag, which is put there last, when all of it has arrived."""
    request = {"repositoryName": repository, "imageIds": [{"imageTag": tag}]}
    found = stack.call_unless(ABSENT, ECR, "describe_images", **request)
    return bool(found and found["imageDetails"])


def has_bucket(stack: Stack, account: str) -> bool:
    """Whether the stack's bucket is there; one of another account is refused."""
    owned = {"Bucket": stack.bucket, "ExpectedBucketOwner": account}
    try:
        return stack.call_unless(("404", "NoSuchBucket"), S3, "head_bucket", **owned) is not None
    except AWSError as error:
        raise _not_ours(stack, account, error) from None


def _has_bucket(wanted: Wanted, stack: Stack, account: str) -> bool:
    """The same; one of the user's own choice must be there."""
    found = has_bucket(stack, account)
    if not found and stack.bucket != names.bucket(wanted.environment, account, stack.clients.region):
        message = f"bucket {stack.bucket}: not found, expected the one that deploy.bucket or S3_BUCKET_NAME names"
        raise AWSError(message, f"make it: aws s3 mb s3://{stack.bucket}; or leave it out, for a shared one is made")
    return found


def _not_ours(stack: Stack, account: str, error: AWSError) -> AWSError:
    """S3 answers 403 alike where the bucket is another account's and where we may not look."""
    if "403" not in error.message and "Forbidden" not in error.message:
        return error
    message = f"bucket {stack.bucket}: not one that this account ({account}) may use; it belongs to another account, or"
    return AWSError(
        f"{message} the permission s3:ListBucket on it is missing",
        "name a bucket of your own: deploy: {bucket: NAME} in project.yml, or export S3_BUCKET_NAME=NAME",
    )
