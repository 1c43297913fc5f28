"""Waiting for CloudFormation: how long between two looks, how long at most, and a Ctrl-C, which leaves it be."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit.errors import CommandError
from handoff_kit.remote.errors import AWSError
from handoff_kit.stacks import deployed, events, views
from handoff_runtime import waits
from handoff_runtime.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handoff_kit.stacks.deployed import Deployed
    from handoff_kit.stacks.events import Event
    from handoff_runtime.aws.clients import Clients

    Say = Callable[[str], None]

__all__ = ["Ended", "Means", "Waiting", "follow", "interruptible"]

INTERRUPTED = 130
SLOWER = 1.25
STILL = 6  # looks without an event after which the stack is asked for its status


@dataclass(frozen=True)
class Waiting:
    """How to wait: seconds before the second look, between later ones, and until it is given up."""

    pause: Callable[[float], None] = waits.sleep
    clock: Callable[[], float] = time.monotonic
    shortest: float = 2.0
    longest: float = 5.0
    patience: float = 3 * 3600.0

    def looks(self) -> Iterator[float]:
        """One for each look, after the pause before it; ends when patience does."""
        begun, wait = self.clock(), self.shortest
        yield 0.0
        while (passed := self.clock() - begun) < self.patience:
            self.pause(wait)
            wait = min(self.longest, wait * SLOWER)
            yield passed


@dataclass(frozen=True)
class Means:
    """What a stack is changed with: the way to AWS, a voice, how to wait, and whether a yes was given beforehand.

    `again` is the command that does the same once more.
    """

    clients: Clients
    say: Say
    waiting: Waiting
    yes: bool
    again: str


@dataclass(frozen=True)
class Ended:
    """What came of a change: the stack's last event, all of them, and the seconds it took."""

    status: str
    events: tuple[Event, ...]
    seconds: float


def follow(stack: Deployed, marker: str, means: Means) -> Ended:
    """Show what happens in a stack since the event `marker`, until its change has ended."""
    begun = means.waiting.clock()
    try:
        seen = _seen(stack, marker, means)
        last = _last(seen)
        status = last.status if last else _status(stack, means)
    except StoreError as error:
        message = f"{error.message}; CloudFormation goes on with stack {stack.name}, which this no longer waits for"
        raise AWSError(message, _to_go_on(stack.name, means)) from None
    return Ended(status, tuple(seen), means.waiting.clock() - begun)


@contextmanager
def interruptible(name: str, means: Means, *, updates: bool = False) -> Iterator[None]:
    """Ctrl-C ends our waiting, and nothing else."""
    try:
        yield
    except KeyboardInterrupt:
        message = f"stack {name}: interrupted; CloudFormation goes on with it, which this no longer waits for"
        back = f"; to take it back: aws cloudformation cancel-update-stack --stack-name {name}" if updates else ""
        raise CommandError(message, INTERRUPTED, f"{_to_go_on(name, means)}{back}") from None


def _seen(stack: Deployed, marker: str, means: Means) -> list[Event]:
    """Every event until the change has ended, shown as it comes."""
    seen: list[Event] = []
    still = absent = 0
    with views.view(stack.name, means.say) as view:
        for _ in means.waiting.looks():
            new = events.since(means.clients, stack.id, seen[-1].id if seen else marker)
            view.show(new)
            seen += new
            still = 0 if new else still + 1
            last = _last(seen)
            if still > STILL or (last and not last.goes_on):
                found = deployed.look(means.clients, stack.id)
                absent = 0 if found else absent + 1
                if _is_over(found, last, absent):
                    return seen
    minutes = means.waiting.patience / 60
    message = f"stack {stack.name}: still being changed after {minutes:,.0f} minutes; waited no longer"
    raise AWSError(message, _to_go_on(stack.name, means))


def _is_over(found: Deployed | None, last: Event | None, absent: int) -> bool:
    """Whether the change has ended. CloudFormation describes a stack by its ARN after its end too.

    So a stack that is absent is gone only where an event says so, or where it stays absent.
    """
    if found:
        return not found.is_changing
    return absent > STILL or (last is not None and last.status == "DELETE_COMPLETE")


def _last(seen: list[Event]) -> Event | None:
    """The last that happened to the stack as a whole."""
    return next((event for event in reversed(seen) if event.of_stack), None)


def _status(stack: Deployed, means: Means) -> str:
    """Its status has the last word: an event may be one of several that end a change."""
    found = deployed.look(means.clients, stack.id)
    return found.status if found else "DELETE_COMPLETE"


def _to_go_on(name: str, means: Means) -> str:
    look = f"aws cloudformation describe-stack-events --stack-name {name}"
    return f"to wait for it again: {means.again}" if means.again else f"to see how it goes: {look}"
