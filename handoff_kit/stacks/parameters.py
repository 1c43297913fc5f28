"""The parameters of a stack as texts: an image by its digest, which can not come to mean another, and what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.remote import bucket as buckets
from handoff_kit.remote import registry
from handoff_kit.remote.errors import AWSError
from handoff_kit.steps import BucketThere, ImageTag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff_kit.stacks.deployed import Deployed
    from handoff_runtime.aws.clients import Clients

    Given = Mapping[str, str | ImageTag | BucketThere]

__all__ = ["resolved", "settled"]


def resolved(
    parameters: Given, clients: Clients, *, dry: bool = False, again: str = ""
) -> dict[str, str | BucketThere]:
    """The images by their digests; with `dry` one may be still to be pushed."""
    return {
        name: _image(value, clients, again, dry=dry) if isinstance(value, ImageTag) else value
        for name, value in parameters.items()
    }


def settled(
    values: Mapping[str, str | BucketThere], there: Deployed | None, clients: Clients, again: str
) -> dict[str, str]:
    """Every value as a text, now that it is known what stack is there."""
    return {
        name: _kept(name, value, there, clients, again) if isinstance(value, BucketThere) else value
        for name, value in values.items()
    }


def _kept(name: str, value: BucketThere, there: Deployed | None, clients: Clients, again: str) -> str:
    if there is not None:
        return there.parameters.get(name, "no")  # one that knows of no such thing has made its bucket
    if not buckets.is_there(clients, value.bucket, value.account):
        return "no"
    if buckets.is_marked(clients, value.bucket, value.stack):
        return "yes"
    message = (
        f"bucket {value.bucket}: found one that stack {value.stack} has not made, by the name that its own would have"
    )
    take = f"to use it: deploy: {{bucket: {value.bucket}}} in project.yml; to have one made: remove it"
    raise AWSError(message, f"{take}, then: {again}")


def _image(image: ImageTag, clients: Clients, again: str, *, dry: bool) -> str:
    if found := registry.digest(clients, image.repository, image.tag):
        return f"{image.uri}@{found}"
    if dry:
        return f"{image.uri}:{image.tag} (by its digest once pushed)"
    message = f"image {image.uri}:{image.tag}: not found in ECR, expected one that is pushed"
    raise AWSError(message, f"push it, and go on: {again}" if again else None)
