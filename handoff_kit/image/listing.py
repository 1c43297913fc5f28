"""Images that exist: their names, sizes and ages, as a builder knows them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from handoff_kit import text
from handoff_kit.errors import ImageError
from handoff_kit.image.build import CONTEXT, PROJECT, REVISION, label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

    from handoff_kit.image.builder import Builder

__all__ = ["Image", "images", "line", "of_inspection", "table"]

SHORT = 12
HEAD = ("PROJECT", "IMAGE", "ID", "SIZE", "AGE", "PLATFORM", "REVISION")
_AGES = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True)
class Image:
    """One image: its names, its id (sha256:...), bytes on disk, when it was made."""

    project: str
    names: tuple[str, ...]
    id: str
    size: int
    created: datetime
    platform: str
    revision: str
    context: str


def images(builder: Builder, project: str | None) -> tuple[Image, ...]:
    """The images of a project, or of all, the newest first."""
    wanted = f"label={PROJECT}={project}" if project else f"label={PROJECT}"
    listed = builder.ask((builder.kind, "image", "ls", "--quiet", "--no-trunc", "--filter", wanted))
    if listed.exit:
        raise ImageError(f"{builder.kind} cannot list its images: {listed.stderr.strip()}")
    ids = tuple(dict.fromkeys(listed.stdout.split()))
    if not ids:
        return ()
    found = json.loads(builder.ask((builder.kind, "image", "inspect", *ids)).stdout or "[]")
    return tuple(sorted(map(of_inspection, found), key=lambda image: (image.created, image.names), reverse=True))


def of_inspection(found: Mapping[str, Any]) -> Image:
    """An image from what `image inspect` tells."""
    return Image(
        project=label(found, PROJECT),
        names=tuple(found.get("RepoTags") or ()),
        id=f"sha256:{found['Id'].removeprefix('sha256:')}",
        size=found["Size"],
        created=_moment(found["Created"]),
        platform=f"{found['Os']}/{found['Architecture']}",
        revision=label(found, REVISION),
        context=label(found, CONTEXT),
    )


def table(found: Iterable[Image], now: datetime) -> str:
    """One line for each image name, columns aligned, with a head."""
    return text.table(HEAD, (_row(image, name, now) for image in found for name in image.names or ("<none>",)))


def line(builder: Builder, reference: str, seconds: float, digest: str | None = None) -> str:
    """What a build or a push came to, in a line: name, digest (else id), size, seconds."""
    found = builder.image(reference)
    if found is None:
        raise ImageError(
            f"{reference}: built, but {builder.kind} does not have it",
            "a builder of its own keeps its images to itself: docker buildx use default, or set BUILDX_BUILDER=default",
        )
    image = of_inspection(found)
    return f"{reference}  {digest or image.id}  {text.size(image.size)}  {seconds:.1f} s\n"


def _row(image: Image, name: str, now: datetime) -> tuple[str, ...]:
    revision = image.revision[:SHORT] + ("+changed" if image.revision.endswith("+changed") else "")
    digest = image.id.removeprefix("sha256:")[:SHORT]
    return (image.project, name, digest, text.size(image.size), _age(now - image.created), image.platform, revision)


def _age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    unit, word = next(((unit, word) for unit, word in _AGES if seconds >= unit), (1, "second"))
    return text.plural(seconds // unit, word)


def _moment(rfc3339: str) -> datetime:
    """RFC 3339 with up to nine digits of a second, which Python 3.10 does not read."""
    zone = re.search(r"[+-]\d\d:\d\d$", rfc3339)
    return datetime.fromisoformat(rfc3339[:19] + (zone.group() if zone else "+00:00")).astimezone(timezone.utc)
