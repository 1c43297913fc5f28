"""A template as CloudFormation takes it: in the request, or from the bucket where it is too long."""

from __future__ import annotations

import hashlib

from handoff_kit.errors import ProjectError
from handoff_kit.remote.errors import AWSError
from handoff_kit.resource_names import TEMPLATES
from handoff_kit.steps import ChangeStack
from handoff_runtime.aws.clients import S3, Clients

# CloudFormation quotas, "Template body size": in a request, and in an S3 object
MOST, MOST_BY_URL = 51_200, 1_000_000


def check(step: ChangeStack) -> None:
    """Refuse a template that is too long for CloudFormation."""
    size = len(step.template.encode())
    if size > MOST_BY_URL:
        found = f"{step.file.name}: found {size:,} bytes, expected at most {MOST_BY_URL:,}, CloudFormation's limit"
        raise ProjectError(found, "move some of the projects to another checkout, with another --environment")
    if size > MOST and not step.bucket:
        found = f"{step.file.name}: found {size:,} bytes, expected at most {MOST:,} without a bucket to hold it"
        raise AWSError(found, f"name a bucket: S3_BUCKET_NAME=NAME {step.again}")


def request(step: ChangeStack, clients: Clients) -> dict[str, str]:
    """TemplateBody, or TemplateURL of the template, which is uploaded to the bucket first."""
    content = step.template.encode()
    if len(content) <= MOST:
        return {"TemplateBody": step.template}
    clients.call(S3, "put_object", Bucket=step.bucket, Key=key(step), Body=content, ContentType="text/yaml")
    suffix = "amazonaws.com.cn" if clients.region.startswith("cn-") else "amazonaws.com"
    return {"TemplateURL": f"https://s3.{clients.region}.{suffix}/{step.bucket}/{key(step)}"}


def key(step: ChangeStack) -> str:
    """The template's key in the bucket, by its content."""
    return f"{TEMPLATES}/{step.name}-{hashlib.sha256(step.template.encode()).hexdigest()[:16]}.yml"
