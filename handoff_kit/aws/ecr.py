"""Images in ECR by tag and digest."""

from __future__ import annotations

from handoff_kit.remote.errors import told
from handoff_runtime.aws.clients import Clients

ECR = "ecr"
NO_IMAGE = ("ImageNotFoundException", "RepositoryNotFoundException")


def image_digest(clients: Clients, repository: str, tag: str) -> str | None:
    """The digest of a tag (sha256:...), which a push sets last; None where there is none."""
    request = {"repositoryName": repository, "imageIds": [{"imageTag": tag}]}
    with told():
        found = clients.call_unless(NO_IMAGE, ECR, "describe_images", **request)
    return str(found["imageDetails"][0]["imageDigest"]) if found and found["imageDetails"] else None
