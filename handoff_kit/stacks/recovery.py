"""A stack brought to where it can be changed: waited for, taken back, or cleared of what a failed creation left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.console import ask
from handoff_kit.remote.errors import AWSError
from handoff_kit.stacks import deployed, events, failure
from handoff_kit.stacks.deployed import CLOUDFORMATION, Deployed
from handoff_kit.stacks.waiting import follow, interruptible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff_kit.stacks.waiting import Means
    from handoff_kit.steps import ChangeStack
    from handoff_runtime.aws.clients import Clients

__all__ = ["DEPLOY", "OWNERS", "check_whose", "obstacle", "ready", "removed", "settle"]

OWNERS = ("handoff:project", "handoff:environment")
DEPLOY = "invoke deploy"
GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED", "CREATE_FAILED")
FAILED_CREATION, STUCK = "ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"
CLOSED = ("CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED", "IMPORT_ROLLBACK_FAILED")
"""Where only a person knows what to do with what is there."""


def ready(step: ChangeStack, means: Means) -> Deployed | None:
    """The stack as it can be changed, None where it is to be made; an error where neither can be."""
    found = deployed.read(means.clients, step.name, template=True)
    while found and not _is_ready(found):
        check_whose(found, step.tags)
        if found.is_changing:
            settle(found, means)
        elif found.status == STUCK:
            _take_back(found, means)
        elif found.status == FAILED_CREATION:
            _clear(found, means)
        else:
            raise AWSError(f"stack {found.name}: {obstacle(found)}", _by_hand(found, means.again))
        found = deployed.read(means.clients, step.name, template=True)
    if found:
        check_whose(found, step.tags)
    return found


def _is_ready(found: Deployed) -> bool:
    return not found.is_changing and found.status not in (FAILED_CREATION, STUCK, *CLOSED)


def obstacle(found: Deployed) -> str:
    """What stands in the way of a change, in words; nothing where nothing does."""
    if found.is_changing:
        return f"is being changed at present, by somebody else or by an earlier run ({_words(found)})"
    table = {
        FAILED_CREATION: "its creation failed before",
        STUCK: "an earlier change failed, and so did undoing it",
        "CREATE_FAILED": "its creation failed before, and was not undone",
        "ROLLBACK_FAILED": "its creation failed before, and so did undoing it",
        "DELETE_FAILED": "it was to be removed, which failed half way",
    }
    return table.get(
        found.status, "" if _is_ready(found) else f"found {_words(found)}, expected one that can be changed"
    )


def check_whose(found: Deployed, tags: Mapping[str, str]) -> None:
    """Refuse a stack that is another project's, another environment's, or not ours at all."""
    if all(found.tags.get(name) == tags.get(name) for name in OWNERS):
        return
    whose = ", ".join(f"{name} {found.tags[name]}" for name in OWNERS if name in found.tags) or "without our tags"
    ours = ", ".join(f"{name} {tags[name]}" for name in OWNERS if name in tags)
    message = f"stack {found.name}: found one of somebody else ({whose}), expected ours ({ours})"
    look = f"aws cloudformation describe-stacks --stack-name {found.name}"
    raise AWSError(message, f"see whose it is: {look}; then take another STACK_NAME, or another --environment")


def settle(found: Deployed, means: Means) -> None:
    """Wait until whoever changes it is done."""
    means.say(f"stack {found.name} {obstacle(found)}; waiting for that to end (Ctrl-C leaves it be)")
    with interruptible(found.name, means):
        follow(found, events.before_this(means.clients, found.id), means)


def removed(found: Deployed, means: Means) -> None:
    """Remove a stack and wait for it; an error where something of it stays."""
    with interruptible(found.name, means):
        marker = events.newest(means.clients, found.id)
        means.clients.call(CLOUDFORMATION, "delete_stack", StackName=found.id)
        ended = follow(found, marker, means)
    if ended.status != "DELETE_COMPLETE":
        raise failure.told(found.name, ended, means.again)
    for event in ended.events:
        if event.status == "DELETE_SKIPPED":
            means.say(f"kept: {event.kind} {event.physical or event.name}")


def _take_back(found: Deployed, means: Means) -> None:
    """Have a rollback go on that had failed."""
    culprit = _last_failure(found, means.clients)
    means.say(f"stack {found.name}: {obstacle(found)}{culprit}")
    ask(f"undo the earlier change of stack {found.name} once more", means.again or DEPLOY, yes=means.yes)
    with interruptible(found.name, means):
        marker = events.newest(means.clients, found.id)
        means.clients.call(CLOUDFORMATION, "continue_update_rollback", StackName=found.id)
        ended = follow(found, marker, means)
    if ended.status != "UPDATE_ROLLBACK_COMPLETE":
        first = failure.first(ended.events)
        skip = f" --resources-to-skip {first.name}" if first else ""
        message = failure.sentence(found.name, first) if first else f"stack {found.name}: {obstacle(found)}"
        command = f"aws cloudformation continue-update-rollback --stack-name {found.name}{skip}"
        hint = f"leave it as it is: {command}; then: {means.again}"
        raise AWSError(f"{message}; the earlier change is still not undone", hint)


def _last_failure(found: Deployed, clients: Clients) -> str:
    seen = failure.first(reversed(events.since(clients, found.id, "")))
    return f" ({seen.kind} {seen.name}: {seen.reason})" if seen else ""


def _clear(found: Deployed, means: Means) -> None:
    """Remove what a failed creation left: on AWS that is nothing, but only a stack that is gone can be made."""
    left = _left(found, means.clients)
    what = f"stack {found.name}, whose creation failed ({', '.join(left) or 'nothing is in it'})"
    ask(f"remove what is left of {what}", means.again or DEPLOY, yes=means.yes)
    means.say(f"removing what is left of {what}")
    removed(found, means)


def _left(found: Deployed, clients: Clients) -> list[str]:
    """The resources that are there."""
    pages = clients.pages(CLOUDFORMATION, "list_stack_resources", StackName=found.id)
    resources = (resource for page in pages for resource in page["StackResourceSummaries"])
    return [one["LogicalResourceId"] for one in resources if one["ResourceStatus"] not in GONE]


def _words(found: Deployed) -> str:
    return found.status.lower().replace("_", " ")


def _by_hand(found: Deployed, again: str) -> str:
    name = f"--stack-name {found.name}"
    if found.status == "IMPORT_ROLLBACK_FAILED":
        return f"see why: aws cloudformation describe-stack-events {name}; then: {again}"
    wait = f"aws cloudformation wait stack-delete-complete {name}"
    return f"remove it: aws cloudformation delete-stack {name} && {wait}; then: {again}"
