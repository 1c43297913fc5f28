"""A deployed stack as CloudFormation describes it, and parameters whose values are looked up in AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from handoff_kit.aws.buckets import bucket_exists, is_created_by
from handoff_kit.aws.ecr import image_digest
from handoff_kit.errors import AWSError, translate_store_errors
from handoff_kit.steps import ExistingBucket, ImageTag, StackOutput
from handoff_runtime.aws.session import Session

CLOUDFORMATION = "cloudformation"
ABSENT_STATUSES = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
"""Statuses of a stack without resources; the first is that of a stack whose change set was never executed."""
FAILED_CREATION = "ROLLBACK_COMPLETE"
STABLE_STATUSES = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
"""In these statuses DescribeStacks and GetTemplate describe the result of the last update."""
OWNER_TAGS = ("handoff:project", "handoff:environment")


@dataclass(frozen=True)
class StackDescription:
    """`id` is the stack's ARN, `change_set` the one executed last; `template` is empty unless it was requested."""

    name: str
    status: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    template: str = field(default="", repr=False)
    id: str = ""
    change_set: str = ""

    @property
    def is_changing(self) -> bool:
        return self.status.endswith("_IN_PROGRESS")

    @property
    def bucket(self) -> str:
        """The bucket that runs of a deployed task stack use; empty where no task is deployed."""
        if "TaskDefinition" not in self.outputs:
            return ""
        return self.outputs.get("Bucket") or self.parameters.get("Bucket", "")

    @property
    def is_sound(self) -> bool:
        """Whether all resources are as its template, or the one before, declares them."""
        return self.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")


def describe_existing(session: Session, name: str, *, template: bool = False) -> StackDescription | None:
    """A stack that has resources, by name; None where there is none. One call, and another one for its template."""
    stack = describe_stack(session, name)
    if stack is None or stack.status in ABSENT_STATUSES:
        return None
    if not template:
        return stack
    with translate_store_errors():
        answer = session.call(CLOUDFORMATION, "get_template", allow=("ValidationError",), StackName=stack.name) or {}
    body = answer.get("TemplateBody", "")
    return replace(stack, template=body if isinstance(body, str) else json.dumps(body))  # botocore parses JSON


def describe_stack(session: Session, name: str) -> StackDescription | None:
    """A stack in any status, by name or ARN; CloudFormation finds a deleted one by its ARN."""
    with translate_store_errors():
        answer = session.call(CLOUDFORMATION, "describe_stacks", allow=("ValidationError",), StackName=name)
    return parse_stack(answer["Stacks"][0]) if answer and answer["Stacks"] else None


def describe_owned(session: Session, name: str, tags: Mapping[str, str]) -> StackDescription | None:
    """A stack that is not deleted, by name; AWSError for one of another owner. One in review has no tags yet."""
    stack = describe_stack(session, name)
    if stack is None or stack.status == "DELETE_COMPLETE":
        return None
    if stack.status not in ABSENT_STATUSES:
        check_owner(stack, tags)
    return stack


def describe_all(session: Session) -> tuple[StackDescription, ...]:
    """Every stack of the account and region, without templates; one call for a hundred or so."""
    with translate_store_errors():
        stacks = [stack for page in session.pages(CLOUDFORMATION, "describe_stacks") for stack in page["Stacks"]]
    return tuple(parse_stack(stack) for stack in stacks if stack["StackStatus"] not in ABSENT_STATUSES)


def parse_stack(stack: Mapping[str, Any], template: str = "") -> StackDescription:
    """A stack of DescribeStacks."""
    return StackDescription(
        stack["StackName"],
        stack["StackStatus"],
        {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", ())},
        {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())},
        {one["Key"]: one["Value"] for one in stack.get("Tags", ())},
        template,
        stack.get("StackId", ""),
        stack.get("ChangeSetId", ""),
    )


def is_owned(stack: StackDescription, tags: Mapping[str, str]) -> bool:
    """Whether a stack is of the project and environment that these tags name."""
    return all(stack.tags.get(name) == tags.get(name) for name in OWNER_TAGS)


def check_owner(stack: StackDescription, tags: Mapping[str, str]) -> None:
    """Refuse a stack of another project or environment, or one that handoff did not create."""
    if is_owned(stack, tags):
        return
    texts = [", ".join(f"{name} {owner[name]}" for name in OWNER_TAGS if name in owner) for owner in (stack.tags, tags)]
    look = f"aws cloudformation describe-stacks --stack-name {stack.name}"
    hint = f"see its tags: {look}; then set another STACK_NAME or --environment"
    message = f"stack {stack.name}: found tags ({texts[0] or 'none of handoff'}), expected ({texts[1]})"
    raise AWSError(message, hint)


def resolve_parameters(
    parameters: Mapping[str, str | ImageTag | StackOutput | ExistingBucket],
    session: Session,
    command: str,
    *,
    dry: bool = False,
) -> dict[str, str | ExistingBucket]:
    """The parameters with images by their digests and with outputs of other stacks.

    With `dry` the image need not be pushed yet, nor the other stack created.
    """
    values: dict[str, str | ExistingBucket] = {}
    outputs: dict[str, Mapping[str, str]] = {}
    for name, value in parameters.items():
        if isinstance(value, ImageTag):
            values[name] = _resolve_image(value, session, command, dry=dry)
        elif isinstance(value, StackOutput):
            if value.stack not in outputs:
                stack = describe_existing(session, value.stack)
                outputs[value.stack] = stack.outputs if stack else {}
            values[name] = outputs[value.stack].get(value.output, "")
            if not values[name] and not dry:
                raise AWSError(f"stack {value.stack}: found no output {value.output}", command)
            values[name] = values[name] or f"({value.output} of stack {value.stack}, once created)"
        else:
            values[name] = value
    return values


def _resolve_image(image: ImageTag, session: Session, command: str, *, dry: bool) -> str:
    if digest := image_digest(session, image.repository, image.tag):
        return f"{image.uri}@{digest}"
    if dry:
        return f"{image.uri}:{image.tag} (by its digest once pushed)"
    raise AWSError(f"image {image.uri}:{image.tag}: not found in ECR", f"push it: {command}")


def resolve_buckets(
    values: Mapping[str, str | ExistingBucket], stack: StackDescription | None, session: Session, command: str
) -> dict[str, str]:
    """The parameters as texts: an ExistingBucket as yes or no, of which a deployed `stack` keeps its value."""
    texts: dict[str, str] = {}
    for name, value in values.items():
        if not isinstance(value, ExistingBucket):
            texts[name] = value
        elif stack is not None:
            texts[name] = stack.parameters.get(name, "no")  # a stack without this parameter has created its bucket
        elif not bucket_exists(session, value.bucket, value.account):
            texts[name] = "no"
        elif is_created_by(session, value.bucket, value.stack):
            texts[name] = "yes"
        else:
            message = f"bucket {value.bucket}: exists already, and stack {value.stack} did not create it"
            use = f"to use it: deploy: {{bucket: {value.bucket}}} in project.yml; to have one created: delete it"
            raise AWSError(message, f"{use}, then: {command}")
    return texts
