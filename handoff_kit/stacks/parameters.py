"""The parameters of a stack with images resolved: what is deployed by digest can not come to mean another image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.remote.errors import AWSError
from handoff_kit.steps import ImageTag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff_runtime.aws.clients import Clients

__all__ = ["ECR", "resolved"]

ECR = "ecr"
ABSENT = ("ImageNotFoundException", "RepositoryNotFoundException")


def resolved(
    parameters: Mapping[str, str | ImageTag], clients: Clients, *, dry: bool = False, again: str = ""
) -> dict[str, str]:
    """Every value as a text; with `dry` an image may be one that is still to be pushed."""
    return {
        name: _image(value, clients, again, dry=dry) if isinstance(value, ImageTag) else value
        for name, value in parameters.items()
    }


def _image(image: ImageTag, clients: Clients, again: str, *, dry: bool) -> str:
    request = {"repositoryName": image.repository, "imageIds": [{"imageTag": image.tag}]}
    found = clients.call_unless(ABSENT, ECR, "describe_images", **request)
    details = found["imageDetails"] if found else ()
    if details:
        return f"{image.uri}@{details[0]['imageDigest']}"
    if dry:
        return f"{image.uri}:{image.tag} (by its digest once pushed)"
    message = f"image {image.uri}:{image.tag}: not found in ECR, expected one that is pushed"
    raise AWSError(message, f"push it, and go on: {again}" if again else None)
