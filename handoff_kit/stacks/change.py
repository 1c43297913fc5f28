"""A stack changed or removed: compared, shown, asked, done, waited for. What is interrupted can be begun again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from handoff_kit.console import ask
from handoff_kit.remote.errors import AWSError, told
from handoff_kit.stacks import body, changeset, deployed, differences, events, failure, listing, parameters, recovery
from handoff_kit.stacks.changeset import ChangeSet, Overtaken
from handoff_kit.stacks.waiting import Means, Waiting, follow, interruptible
from handoff_runtime.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handoff_kit.stacks.deployed import Deployed
    from handoff_kit.stacks.differences import Difference
    from handoff_kit.stacks.waiting import Ended
    from handoff_kit.steps import BucketThere, ChangeStack, RemoveStack
    from handoff_runtime.aws.clients import Clients

    Say = Callable[[str], None]

__all__ = ["execute", "remove"]

ROUNDS = 5  # of comparing again, where somebody else was quicker
SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
"""After these what CloudFormation tells of a stack is what its last change asked for."""
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
WAITING = Waiting()


def execute(step: ChangeStack, clients: Clients, *, dry: bool, yes: bool, say: Say, waiting: Waiting = WAITING) -> bool:
    """Make or change a stack, or with `dry` only tell it; False where it is up to date."""
    with told():
        body.check(step)
        values = parameters.resolved(step.parameters, clients, dry=dry, again=step.again)
        if dry:
            return _tell(step, values, clients, say)
        for _ in range(ROUNDS):
            done = _attempt(step, values, Means(clients, say, waiting, yes, step.again))
            if done is not None:
                return done
            say(f"stack {step.name}: somebody else changed it meanwhile; comparing again")
    message = f"stack {step.name}: changed by somebody else each of {ROUNDS} times it was to be changed"
    raise AWSError(f"{message}; nothing was changed here", f"when they are done: {step.again}")


def remove(step: RemoveStack, clients: Clients, *, dry: bool, yes: bool, say: Say, waiting: Waiting = WAITING) -> bool:
    """Remove a stack with all that is in it, or with `dry` only tell it; False where there is none."""
    with told():
        found = deployed.look(clients, step.name)
        if found is None or found.status == "DELETE_COMPLETE":
            say(f"stack {step.name} is not there")
            return False
        if dry:
            say(f"would remove stack {step.name}")
            return True
        _check_ours(found)
        if not found.status.startswith("DELETE_"):
            ask(f"remove stack {step.name} with all that is in it", step.again or recovery.DEPLOY, yes=yes)
        _remove(found, step, Means(clients, say, waiting, yes, step.again))
    return True


def _tell(step: ChangeStack, values: Mapping[str, str | BucketThere], clients: Clients, say: Say) -> bool:
    """What would be done."""
    found = deployed.read(clients, step.name, template=True)
    if found:
        recovery.check_whose(found, step.tags)
    if found and (obstacle := recovery.obstacle(found)):
        say(f"note: stack {step.name}: {obstacle}")
    there = None if found and found.status == recovery.FAILED_CREATION else found
    seen = differences.between(there, step, parameters.settled(values, there, clients, step.again))
    if there and not seen:
        say(f"stack {step.name} is up to date")
        return False
    _show(f"would {'change' if there else 'make'} stack {step.name}", seen, say)
    return True


def _attempt(step: ChangeStack, given: Mapping[str, str | BucketThere], means: Means) -> bool | None:
    """Change it; None where somebody else was quicker, and all is to be compared again."""
    found = recovery.ready(step, means)
    if found and found.bucket not in ("", step.bucket, step.moved_from):
        message = f"stack {step.name}: deployed with bucket {found.bucket} in between; this is for {step.bucket}"
        raise AWSError(message, f"look again: {step.again}" if step.again else None)
    values = parameters.settled(given, found, means.clients, step.again)
    seen = differences.between(found, step, values)
    made = None
    if seen or found is None or found.status not in SETTLED:
        made = changeset.make(step, values, means, creates=found is None)
    if made is None:
        means.say(f"stack {step.name} is up to date")
        return False
    if isinstance(made, Overtaken):
        return None
    made = replace(made, differences=differences.merged(made.differences, seen))
    return _do(step, made, means)


def _do(step: ChangeStack, made: ChangeSet, means: Means) -> bool | None:
    what = f"{'make' if made.creates else 'change'} stack {step.name}"
    try:
        _show(what, made.differences, means.say)
        ask(f"{what} ({listing.counts(made.differences)})", step.again or recovery.DEPLOY, yes=means.yes)
        marker = events.newest(means.clients, made.stack.id)
    except BaseException:
        changeset.drop(made, means.clients)
        raise
    with interruptible(step.name, means, updates=not made.creates):
        if not _begin(made, means):
            return None
        ended = follow(made.stack, marker, means)
    _conclude(step, made, ended, means.say)
    return True


def _begin(made: ChangeSet, means: Means) -> bool:
    """Have it done, or take it away where that can not be."""
    try:
        if changeset.execute(made, means.clients):
            return True
    except StoreError:
        changeset.drop(made, means.clients)
        raise
    changeset.drop(made, means.clients)
    return False


def _show(what: str, found: Sequence[Difference], say: Say) -> None:
    say(f"{what}:" if found else what)
    for line in (*listing.lines(found), *listing.warnings(found)):
        say(line)


def _conclude(step: ChangeStack, made: ChangeSet, ended: Ended, say: Say) -> None:
    if ended.status not in GOOD:
        raise failure.told(step.name, ended, step.again)
    say(f"stack {step.name}: {'made' if made.creates else 'changed'} in {ended.seconds:.0f} s")


def _check_ours(found: Deployed) -> None:
    """What was never more than reviewed has no tags yet."""
    if found.status in deployed.ABSENT or any(name in found.tags for name in recovery.OWNERS):
        return
    message = f"stack {found.name}: found one without our tags, expected one that was made by handoff"
    raise AWSError(message, f"see whose it is: aws cloudformation describe-stacks --stack-name {found.name}")


def _remove(found: Deployed, step: RemoveStack, means: Means) -> None:
    """Remove it, once nobody else changes it; what was only reviewed is gone at once."""
    if found.status in deployed.ABSENT:
        means.clients.call(deployed.CLOUDFORMATION, "delete_stack", StackName=found.id)
        means.say(f"stack {step.name} is removed")
        return
    if found.is_changing:
        recovery.settle(found, means)
        if (now := deployed.look(means.clients, found.id)) is None or now.status == "DELETE_COMPLETE":
            return
    means.say(f"remove stack {step.name}")
    recovery.removed(found, means)
    means.say(f"stack {step.name} is removed")
