"""How a template is handed to CloudFormation: in the call, or where it is too long by way of the bucket."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from handoff_kit.errors import ProjectError
from handoff_kit.remote.errors import AWSError
from handoff_kit.remote.names import TEMPLATES
from handoff_runtime.aws.clients import S3

if TYPE_CHECKING:
    from handoff_kit.steps import ChangeStack
    from handoff_runtime.aws.clients import Clients

__all__ = ["MOST", "MOST_BY_URL", "check", "key", "request"]

# CloudFormation quotas, "Template body size": in a request, and in an S3 object
MOST, MOST_BY_URL = 51_200, 1_000_000


def check(step: ChangeStack) -> None:
    """Refuse what CloudFormation would not take."""
    size = len(step.template.encode())
    if size > MOST_BY_URL:
        found = f"{step.file.name}: found {size:,} bytes, expected at most {MOST_BY_URL:,}, which CloudFormation takes"
        raise ProjectError(found, "move some of the projects to another checkout with an --environment of its own")
    if size > MOST and not step.bucket:
        found = f"{step.file.name}: found {size:,} bytes, expected at most {MOST:,} where no bucket is there to hold it"
        raise AWSError(found, f"name a bucket: S3_BUCKET_NAME=NAME {step.again}")


def request(step: ChangeStack, clients: Clients) -> dict[str, str]:
    """The part of a request that holds the template; what does not fit is put into the bucket first."""
    content = step.template.encode()
    if len(content) <= MOST:
        return {"TemplateBody": step.template}
    clients.call(S3, "put_object", Bucket=step.bucket, Key=key(step), Body=content, ContentType="text/yaml")
    suffix = "amazonaws.com.cn" if clients.region.startswith("cn-") else "amazonaws.com"
    return {"TemplateURL": f"https://s3.{clients.region}.{suffix}/{step.bucket}/{key(step)}"}


def key(step: ChangeStack) -> str:
    """Where it lies in the bucket: the same text at the same place."""
    return f"{TEMPLATES}/{step.name}-{hashlib.sha256(step.template.encode()).hexdigest()[:16]}.yml"
