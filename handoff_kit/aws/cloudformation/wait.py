"""Waiting for a stack operation: show its events until it ends; Ctrl-C stops waiting, not the operation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from handoff_kit.aws.cloudformation.events import OperationResult, StackEvent, events_since
from handoff_kit.aws.cloudformation.output import event_view
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_stack
from handoff_kit.errors import AWSError, CommandError
from handoff_runtime import polling
from handoff_runtime.aws.session import Session
from handoff_runtime.errors import StoreError

Say = Callable[[str], None]

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
class StackContext:
    """Session, console, polling policy and `--yes` of a stack operation; `again` is the command to run it again."""

    session: Session
    say: Say
    policy: PollPolicy
    yes: bool
    again: str


def follow_events(stack: StackDescription, marker: str, context: StackContext) -> OperationResult:
    """Show the events of a stack after the one with the id `marker`, until its operation has ended."""
    start = context.policy.clock()
    try:
        events = _show_until_ended(stack, marker, context)
        last = _last_of_stack(events)
        if last is None:  # an operation without events; the stack has the last word
            current = describe_stack(context.session, stack.id)
            status = current.status if current else "DELETE_COMPLETE"
        else:
            status = last.status
    except StoreError as error:
        message = f"{error.message}; CloudFormation continues with stack {stack.name}, handoff stops waiting"
        raise AWSError(message, _hint_to_wait_again(stack.name, context)) from None
    return OperationResult(status, tuple(events), context.policy.clock() - start)


@contextmanager
def detach_on_interrupt(name: str, context: StackContext, *, updates: bool = False) -> Iterator[None]:
    """Have Ctrl-C end the waiting with an error that says so; the operation continues."""
    try:
        yield
    except KeyboardInterrupt:
        message = f"stack {name}: interrupted; CloudFormation continues, handoff stops waiting"
        cancel = f"; to cancel it: aws cloudformation cancel-update-stack --stack-name {name}" if updates else ""
        raise CommandError(message, INTERRUPTED, f"{_hint_to_wait_again(name, context)}{cancel}") from None


def _show_until_ended(stack: StackDescription, marker: str, context: StackContext) -> list[StackEvent]:
    events: list[StackEvent] = []
    quiet = absent = 0
    with event_view(stack.name, context.say) as view:
        for _ in context.policy.polls():
            new = events_since(context.session, stack.id, events[-1].id if events else marker)
            view.update(new)
            events += new
            quiet = 0 if new else quiet + 1
            last = _last_of_stack(events)
            if quiet <= QUIET_POLLS and (last is None or last.in_progress):
                continue
            current = describe_stack(context.session, stack.id)
            absent = 0 if current else absent + 1
            # a deleted stack is still found by its ARN: one that is not found now is deleted only where an event
            # says so, or where it stays absent
            is_deleted = absent > QUIET_POLLS or (last is not None and last.status == "DELETE_COMPLETE")
            if not current.is_changing if current else is_deleted:
                return events
    minutes = context.policy.patience / 60
    message = f"stack {stack.name}: still being changed after {minutes:,.0f} minutes; handoff stops waiting"
    raise AWSError(message, _hint_to_wait_again(stack.name, context))


def _last_of_stack(events: list[StackEvent]) -> StackEvent | None:
    return next((event for event in reversed(events) if event.of_stack), None)


def _hint_to_wait_again(name: str, context: StackContext) -> str:
    look = f"aws cloudformation describe-stack-events --stack-name {name}"
    return f"to wait again: {context.again}" if context.again else f"to see its events: {look}"
