"""Images in ECR by tag and digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from handoff_kit.aws.target import Target
from handoff_kit.errors import translate_store_errors
from handoff_kit.steps import ApiCall, ApiCalls
from handoff_kit.text import plural
from handoff_runtime.aws.session import Session

ECR = "ecr"
NO_IMAGE = ("ImageNotFoundException", "RepositoryNotFoundException")


def image_digest(session: Session, repository: str, tag: str) -> str | None:
    """The digest of a tag (sha256:...), which a push sets last; None where there is none."""
    request = {"repositoryName": repository, "imageIds": [{"imageTag": tag}]}
    with translate_store_errors():
        answer = session.call(ECR, "describe_images", allow=NO_IMAGE, **request)
    return str(answer["imageDetails"][0]["imageDigest"]) if answer and answer["imageDetails"] else None


@dataclass(frozen=True)
class PushedImage:
    """An image of a source: its tag begins with the source's, and may name the base and the time of a rebuild."""

    tag: str
    digest: str


def newest_image(target: Target, repository: str, source: str) -> PushedImage | None:
    """The image of a source that was pushed last."""
    request = {"repositoryName": repository, "filter": {"tagStatus": "TAGGED"}, "maxResults": 1000}
    pages = target.pages(ECR, "describe_images", allow=NO_IMAGE, **request)
    found = [
        (image["imagePushedAt"], tag, image["imageDigest"])
        for page in pages
        for image in page["imageDetails"]
        for tag in image.get("imageTags", ())
        if tag == source or tag.startswith(f"{source}-")
    ]
    return PushedImage(*max(found)[1:]) if found else None


IMAGES_PER_CALL = 100
"""Amazon ECR API Reference, BatchDeleteImage."""
LISTS = ("index", "manifest.list")
"""Parts of the media types of manifest lists, which are deleted before the images they name."""


@dataclass(frozen=True)
class StoredImages:
    """Images by their digests; `lists` are manifest lists."""

    repository: str
    lists: tuple[str, ...] = field(default=(), repr=False)
    plain: tuple[str, ...] = field(default=(), repr=False)
    bytes: int = 0

    @property
    def description(self) -> str:
        return f"{plural(len(self.lists) + len(self.plain), 'image')} ({self.bytes:,} bytes)"


def read_images(target: Target, repository: str) -> StoredImages | None:
    """None where there is no such repository."""
    request = {"repositoryName": repository, "maxResults": 1000}
    pages = list(target.pages(ECR, "describe_images", allow=("RepositoryNotFoundException",), **request))
    if not pages:
        return None
    images = [image for page in pages for image in page["imageDetails"]]
    lists = tuple(one["imageDigest"] for one in images if _is_list(one))
    plain = tuple(one["imageDigest"] for one in images if not _is_list(one))
    return StoredImages(repository, lists, plain, sum(one.get("imageSizeInBytes", 0) for one in images))


def plan_image_deletion(images: StoredImages) -> tuple[ApiCalls, ...]:
    """The calls that delete them all, manifest lists first."""
    steps = []
    for digests in filter(None, (images.lists, images.plain)):
        calls = []
        for start in range(0, len(digests), IMAGES_PER_CALL):
            some = [{"imageDigest": digest} for digest in digests[start : start + IMAGES_PER_CALL]]
            description = f"delete {plural(len(some), 'image')} of repository {images.repository}"
            request = {"repositoryName": images.repository, "imageIds": some}
            calls.append(ApiCall(description, ECR, "batch_delete_image", request))
        steps.append(ApiCalls(tuple(calls)))
    return tuple(steps)


def _is_list(image: Any) -> bool:  # noqa: ANN401  # as boto3 hands it over
    return any(mark in image.get("imageManifestMediaType", "") for mark in LISTS)
