"""Create, update or delete a stack: compare, show, ask, execute a change set, wait.

A stack operation that was interrupted is continued by the same command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from handoff_kit.console import ask
from handoff_kit.remote.errors import AWSError, told
from handoff_kit.stacks import body, changeset, deployed, differences, events, failure, listing, parameters, recovery
from handoff_kit.stacks.changeset import ChangeSet, Overtaken
from handoff_kit.stacks.differences import Difference
from handoff_kit.stacks.waiting import Means, Waiting, follow, interruptible
from handoff_kit.steps import BucketThere, ChangeStack, RemoveStack
from handoff_runtime.aws.clients import Clients
from handoff_runtime.errors import StoreError

Say = Callable[[str], None]

ROUNDS = 5  # of comparing once more after another process has updated the stack
SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
"""In these states DescribeStacks and GetTemplate show what the last update asked for."""
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
WAITING = Waiting()


def execute(step: ChangeStack, clients: Clients, *, dry: bool, yes: bool, say: Say, waiting: Waiting = WAITING) -> bool:
    """Create or update a stack, or with `dry` show the difference; False where it is up to date."""
    with told():
        body.check(step)
        values = parameters.resolved(step.parameters, clients, dry=dry, again=step.again)
        if dry:
            return _preview(step, values, clients, say)
        for _ in range(ROUNDS):
            changed = _create_or_update(step, values, Means(clients, say, waiting, yes, step.again))
            if changed is not None:
                return changed
            say(f"stack {step.name}: updated by another process; comparing again")
    message = f"stack {step.name}: updated by another process during each of {ROUNDS} attempts"
    raise AWSError(f"{message}; nothing was changed", f"when it has finished: {step.again}")


def _preview(step: ChangeStack, values: Mapping[str, str | BucketThere], clients: Clients, say: Say) -> bool:
    stack = deployed.read(clients, step.name, template=True)
    if stack:
        recovery.check_whose(stack, step.tags)
        if obstacle := recovery.obstacle(stack):
            say(f"note: stack {step.name} {obstacle}")
        if stack.status == recovery.FAILED_CREATION:
            stack = None
    found = differences.between(stack, step, parameters.settled(values, stack, clients, step.again))
    if stack and not found:
        say(f"stack {step.name} is up to date")
        return False
    _show(f"would {'update' if stack else 'create'} stack {step.name}", found, say)
    return True


def _create_or_update(step: ChangeStack, given: Mapping[str, str | BucketThere], means: Means) -> bool | None:
    """Whether the stack was changed; None where another process updates it."""
    stack = recovery.ready(step, means)
    if stack and stack.bucket not in ("", step.bucket, step.moved_from):
        message = f"stack {step.name}: deployed with bucket {stack.bucket} in between, expected {step.bucket}"
        raise AWSError(message, f"compare again: {step.again}" if step.again else None)
    values = parameters.settled(given, stack, means.clients, step.again)
    found = differences.between(stack, step, values)
    change_set = None
    if found or stack is None or stack.status not in SETTLED:
        change_set = changeset.make(step, values, means, creates=stack is None)
    if change_set is None:
        means.say(f"stack {step.name} is up to date")
        return False
    if isinstance(change_set, Overtaken):
        return None
    change_set = replace(change_set, differences=differences.merged(change_set.differences, found))
    return _confirm_and_execute(step, change_set, means)


def _confirm_and_execute(step: ChangeStack, change_set: ChangeSet, means: Means) -> bool | None:
    """True once the operation has succeeded; None where another process updates the stack."""
    what = f"{'create' if change_set.creates else 'update'} stack {step.name}"
    try:
        _show(what, change_set.differences, means.say)
        counts = listing.counts(change_set.differences, creates=change_set.creates)
        ask(f"{what} ({counts})", step.again or recovery.DEPLOY, yes=means.yes)
        marker = events.newest(means.clients, change_set.stack.id)
    except BaseException:
        changeset.drop(change_set, means.clients)
        raise
    with interruptible(step.name, means, updates=not change_set.creates):
        try:
            executed = changeset.execute(change_set, means.clients)
        except StoreError:
            changeset.drop(change_set, means.clients)
            raise
        if not executed:
            changeset.drop(change_set, means.clients)
            return None
        result = follow(change_set.stack, marker, means)
    if result.status not in GOOD:
        raise failure.told(step.name, result, step.again)
    means.say(f"stack {step.name}: {'created' if change_set.creates else 'updated'} in {result.seconds:.0f} s")
    return True


def _show(what: str, found: Sequence[Difference], say: Say) -> None:
    say(f"{what}:" if found else what)
    for line in (*listing.lines(found), *listing.warnings(found)):
        say(line)


def remove(step: RemoveStack, clients: Clients, *, dry: bool, yes: bool, say: Say, waiting: Waiting = WAITING) -> bool:
    """Delete a stack and its resources, or with `dry` say so; False where there is none."""
    with told():
        stack = deployed.look(clients, step.name)
        if stack is None or stack.status == "DELETE_COMPLETE":
            say(f"stack {step.name} does not exist")
            return False
        if dry:
            say(f"would delete stack {step.name}")
            return True
        is_reviewed_only = stack.status in deployed.ABSENT  # which has no tags yet
        if not is_reviewed_only and not any(name in stack.tags for name in recovery.OWNERS):
            message = f"stack {stack.name}: has no tags of handoff, expected a stack that handoff created"
            raise AWSError(message, f"see its tags: aws cloudformation describe-stacks --stack-name {stack.name}")
        if not stack.status.startswith("DELETE_"):
            ask(f"delete stack {step.name} and all its resources", step.again or recovery.DEPLOY, yes=yes)
        if is_reviewed_only:
            clients.call(deployed.CLOUDFORMATION, "delete_stack", StackName=stack.id)
        else:
            means = Means(clients, say, waiting, yes, step.again)
            if stack.is_changing:
                recovery.settle(stack, means)
                now = deployed.look(clients, stack.id)
                if now is None or now.status == "DELETE_COMPLETE":
                    return True
            say(f"delete stack {step.name}")
            recovery.removed(stack, means)
        say(f"stack {step.name}: deleted")
    return True
