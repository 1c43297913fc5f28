"""Images in ECR by tag and digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError, translate_store_errors
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


DEPLOYED = "deployed-"
"""The beginning of the tags that deployments give to their images; the rest is the time."""
MOST_DEPLOYED = 10
"""Images with such a tag that the lifecycle rules of the repository keep, however many newer ones there are."""
NO_SUCH_REPOSITORY = ("RepositoryNotFoundException",)
TAGGED_ALREADY = ("ImageAlreadyExistsException", "ImageTagAlreadyExistsException")


@dataclass(frozen=True)
class StoredImage:
    """An image in a repository; `tags` are those of its source, the newest last, without those of deployments."""

    digest: str
    tags: tuple[str, ...]
    pushed: datetime
    bytes: int


def list_images(target: Target, repository: str) -> list[StoredImage]:
    """The images of a repository, the newest first; without those that a manifest list names."""
    images = [
        StoredImage(
            image["imageDigest"],
            tuple(sorted(tag for tag in image.get("imageTags", ()) if not tag.startswith(DEPLOYED))),
            image["imagePushedAt"],
            image.get("imageSizeInBytes", 0),
        )
        for image in _describe_images(target, repository)
        if image.get("imageTags")
    ]
    return sorted(images, key=lambda image: (image.pushed, image.tags), reverse=True)


def tag_deployed_image(target: Target, repository: str, digest: str, moment: datetime) -> None:
    """Tag an image as deployed, unless it has the newest of these tags; the lifecycle rules keep the last ten.

    The oldest go first: of one image more than the rules count, ECR would delete the one that was pushed first.
    """
    place, images = {"repositoryName": repository}, list(_describe_images(target, repository))
    if newest_deployed(images) == digest:
        return
    if stale := stale_tags(images, digest):
        target.call(ECR, "batch_delete_image", **place, imageIds=[{"imageTag": tag} for tag in stale])
    found = target.call(ECR, "batch_get_image", **place, imageIds=[{"imageDigest": digest}])["images"]
    if not found:
        raise AWSError(f"image {digest}: not found in repository {repository}")
    fields = {name: found[0][name] for name in ("imageManifest", "imageManifestMediaType") if name in found[0]}
    tag = f"{DEPLOYED}{moment:%Y%m%dT%H%M%SZ}"
    target.call(ECR, "put_image", allow=TAGGED_ALREADY, **place, **fields, imageDigest=digest, imageTag=tag)


def newest_deployed(images: Sequence[Mapping[str, Any]]) -> str:
    """The digest of the image that was tagged as deployed last; empty where none is."""
    by_tag = _deployed_tags(images)
    return str(by_tag[max(by_tag)]["imageDigest"]) if by_tag else ""


def _deployed_tags(images: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {tag: image for image in images for tag in image.get("imageTags", ()) if tag.startswith(DEPLOYED)}


def stale_tags(images: Sequence[Mapping[str, Any]], deployed: str) -> list[str]:
    """The tags of deployments but for the last nine, the oldest first; none of the image that is `deployed`.

    Nor is one the only tag of its image, with which ECR would delete the image.
    """
    by_tag = _deployed_tags(images)
    return [
        tag
        for tag in sorted(by_tag)[: 1 - MOST_DEPLOYED]
        if by_tag[tag]["imageDigest"] != deployed and not all(each in by_tag for each in by_tag[tag]["imageTags"])
    ]


def _describe_images(target: Target, repository: str) -> Iterator[Any]:
    request = {"repositoryName": repository, "maxResults": 1000}
    for page in target.pages(ECR, "describe_images", allow=NO_SUCH_REPOSITORY, **request):
        yield from page["imageDetails"]


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
    pages = list(target.pages(ECR, "describe_images", allow=NO_SUCH_REPOSITORY, **request))
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
