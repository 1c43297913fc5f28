"""A project taken out of AWS: read, told, asked, done, and looked at again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.aws.params import check_params_owner
from handoff_kit.aws.session import describe_location
from handoff_kit.aws.state import lock_holder
from handoff_kit.destruction import found as state
from handoff_kit.destruction.execute import execute
from handoff_kit.destruction.plan import command, plan
from handoff_kit.destruction.telling import count, listed, prove
from handoff_kit.remote import consent
from handoff_kit.remote.errors import AWSError

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff_kit.aws.target import Target
    from handoff_kit.destruction.found import Found

    Say = Callable[[str], None]

__all__ = ["destroy"]


def destroy(stack: Target, cluster: str, *, data: bool, dry: bool, yes: bool, say: Say) -> int:
    """Remove what is to go; of how many steps that was, or with `dry` would be."""
    check_params_owner(stack)
    found = state.read(stack, whole=data)
    steps = plan(stack, found, cluster, data=data)
    _tell(stack, found, data=data, say=say)
    if not steps:
        return 0
    if busy := _busy(stack, cluster, data=data):
        if not dry:
            raise busy
        say(f"note: {busy.message}")
    if not dry:
        consent.ask(_question(stack, found, data=data), command(stack, data=data), yes=yes)
    execute(steps, stack.clients, lambda where: _check_idle(stack, where, data=data), dry=dry, say=say)
    if not dry:
        now = state.read(stack, whole=False)
        left = state.left(stack, found, now, data=data)
        prove(left, state.there(stack, now), command(stack, data=data), say)
    return len(steps)


def _tell(stack: Target, found: Found, *, data: bool, say: Say) -> None:
    """What goes, what stays; where there is nothing, that."""
    gone, kept = state.goes(stack, found, data=data), state.stays(stack, found, data=data)
    if not gone:
        what = f"nothing {'but what stays ' if kept else ''}is there of project {stack.project} in {stack.environment}"
        say(f"{what} ({describe_location(stack.clients)})")
    listed("goes", gone, say)
    listed("stays", kept, say)


def _question(stack: Target, found: Found, *, data: bool) -> str:
    what = count(found.stacks, "stack")
    lost = " and all of its data" if data else ""
    return f"destroy project {stack.project} in environment {stack.environment} ({what}{lost})"


def _busy(stack: Target, cluster: str, *, data: bool) -> AWSError | None:
    """A run that goes on is not ended by the way; one elsewhere would lose what it is to store."""
    tasks = state.running(stack, cluster)
    again = command(stack, data=data)
    if tasks:
        message = f"project {stack.project}: {count(len(tasks), 'task')} running ({', '.join(tasks)}), expected none"
        return AWSError(message, f"wait, or stop: invoke stop {stack.options}; then: {again}")
    if data and stack.bucket and (run := lock_holder(stack)):
        message = f"project {stack.project}: run {run} is under way, expected none"
        return AWSError(message, f"wait until it is over (90 s, where it was killed); then: {again}")
    return None


def _check_idle(stack: Target, cluster: str, *, data: bool) -> None:
    if busy := _busy(stack, cluster, data=data):
        raise busy
