"""Prepare a stack for an update: wait for another operation, continue a failed rollback, delete a failed creation."""

from __future__ import annotations

from collections.abc import Mapping

from handoff_kit.console import ask
from handoff_kit.remote.errors import AWSError
from handoff_kit.stacks import deployed, events, failure
from handoff_kit.stacks.deployed import CLOUDFORMATION, Deployed
from handoff_kit.stacks.waiting import Means, follow, interruptible
from handoff_kit.steps import ChangeStack

OWNERS = ("handoff:project", "handoff:environment")
DEPLOY = "invoke deploy"
GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED", "CREATE_FAILED")
FAILED_CREATION, STUCK = "ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"
CLOSED = ("CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED", "IMPORT_ROLLBACK_FAILED")
"""Statuses out of which only a person may lead a stack."""


def ready(step: ChangeStack, means: Means) -> Deployed | None:
    """The stack once it can be updated, None where it is to be created; AWSError where a person must act first."""
    stack = deployed.read(means.clients, step.name, template=True)
    while stack and not _is_ready(stack):
        check_whose(stack, step.tags)
        if stack.is_changing:
            settle(stack, means)
        elif stack.status == STUCK:
            _continue_rollback(stack, means)
        elif stack.status == FAILED_CREATION:
            _delete_failed_creation(stack, means)
        else:
            raise AWSError(f"stack {stack.name}: {obstacle(stack)}", _hint_for_closed(stack, means.again))
        stack = deployed.read(means.clients, step.name, template=True)
    if stack:
        check_whose(stack, step.tags)
    return stack


def _is_ready(stack: Deployed) -> bool:
    return not stack.is_changing and stack.status not in (FAILED_CREATION, STUCK, *CLOSED)


def obstacle(stack: Deployed) -> str:
    """What prevents an update; empty where nothing does."""
    status = stack.status.lower().replace("_", " ")
    if stack.is_changing:
        return f"is being changed by another process or by an earlier run ({status})"
    table = {
        FAILED_CREATION: "its creation failed earlier",
        STUCK: "an earlier update failed, and so did its rollback",
        "CREATE_FAILED": "its creation failed earlier, and was not rolled back",
        "ROLLBACK_FAILED": "its creation failed earlier, and so did the rollback",
        "DELETE_FAILED": "its deletion failed earlier",
    }
    return table.get(stack.status, "" if _is_ready(stack) else f"cannot be updated ({status})")


def check_whose(stack: Deployed, tags: Mapping[str, str]) -> None:
    """Refuse a stack of another project or environment, or one that handoff did not create."""
    if all(stack.tags.get(name) == tags.get(name) for name in OWNERS):
        return
    texts = [", ".join(f"{name} {owner[name]}" for name in OWNERS if name in owner) for owner in (stack.tags, tags)]
    look = f"aws cloudformation describe-stacks --stack-name {stack.name}"
    hint = f"see its tags: {look}; then set another STACK_NAME or --environment"
    message = f"stack {stack.name}: found tags ({texts[0] or 'none of handoff'}), expected ({texts[1]})"
    raise AWSError(message, hint)


def settle(stack: Deployed, means: Means) -> None:
    """Wait for the operation of another process."""
    means.say(f"stack {stack.name} {obstacle(stack)}; waiting for its end (Ctrl-C stops waiting, not the operation)")
    with interruptible(stack.name, means):
        follow(stack, events.before_this(means.clients, stack.id), means)


def removed(stack: Deployed, means: Means) -> None:
    """Delete a stack and wait; AWSError where a resource remains that is not retained on purpose."""
    with interruptible(stack.name, means):
        marker = events.newest(means.clients, stack.id)
        means.clients.call(CLOUDFORMATION, "delete_stack", StackName=stack.id)
        result = follow(stack, marker, means)
    if result.status != "DELETE_COMPLETE":
        raise failure.told(stack.name, result, means.again)
    for event in result.events:
        if event.status == "DELETE_SKIPPED":
            means.say(f"retained: {event.kind} {event.physical or event.name}")


def _continue_rollback(stack: Deployed, means: Means) -> None:
    culprit = failure.first(reversed(events.since(means.clients, stack.id, "")))
    cause = f" ({culprit.kind} {culprit.name}: {culprit.reason})" if culprit else ""
    means.say(f"stack {stack.name}: {obstacle(stack)}{cause}")
    ask(f"continue the rollback of stack {stack.name}", means.again or DEPLOY, yes=means.yes)
    with interruptible(stack.name, means):
        marker = events.newest(means.clients, stack.id)
        means.clients.call(CLOUDFORMATION, "continue_update_rollback", StackName=stack.id)
        result = follow(stack, marker, means)
    if result.status != "UPDATE_ROLLBACK_COMPLETE":
        first = failure.first(result.events)
        message = failure.sentence(stack.name, first) if first else f"stack {stack.name}: {obstacle(stack)}"
        skip = f" --resources-to-skip {first.name}" if first else ""
        command = f"aws cloudformation continue-update-rollback --stack-name {stack.name}{skip}"
        hint = f"skip that resource: {command}; then: {means.again}"
        raise AWSError(f"{message}; the earlier update is still not rolled back", hint)


def _delete_failed_creation(stack: Deployed, means: Means) -> None:
    """Delete a stack whose creation was rolled back: it has no resources, but CloudFormation does not update it."""
    pages = means.clients.pages(CLOUDFORMATION, "list_stack_resources", StackName=stack.id)
    resources = (resource for page in pages for resource in page["StackResourceSummaries"])
    left = [one["LogicalResourceId"] for one in resources if one["ResourceStatus"] not in GONE]
    what = f"stack {stack.name}, whose creation failed ({', '.join(left) or 'it has no resources'})"
    ask(f"delete {what}", means.again or DEPLOY, yes=means.yes)
    means.say(f"delete {what}")
    removed(stack, means)


def _hint_for_closed(stack: Deployed, again: str) -> str:
    name = f"--stack-name {stack.name}"
    if stack.status == "IMPORT_ROLLBACK_FAILED":
        return f"see why: aws cloudformation describe-stack-events {name}; then: {again}"
    wait = f"aws cloudformation wait stack-delete-complete {name}"
    return f"delete it: aws cloudformation delete-stack {name} && {wait}; then: {again}"
