"""The images of a project as ECR knows them: by tag, and by the digest that can not come to mean another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.remote.errors import told

if TYPE_CHECKING:
    from handoff_runtime.aws.clients import Clients

__all__ = ["ECR", "digest"]

ECR = "ecr"
ABSENT = ("ImageNotFoundException", "RepositoryNotFoundException")


def digest(clients: Clients, repository: str, tag: str) -> str | None:
    """What a tag names (sha256:...), which is put there last, when all of it has arrived; None where there is none."""
    request = {"repositoryName": repository, "imageIds": [{"imageTag": tag}]}
    with told():
        found = clients.call_unless(ABSENT, ECR, "describe_images", **request)
    return str(found["imageDetails"][0]["imageDigest"]) if found and found["imageDetails"] else None
