"""Waiting for a stack operation: show its events until it ends; Ctrl-C stops waiting, not the operation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from handoff_kit.aws.cloudformation.events import OperationResult, StackEvent, events_since
from handoff_kit.aws.cloudformation.output import event_view
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_stack
from handoff_kit.console import Say
from handoff_kit.errors import AWSError, CommandError
from handoff_runtime import polling
from handoff_runtime.aws.session import Session
from handoff_runtime.errors import StoreError

INTERRUPTED = 130
SLOWDOWN = 1.25
QUIET_POLLS = 6  # polls without an event, after which DescribeStacks is called


@dataclass(frozen=True)
class PollPolicy:
    """How to wait: seconds before the second poll, between later ones, and until handoff stops waiting."""

    pause: Callable[[float], None] = polling.sleep
    clock: Callable[[], float] = time.monotonic
    shortest: float = 2.0
    longest: float = 5.0
    patience: float = 3 * 3600.0

    def polls(self) -> Iterator[float]:
        """The seconds since the start, once per poll, after the pause before it; ends when patience does."""
        start, wait = self.clock(), self.shortest
        yield 0.0
        while (passed := self.clock() - start) < self.patience:
            self.pause(wait)
            wait = min(self.longest, wait * SLOWDOWN)
            yield passed


@dataclass(frozen=True)
class StackOperation:
    """Session, console, polling policy and `--yes` of a stack operation; `command` is the command to run it again."""

    session: Session
    say: Say
    policy: PollPolicy
    yes: bool
    command: str


def follow_events(stack: StackDescription, marker: str, operation: StackOperation) -> OperationResult:
    """Show the events of a stack after the one with the id `marker`, until its operation has ended."""
    start = operation.policy.clock()
    try:
        status, events = _show_until_ended(stack, marker, operation)
    except StoreError as error:
        message = f"{error.message}; CloudFormation continues with stack {stack.name}, handoff stops waiting"
        raise AWSError(message, f"to wait again: {operation.command}") from None
    return OperationResult(status, tuple(events), operation.policy.clock() - start)


@contextmanager
def detach_on_interrupt(name: str, operation: StackOperation, *, updates: bool = False) -> Iterator[None]:
    """Have Ctrl-C end the waiting with an error that says so; the operation continues."""
    try:
        yield
    except KeyboardInterrupt:
        message = f"stack {name}: interrupted; CloudFormation continues, handoff stops waiting"
        cancel = f"; to cancel it: aws cloudformation cancel-update-stack --stack-name {name}" if updates else ""
        raise CommandError(message, INTERRUPTED, f"to wait again: {operation.command}{cancel}") from None


def _show_until_ended(stack: StackDescription, marker: str, operation: StackOperation) -> tuple[str, list[StackEvent]]:
    """The status at the end, and the events."""
    events: list[StackEvent] = []
    quiet = absent = 0
    with event_view(stack.name, operation.say) as view:
        for _ in operation.policy.polls():
            new = events_since(operation.session, stack.id, events[-1].id if events else marker)
            view.update(new)
            events += new
            quiet = 0 if new else quiet + 1
            last = next((event for event in reversed(events) if event.of_stack), None)
            if quiet <= QUIET_POLLS and (last is None or last.in_progress):
                continue
            current = describe_stack(operation.session, stack.id)
            absent = 0 if current else absent + 1
            # a deleted stack is still found by its ARN: one that is not found now is deleted only where an event
            # says so, or where it stays absent
            is_deleted = absent > QUIET_POLLS or (last is not None and last.status == "DELETE_COMPLETE")
            if not current.is_changing if current else is_deleted:
                # an operation without events: the stack has the last word
                return last.status if last else current.status if current else "DELETE_COMPLETE", events
    minutes = operation.policy.patience / 60
    message = f"stack {stack.name}: still being changed after {minutes:,.0f} minutes; handoff stops waiting"
    raise AWSError(message, f"to wait again: {operation.command}")
