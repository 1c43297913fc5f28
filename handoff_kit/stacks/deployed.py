"""A deployed stack as CloudFormation describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from handoff_kit.remote.errors import told
from handoff_runtime.aws.clients import Clients

CLOUDFORMATION = "cloudformation"
ABSENT = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
"""Statuses of a stack without resources; the first is that of a stack whose change set was never executed."""


@dataclass(frozen=True)
class Deployed:
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
        """Whether an operation is in progress."""
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


def read(clients: Clients, name: str, *, template: bool = False) -> Deployed | None:
    """A stack that has resources, by name; None where there is none. One call, and another one for its template."""
    found = look(clients, name)
    if found is None or found.status in ABSENT:
        return None
    if not template:
        return found
    with told():
        answer = clients.call_unless(("ValidationError",), CLOUDFORMATION, "get_template", StackName=found.name) or {}
    body = answer.get("TemplateBody", "")
    return replace(found, template=body if isinstance(body, str) else json.dumps(body))  # botocore parses JSON


def look(clients: Clients, name: str) -> Deployed | None:
    """A stack in any status, by name or ARN; CloudFormation finds a deleted one by its ARN."""
    with told():
        answer = clients.call_unless(("ValidationError",), CLOUDFORMATION, "describe_stacks", StackName=name)
    return of_description(answer["Stacks"][0]) if answer and answer["Stacks"] else None


def every(clients: Clients) -> tuple[Deployed, ...]:
    """Every stack of the account and region, without templates; one call for a hundred or so."""
    with told():
        found = [stack for page in clients.pages(CLOUDFORMATION, "describe_stacks") for stack in page["Stacks"]]
    return tuple(of_description(stack) for stack in found if stack["StackStatus"] not in ABSENT)


def of_description(stack: Mapping[str, Any], template: str = "") -> Deployed:
    """A stack of DescribeStacks."""
    return Deployed(
        stack["StackName"],
        stack["StackStatus"],
        {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", ())},
        {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())},
        {one["Key"]: one["Value"] for one in stack.get("Tags", ())},
        template,
        stack.get("StackId", ""),
        stack.get("ChangeSetId", ""),
    )
