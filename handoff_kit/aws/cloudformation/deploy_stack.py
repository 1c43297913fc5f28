"""Create, update or delete a stack: prepare it, compare, show, ask, execute a change set, wait.

A stack operation that was interrupted is continued by the same command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from handoff_kit.aws.cloudformation.changeset import (
    NO_DRIFT_MODE,
    ChangeSet,
    ConcurrentUpdateError,
    create_change_set,
    delete_change_set,
    execute_change_set,
)
from handoff_kit.aws.cloudformation.diff import StackChange, diff_stack, merge_changes
from handoff_kit.aws.cloudformation.events import event_before_operation, events_since, newest_event
from handoff_kit.aws.cloudformation.failure import describe_failure, first_failure, operation_error
from handoff_kit.aws.cloudformation.output import change_lines, change_warnings, count_changes
from handoff_kit.aws.cloudformation.stack import (
    ABSENT_STATUSES,
    CLOUDFORMATION,
    FAILED_CREATION,
    OWNER_TAGS,
    STABLE_STATUSES,
    StackDescription,
    check_owner,
    describe_existing,
    describe_stack,
    resolve_buckets,
    resolve_parameters,
)
from handoff_kit.aws.cloudformation.template import check_size
from handoff_kit.aws.cloudformation.wait import PollPolicy, StackOperation, detach_on_interrupt, follow_events
from handoff_kit.console import Say, confirm
from handoff_kit.errors import AWSError, translate_store_errors
from handoff_kit.steps import DeleteStack, DeployStack, ExistingBucket
from handoff_runtime.aws.session import Session
from handoff_runtime.errors import StoreError

ATTEMPTS = 5  # of comparing once more after another process has updated the stack
SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
POLL_POLICY = PollPolicy()
GONE_RESOURCES = ("DELETE_COMPLETE", "DELETE_SKIPPED", "CREATE_FAILED")
FAILED_ROLLBACK = "UPDATE_ROLLBACK_FAILED"
UNRECOVERABLE = ("CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED", "IMPORT_ROLLBACK_FAILED")
"""Statuses that handoff does not repair: a person decides."""


def deploy_stack(
    step: DeployStack, session: Session, *, dry: bool, yes: bool, say: Say, policy: PollPolicy = POLL_POLICY
) -> bool:
    """Create or update a stack, or with `dry` show the difference; False where it is up to date."""
    with translate_store_errors():
        check_size(step)
        values = resolve_parameters(step.parameters, session, step.command, dry=dry)
        if dry:
            return _preview(step, values, session, say)
        for _ in range(ATTEMPTS):
            with suppress(ConcurrentUpdateError):
                return _create_or_update(step, values, StackOperation(session, say, policy, yes, step.command))
            say(f"stack {step.name}: updated by another process; comparing again")
    message = f"stack {step.name}: updated by another process during each of {ATTEMPTS} attempts"
    raise AWSError(f"{message}; nothing was changed", f"when it has finished: {step.command}")


def _preview(step: DeployStack, values: Mapping[str, str | ExistingBucket], session: Session, say: Say) -> bool:
    stack = describe_existing(session, step.name, template=True)
    if stack:
        check_owner(stack, step.tags)
        if obstacle := describe_obstacle(stack):
            say(f"note: stack {step.name} {obstacle}")
        if stack.status == FAILED_CREATION:
            stack = None
    step = _with_kept_tags(step, stack)
    changes = diff_stack(stack, step, resolve_buckets(values, stack, session, step.command))
    if stack and not changes:
        say(f"stack {step.name} is up to date")
        return False
    _print_changes(f"would {'update' if stack else 'create'} stack {step.name}", changes, say)
    return True


def _create_or_update(
    step: DeployStack, parameters: Mapping[str, str | ExistingBucket], operation: StackOperation
) -> bool:
    """Whether the stack was changed."""
    stack = prepare_for_update(step, operation)
    if stack and stack.bucket not in ("", step.bucket, step.moved_from):
        message = f"stack {step.name}: deployed with bucket {stack.bucket} in between, expected {step.bucket}"
        raise AWSError(message, f"compare again: {step.command}")
    values = resolve_buckets(parameters, stack, operation.session, step.command)
    step = replace(_with_kept_tags(step, stack), reverts_drift=step.reverts_drift and stack is not None)
    changes = diff_stack(stack, step, values)
    if changes and step.made_from not in (None, stack.template if stack else ""):
        message = f"stack {step.name}: {'changed' if stack else 'deleted'} by somebody else in between"
        raise AWSError(f"{message}; nothing was changed", f"compare again: {step.command}")
    change_set = None
    if step.reverts_drift:
        step, change_set = _create_drift_change_set(step, values, operation)
    if not step.reverts_drift and (changes or stack is None or stack.status not in STABLE_STATUSES):
        change_set = create_change_set(step, values, operation, creates=stack is None)
    if change_set is None:
        operation.say(f"stack {step.name} is up to date")
        return False
    changes = merge_changes(change_set.differences, changes)
    _confirm_and_execute(step, replace(change_set, differences=changes), operation)
    return True


def _create_drift_change_set(
    step: DeployStack, parameters: Mapping[str, str], operation: StackOperation
) -> tuple[DeployStack, ChangeSet | None]:
    """A change set that reverts drift too; where CloudFormation refuses one, the step without that."""
    try:
        return step, create_change_set(step, parameters, operation, creates=False)
    except AWSError as error:
        if not NO_DRIFT_MODE.search(error.message):
            raise
        look = f"invoke verify --drift {step.command.partition('--repair ')[2]}".rstrip()
        operation.say(f"note: stack {step.name}: what was changed by hand is not reverted: {error.message}")
        operation.say(f"hint: see what was changed: {look}; change it back by hand, or delete it and repair again")
        return replace(step, reverts_drift=False), None


def _with_kept_tags(step: DeployStack, stack: StackDescription | None) -> DeployStack:
    if step.initial_tags is None:
        return step
    return replace(step, tags={**(stack.tags if stack else step.initial_tags), **step.tags})


def _confirm_and_execute(step: DeployStack, change_set: ChangeSet, operation: StackOperation) -> None:
    what = f"{'create' if change_set.creates else 'update'} stack {step.name}"
    try:
        _print_changes(what, change_set.differences, operation.say)
        counts = count_changes(change_set.differences, creates=change_set.creates)
        confirm(f"{what} ({counts})", step.command, yes=operation.yes)
        marker = newest_event(operation.session, change_set.stack.id)
    except BaseException:
        delete_change_set(change_set, operation.session)
        raise
    with detach_on_interrupt(step.name, operation, updates=not change_set.creates):
        try:
            execute_change_set(change_set, operation.session)
        except (StoreError, ConcurrentUpdateError):
            delete_change_set(change_set, operation.session)
            raise
        result = follow_events(change_set.stack, marker, operation)
    if result.status not in SUCCEEDED:
        raise operation_error(step.name, result, step.command)
    operation.say(f"stack {step.name}: {'created' if change_set.creates else 'updated'} in {result.seconds:.0f} s")


def _print_changes(what: str, changes: Sequence[StackChange], say: Say) -> None:
    say(f"{what}:" if changes else what)
    for line in (*change_lines(changes), *change_warnings(changes)):
        say(line)


def delete_stack(
    step: DeleteStack, session: Session, *, dry: bool, yes: bool, say: Say, policy: PollPolicy = POLL_POLICY
) -> bool:
    """Delete a stack and its resources, or with `dry` say so; False where there is none."""
    with translate_store_errors():
        stack = describe_stack(session, step.name)
        if stack is None or stack.status == "DELETE_COMPLETE":
            say(f"stack {step.name} does not exist")
            return False
        if dry:
            say(f"would delete stack {step.name}")
            return True
        is_reviewed_only = stack.status in ABSENT_STATUSES  # which has no tags yet
        if not is_reviewed_only and not any(name in stack.tags for name in OWNER_TAGS):
            message = f"stack {stack.name}: has no tags of handoff, expected a stack that handoff created"
            raise AWSError(message, f"see its tags: aws cloudformation describe-stacks --stack-name {stack.name}")
        if not stack.status.startswith("DELETE_"):
            confirm(f"delete stack {step.name} and all its resources", step.command, yes=yes)
        if is_reviewed_only:
            session.call(CLOUDFORMATION, "delete_stack", StackName=stack.id)
        else:
            operation = StackOperation(session, say, policy, yes, step.command)
            if stack.is_changing:
                wait_until_stable(stack, operation)
                now = describe_stack(session, stack.id)
                if now is None or now.status == "DELETE_COMPLETE":
                    return True
            say(f"delete stack {step.name}")
            delete_and_wait(stack, operation)
        say(f"stack {step.name}: deleted")
    return True


def prepare_for_update(step: DeployStack, operation: StackOperation) -> StackDescription | None:
    """The stack once it can be updated, None where it is to be created; AWSError where a person must act first."""
    stack = describe_existing(operation.session, step.name, template=True)
    while stack and not _is_ready(stack):
        check_owner(stack, step.tags)
        if stack.is_changing:
            wait_until_stable(stack, operation)
        elif stack.status == FAILED_ROLLBACK:
            _continue_rollback(stack, operation)
        elif stack.status == FAILED_CREATION:
            _delete_failed_creation(stack, operation)
        else:
            name = f"--stack-name {stack.name}"
            wait = f"aws cloudformation wait stack-delete-complete {name}"
            hint = f"delete it: aws cloudformation delete-stack {name} && {wait}"
            if stack.status == "IMPORT_ROLLBACK_FAILED":
                hint = f"see why: aws cloudformation describe-stack-events {name}"
            raise AWSError(f"stack {stack.name}: {describe_obstacle(stack)}", f"{hint}; then: {operation.command}")
        stack = describe_existing(operation.session, step.name, template=True)
    if stack:
        check_owner(stack, step.tags)
    return stack


def _is_ready(stack: StackDescription) -> bool:
    return not stack.is_changing and stack.status not in (FAILED_CREATION, FAILED_ROLLBACK, *UNRECOVERABLE)


def describe_obstacle(stack: StackDescription) -> str:
    """What prevents an update; empty where nothing does."""
    status = stack.status.lower().replace("_", " ")
    if stack.is_changing:
        return f"is being changed by another process or by an earlier run ({status})"
    table = {
        FAILED_CREATION: "its creation failed earlier",
        FAILED_ROLLBACK: "an earlier update failed, and so did its rollback",
        "CREATE_FAILED": "its creation failed earlier, and was not rolled back",
        "ROLLBACK_FAILED": "its creation failed earlier, and so did the rollback",
        "DELETE_FAILED": "its deletion failed earlier",
    }
    return table.get(stack.status, "" if _is_ready(stack) else f"cannot be updated ({status})")


def wait_until_stable(stack: StackDescription, operation: StackOperation) -> None:
    """Wait for the operation of another process."""
    operation.say(
        f"stack {stack.name} {describe_obstacle(stack)}; waiting for its end (Ctrl-C stops waiting, not the operation)"
    )
    with detach_on_interrupt(stack.name, operation):
        follow_events(stack, event_before_operation(operation.session, stack.id), operation)


def delete_and_wait(stack: StackDescription, operation: StackOperation) -> None:
    """Delete a stack and wait; AWSError where a resource remains that is not retained on purpose."""
    with detach_on_interrupt(stack.name, operation):
        marker = newest_event(operation.session, stack.id)
        operation.session.call(CLOUDFORMATION, "delete_stack", StackName=stack.id)
        result = follow_events(stack, marker, operation)
    if result.status != "DELETE_COMPLETE":
        raise operation_error(stack.name, result, operation.command)
    for event in result.events:
        if event.status == "DELETE_SKIPPED":
            operation.say(f"retained: {event.kind} {event.physical or event.name}")


def _continue_rollback(stack: StackDescription, operation: StackOperation) -> None:
    culprit = first_failure(reversed(events_since(operation.session, stack.id, "")))
    cause = f" ({culprit.kind} {culprit.name}: {culprit.reason})" if culprit else ""
    operation.say(f"stack {stack.name}: {describe_obstacle(stack)}{cause}")
    confirm(f"continue the rollback of stack {stack.name}", operation.command, yes=operation.yes)
    with detach_on_interrupt(stack.name, operation):
        marker = newest_event(operation.session, stack.id)
        operation.session.call(CLOUDFORMATION, "continue_update_rollback", StackName=stack.id)
        result = follow_events(stack, marker, operation)
    if result.status != "UPDATE_ROLLBACK_COMPLETE":
        first = first_failure(result.events)
        message = describe_failure(stack.name, first) if first else f"stack {stack.name}: {describe_obstacle(stack)}"
        skip = f" --resources-to-skip {first.name}" if first else ""
        skipping = f"aws cloudformation continue-update-rollback --stack-name {stack.name}{skip}"
        hint = f"skip that resource: {skipping}; then: {operation.command}"
        raise AWSError(f"{message}; the earlier update is still not rolled back", hint)


def _delete_failed_creation(stack: StackDescription, operation: StackOperation) -> None:
    """Delete a stack whose creation was rolled back: it has no resources, but CloudFormation does not update it."""
    pages = operation.session.pages(CLOUDFORMATION, "list_stack_resources", StackName=stack.id)
    resources = (resource for page in pages for resource in page["StackResourceSummaries"])
    left = [one["LogicalResourceId"] for one in resources if one["ResourceStatus"] not in GONE_RESOURCES]
    what = f"stack {stack.name}, whose creation failed ({', '.join(left) or 'it has no resources'})"
    confirm(f"delete {what}", operation.command, yes=operation.yes)
    operation.say(f"delete {what}")
    delete_and_wait(stack, operation)
