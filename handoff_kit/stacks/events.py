"""What CloudFormation tells of a change while it goes on, event by event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from handoff_kit.stacks.deployed import CLOUDFORMATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from handoff_runtime.aws.clients import Clients

__all__ = ["Event", "before_this", "newest", "of_answer", "since"]

STACK = "AWS::CloudFormation::Stack"
BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS")
EPOCH = datetime.fromtimestamp(0, timezone.utc)


@dataclass(frozen=True)
class Event:
    """What happened to a resource, or (`of_stack`) to the stack as a whole."""

    id: str
    name: str
    kind: str
    status: str
    reason: str = ""
    when: datetime = EPOCH
    of_stack: bool = False
    physical: str = ""

    @property
    def goes_on(self) -> bool:
        """Whether more is to come."""
        return self.status.endswith("_IN_PROGRESS")

    @property
    def failed(self) -> bool:
        """Whether it went wrong."""
        return self.status.endswith("_FAILED")

    @property
    def words(self) -> str:
        """The status as words."""
        return self.status.lower().replace("_", " ")


def newest(clients: Clients, stack: str) -> str:
    """The last event of a stack so far, before something is begun whose events are to be told from earlier ones."""
    answer = clients.call(CLOUDFORMATION, "describe_stack_events", StackName=stack)
    return next((str(found["EventId"]) for found in answer["StackEvents"]), "")


def before_this(clients: Clients, stack: str) -> str:
    """The last event before the change that goes on: what somebody else does is shown from its beginning."""
    begun = False
    for event in _backwards(clients, stack):
        if begun:
            return event.id
        begun = event.of_stack and event.status in BEGINNINGS
    return ""


def since(clients: Clients, stack: str, marker: str) -> list[Event]:
    """The events after the one that was the newest, the oldest first."""
    found: list[Event] = []
    for event in _backwards(clients, stack):
        if event.id == marker:
            break
        found.append(event)
    return found[::-1]


def of_answer(found: Mapping[str, Any]) -> Event:
    """An event from what DescribeStackEvents tells of it."""
    kind = found.get("ResourceType", "")
    return Event(
        found["EventId"],
        found.get("LogicalResourceId", ""),
        kind,
        found.get("ResourceStatus", ""),
        " ".join(found.get("ResourceStatusReason", "").split()),
        found.get("Timestamp", EPOCH),
        kind == STACK and found.get("PhysicalResourceId") == found["StackId"],
        found.get("PhysicalResourceId", ""),
    )


def _backwards(clients: Clients, stack: str) -> Iterator[Event]:
    """Page by page, as CloudFormation tells them: the newest first."""
    for page in clients.pages(CLOUDFORMATION, "describe_stack_events", StackName=stack):
        yield from map(of_answer, page["StackEvents"])
