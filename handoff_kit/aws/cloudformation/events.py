"""The events of a stack, newest first from CloudFormation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import takewhile
from typing import Any

from handoff_kit.aws.cloudformation.stack import CLOUDFORMATION
from handoff_runtime.aws.session import Session

STACK_TYPE = "AWS::CloudFormation::Stack"
BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS")
EPOCH = datetime.fromtimestamp(0, timezone.utc)


@dataclass(frozen=True)
class StackEvent:
    """An event of a resource, or (`of_stack`) of the stack itself."""

    id: str
    name: str
    kind: str
    status: str
    reason: str = ""
    when: datetime = EPOCH
    of_stack: bool = False
    physical: str = ""

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS")

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")

    @property
    def status_text(self) -> str:
        """The status in lower case, without underscores."""
        return self.status.lower().replace("_", " ")


@dataclass(frozen=True)
class OperationResult:
    """The status of the stack after an operation, the operation's events, and its seconds."""

    status: str
    events: tuple[StackEvent, ...]
    seconds: float


def newest_event(session: Session, stack: str) -> str:
    """The id of the newest event, after which the events of the next operation come; empty where there is none."""
    return next((event.id for event in _newest_first(session, stack)), "")


def event_before_operation(session: Session, stack: str) -> str:
    """The id of the newest event before the operation in progress; empty where there is none."""
    begun = False
    for event in _newest_first(session, stack):
        if begun:
            return event.id
        begun = event.of_stack and event.status in BEGINNINGS
    return ""


def events_since(session: Session, stack: str, marker: str) -> list[StackEvent]:
    """The events after the one with the id `marker`, the oldest first."""
    return [*takewhile(lambda event: event.id != marker, _newest_first(session, stack))][::-1]


def parse_event(event: Mapping[str, Any]) -> StackEvent:
    """An event of DescribeStackEvents."""
    kind = event.get("ResourceType", "")
    return StackEvent(
        event["EventId"],
        event.get("LogicalResourceId", ""),
        kind,
        event.get("ResourceStatus", ""),
        " ".join(event.get("ResourceStatusReason", "").split()),
        event.get("Timestamp", EPOCH),
        kind == STACK_TYPE and event.get("PhysicalResourceId") == event["StackId"],
        event.get("PhysicalResourceId", ""),
    )


def _newest_first(session: Session, stack: str) -> Iterator[StackEvent]:
    for page in session.pages(CLOUDFORMATION, "describe_stack_events", StackName=stack):
        yield from map(parse_event, page["StackEvents"])
