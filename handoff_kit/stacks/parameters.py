"""Stack parameters whose values are looked up in AWS: images by their digests, whether a bucket exists."""

from __future__ import annotations

from collections.abc import Mapping

from handoff_kit.aws.buckets import bucket_exists, is_created_by
from handoff_kit.aws.ecr import image_digest
from handoff_kit.remote.errors import AWSError
from handoff_kit.stacks.deployed import Deployed
from handoff_kit.steps import BucketThere, ImageTag
from handoff_runtime.aws.clients import Clients


def resolved(
    parameters: Mapping[str, str | ImageTag | BucketThere], clients: Clients, *, dry: bool = False, again: str = ""
) -> dict[str, str | BucketThere]:
    """The parameters with images by their digests; with `dry` an image need not be pushed yet."""
    values: dict[str, str | BucketThere] = {}
    for name, value in parameters.items():
        if not isinstance(value, ImageTag):
            values[name] = value
        elif digest := image_digest(clients, value.repository, value.tag):
            values[name] = f"{value.uri}@{digest}"
        elif dry:
            values[name] = f"{value.uri}:{value.tag} (by its digest once pushed)"
        else:
            message = f"image {value.uri}:{value.tag}: not found in ECR"
            raise AWSError(message, f"push it: {again}" if again else None)
    return values


def settled(
    values: Mapping[str, str | BucketThere], stack: Deployed | None, clients: Clients, again: str
) -> dict[str, str]:
    """The parameters as texts; a deployed `stack` keeps its value of a BucketThere."""
    return {
        name: _bucket_exists(name, value, stack, clients, again) if isinstance(value, BucketThere) else value
        for name, value in values.items()
    }


def _bucket_exists(name: str, value: BucketThere, stack: Deployed | None, clients: Clients, again: str) -> str:
    if stack is not None:
        return stack.parameters.get(name, "no")  # a stack without this parameter has created its bucket
    if not bucket_exists(clients, value.bucket, value.account):
        return "no"
    if is_created_by(clients, value.bucket, value.stack):
        return "yes"
    message = f"bucket {value.bucket}: exists already, and stack {value.stack} did not create it"
    use = f"to use it: deploy: {{bucket: {value.bucket}}} in project.yml; to have one created: delete it"
    raise AWSError(message, f"{use}, then: {again}")
