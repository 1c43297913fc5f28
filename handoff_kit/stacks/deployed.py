"""A stack as it is deployed: its status, parameters, outputs, tags, and the template it was made from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from handoff_kit.remote.errors import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff_runtime.aws.clients import Clients

__all__ = ["ABSENT", "CLOUDFORMATION", "Deployed", "every", "look", "of_description", "read"]

CLOUDFORMATION = "cloudformation"
ABSENT = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
"""What counts as no stack: one that was only ever reviewed has no resource."""


@dataclass(frozen=True)
class Deployed:
    """A stack that is there; `template` is what was sent, where it was asked for.

    `id` is its ARN, which tells it from another one of its name; `change_set` is that of its last change.
    """

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
        """Whether somebody is changing it at present."""
        return self.status.endswith("_IN_PROGRESS")

    @property
    def bucket(self) -> str:
        """The bucket that runs of a deployed task stack use; empty where no task is deployed."""
        if "TaskDefinition" not in self.outputs:
            return ""
        return self.outputs.get("Bucket") or self.parameters.get("Bucket", "")

    @property
    def is_sound(self) -> bool:
        """Whether all of it is as its template says, or as the one before said."""
        return self.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")


def read(clients: Clients, name: str, *, template: bool = False) -> Deployed | None:
    """A stack of this name; None where there is none. One call, and another one for its template."""
    found = look(clients, name)
    if found is None or found.status in ABSENT:
        return None
    return replace(found, template=_template(clients, found)) if template else found


def look(clients: Clients, name: str) -> Deployed | None:
    """The same for a name or an ARN, also where it counts as absent."""
    with told():
        answer = clients.call_unless(("ValidationError",), CLOUDFORMATION, "describe_stacks", StackName=name)
    return of_description(answer["Stacks"][0]) if answer and answer["Stacks"] else None


def every(clients: Clients) -> tuple[Deployed, ...]:
    """Every stack of the account and region, without templates; one call for a hundred or so."""
    with told():
        found = [stack for page in clients.pages(CLOUDFORMATION, "describe_stacks") for stack in page["Stacks"]]
    return tuple(of_description(stack) for stack in found if stack["StackStatus"] not in ABSENT)


def of_description(found: Mapping[str, Any], template: str = "") -> Deployed:
    """A stack from what DescribeStacks tells of it."""
    return Deployed(
        found["StackName"],
        found["StackStatus"],
        {one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", ())},
        {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())},
        {one["Key"]: one["Value"] for one in found.get("Tags", ())},
        template,
        found.get("StackId", ""),
        found.get("ChangeSetId", ""),
    )


def _template(clients: Clients, found: Deployed) -> str:
    """What was sent; botocore reads what is JSON."""
    with told():
        answer = clients.call_unless(("ValidationError",), CLOUDFORMATION, "get_template", StackName=found.name)
    body = answer.get("TemplateBody", "") if answer else ""
    return body if isinstance(body, str) else json.dumps(body)
