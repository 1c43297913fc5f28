"""The way of an image to ECR: who builds it here, and how one signs in there."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from handoff_kit.aws.ecr import ECR
from handoff_kit.deployment.plan import Packing
from handoff_kit.image import dockerfile
from handoff_kit.image.revision import revision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff_kit.aws.target import Target
    from handoff_kit.deployment.wanted import Wanted
    from handoff_kit.image.builder import Builder

__all__ = ["packing"]


def packing(wanted: Wanted, builder: Builder, stack: Target, environ: Mapping[str, str], *, dry: bool) -> Packing:
    """What it takes; with `dry` nobody signs in."""
    settings = tuple(name for name in dockerfile.INDEX_SETTINGS if name in environ)
    there = builder.image(wanted.source.reference)
    return Packing(builder, there, revision(wanted.place, builder.ask), settings, "" if dry else _password(stack))


def _password(stack: Target) -> str:
    """The password of the user AWS."""
    found = stack.call(ECR, "get_authorization_token")["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(found).decode().partition(":")[2]
