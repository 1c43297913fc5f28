"""The images in a project's repository: how many, how large, and the calls that remove them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handoff_kit.aws.ecr import ECR
from handoff_kit.destruction.batch import Batch
from handoff_kit.remote.change import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handoff_kit.aws.target import Target

__all__ = ["Images", "plan", "read"]

NO_REPOSITORY = ("RepositoryNotFoundException",)
A_CALL = 100
"""Amazon ECR API Reference, BatchDeleteImage: so many images at most."""
LISTS = ("index", "manifest.list")
"""Parts of the media types of what names other images, which cannot be removed before it."""


@dataclass(frozen=True)
class Images:
    """By their digests; `lists` are those that name others."""

    repository: str
    lists: tuple[str, ...] = field(default=(), repr=False)
    plain: tuple[str, ...] = field(default=(), repr=False)
    bytes: int = 0

    @property
    def told(self) -> str:
        """In words."""
        count = len(self.lists) + len(self.plain)
        return f"{count:,} image{'' if count == 1 else 's'} ({self.bytes:,} bytes)"


def read(stack: Target, repository: str) -> Images | None:
    """What is there; None where there is no such repository."""
    request = {"repositoryName": repository, "maxResults": 1000}
    pages = list(stack.pages(ECR, "describe_images", allow=NO_REPOSITORY, **request))
    return _images(repository, [image for page in pages for image in page["imageDetails"]]) if pages else None


def plan(images: Images) -> tuple[Batch, ...]:
    """The calls that remove them all, those that name others first."""
    kinds = (images.lists, images.plain)
    return tuple(Batch(tuple(_calls(images.repository, digests))) for digests in kinds if digests)


def _images(repository: str, found: Sequence[Any]) -> Images:
    lists = [one["imageDigest"] for one in found if _is_list(one)]
    plain = [one["imageDigest"] for one in found if not _is_list(one)]
    return Images(repository, tuple(lists), tuple(plain), sum(one.get("imageSizeInBytes", 0) for one in found))


def _is_list(image: Any) -> bool:  # noqa: ANN401  # as boto3 hands it over
    return any(mark in image.get("imageManifestMediaType", "") for mark in LISTS)


def _calls(repository: str, digests: Sequence[str]) -> Iterable[Change]:
    for start in range(0, len(digests), A_CALL):
        some = [{"imageDigest": digest} for digest in digests[start : start + A_CALL]]
        what = f"remove {len(some):,} image{'' if len(some) == 1 else 's'} of repository {repository}"
        yield Change(what, ECR, "batch_delete_image", {"repositoryName": repository, "imageIds": some})
