"""The resources of stacks, and whether each still exists: CloudFormation does not notice a deletion by hand."""

from __future__ import annotations

from dataclasses import dataclass

from handoff_kit.aws.cloudformation.stack import CLOUDFORMATION
from handoff_kit.aws.reader import Reader

GONE_RESOURCES = ("DELETE_COMPLETE", "DELETE_SKIPPED", "CREATE_FAILED")
"""Statuses of a resource that a stack does not have any more, or never had."""
MISSING = "not found"


@dataclass(frozen=True)
class StackResource:
    """A resource of a deployed stack; `id` is its physical id."""

    stack: str
    name: str
    kind: str
    id: str


@dataclass(frozen=True)
class ResourceState:
    """Whether a resource exists: `problem` says what of it is missing, `unknown` why it could not be looked up.

    `is_missing`: the resource itself is, and must be created again. One that lacks a part of it has drifted.
    """

    resource: StackResource
    problem: str = ""
    unknown: str = ""

    @property
    def is_missing(self) -> bool:
        return self.problem.startswith(MISSING)


def list_resources(reader: Reader, stack: str) -> tuple[StackResource, ...]:
    """The resources that a stack has created; one call for a hundred. None where there is no such stack."""
    pages = reader.pages(CLOUDFORMATION, "list_stack_resources", allow=("ValidationError",), StackName=stack)
    return tuple(
        StackResource(stack, one["LogicalResourceId"], one["ResourceType"], one.get("PhysicalResourceId", ""))
        for page in pages
        for one in page["StackResourceSummaries"]
        if one["ResourceStatus"] not in GONE_RESOURCES and one.get("PhysicalResourceId")
    )
