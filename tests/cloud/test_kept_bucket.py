"""A bucket that outlives its stack: the next stack of that name takes it up, and one of somebody else's is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handoff_kit.aws.cloudformation.stack import StackDescription, resolve_buckets
from handoff_kit.errors import AWSError
from handoff_kit.steps import ExistingBucket

if TYPE_CHECKING:
    from doubles.moto_bucket import MotoBucket

ACCOUNT = "123456789012"
STACK = "handoff-dev"
NEWER, OLDER = (
    StackDescription(STACK, "CREATE_COMPLETE", {"KeptBucket": "yes"}),
    StackDescription(STACK, "CREATE_COMPLETE", {}),
)


def settled(moto_bucket: MotoBucket, there: StackDescription | None = None, bucket: str = "") -> str:
    value = ExistingBucket(bucket or moto_bucket.bucket, ACCOUNT, STACK)
    return resolve_buckets({"KeptBucket": value}, there, moto_bucket.session(), "invoke deploy")["KeptBucket"]


def mark(moto_bucket: MotoBucket, **tags: str) -> None:
    tagging = {"TagSet": [{"Key": key.replace("_", ":"), "Value": value} for key, value in tags.items()]}
    moto_bucket.boto("s3").put_bucket_tagging(Bucket=moto_bucket.bucket, Tagging=tagging)


def test_none_is_there(moto_bucket: MotoBucket) -> None:
    assert settled(moto_bucket, bucket="handoff-dev-nobody") == "no"


def test_ours_from_before_is_there(moto_bucket: MotoBucket) -> None:
    mark(moto_bucket, handoff_stack=STACK, other="x")
    assert settled(moto_bucket) == "yes"


@pytest.mark.parametrize("tags", [{}, {"handoff_stack": "handoff-prod"}], ids=["without a tag", "of another stack"])
def test_another_s_is_there(moto_bucket: MotoBucket, tags: dict[str, str]) -> None:
    if tags:
        mark(moto_bucket, **tags)
    with pytest.raises(AWSError) as raised:
        settled(moto_bucket)
    assert str(raised.value) == (
        f"error: bucket {moto_bucket.bucket}: exists already, and stack handoff-dev did not create it\n"
        f"hint: to use it: deploy: {{bucket: {moto_bucket.bucket}}} in project.yml; to have one created: delete it, then: invoke deploy"
    )


@pytest.mark.parametrize(("there", "expected"), [(NEWER, "yes"), (OLDER, "no")], ids=["kept", "made"])
def test_a_stack_that_is_there_keeps_what_it_was_told(
    moto_bucket: MotoBucket, there: StackDescription, expected: str
) -> None:
    assert settled(moto_bucket, there) == expected
