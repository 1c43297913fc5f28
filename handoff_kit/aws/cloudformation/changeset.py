"""Change sets: create one and wait for it, read its changes, execute or delete it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from handoff_kit.aws.cloudformation.diff import Action, StackChange
from handoff_kit.aws.cloudformation.failure import hint_for
from handoff_kit.aws.cloudformation.stack import CLOUDFORMATION, StackDescription, describe_stack
from handoff_kit.aws.cloudformation.template import template_argument
from handoff_kit.aws.cloudformation.wait import PollPolicy, StackOperation
from handoff_kit.errors import AWSError
from handoff_kit.steps import DeployStack
from handoff_runtime.aws.session import Session
from handoff_runtime.errors import HandoffError, StoreError

NAME_PREFIX = "handoff-"
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
CONCURRENT_UPDATE = re.compile(
    r"_IN_PROGRESS state and can ?not be updated"
    r"|already exists and cannot be created again"
    r"|Stack (?:\[[^]]*\]|'[^']*'|with id \S+) does not exist"
    r"|ChangeSet (?:\[[^]]*\]|\S+) does not exist",
    re.IGNORECASE,
)
INVALID_TEMPLATE = re.compile(r"answered 400 ValidationError.*? \((.+)\)$", re.DOTALL)
REVERT_DRIFT = "REVERT_DRIFT"
NO_DRIFT_MODE = re.compile(r"DeploymentMode|REVERT_DRIFT|drift", re.IGNORECASE)
"""How CloudFormation refuses a change set that reverts drift: not in every region, nor of every stack."""
NOT_EXECUTABLE = ("InvalidChangeSetStatus", "ChangeSetNotFound")
ACTIONS: dict[str, Action] = {"Add": "add", "Import": "add", "Remove": "remove"}
REPLACEMENTS: dict[str, Action] = {"True": "replace", "Conditional": "may replace"}


@dataclass(frozen=True)
class ChangeSet:
    """A change set that can be executed; with `creates` CreateChangeSet has also created its stack."""

    name: str
    id: str
    stack: StackDescription
    creates: bool
    differences: tuple[StackChange, ...]


class ConcurrentUpdateError(HandoffError):
    """Another process updates the stack, or has updated it since it was described."""


def create_change_set(
    step: DeployStack, parameters: Mapping[str, str], operation: StackOperation, *, creates: bool
) -> ChangeSet | None:
    """Create a change set and wait for it; None where it would change nothing, and then it is deleted.

    ConcurrentUpdateError where the stack is no longer as it was described.
    """
    session, name = operation.session, f"{NAME_PREFIX}{uuid.uuid4().hex}"
    request = {
        "ChangeSetType": "CREATE" if creates else "UPDATE",
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Tags": [{"Key": key, "Value": value} for key, value in step.tags.items()],
        "IncludeNestedStacks": False,
        **({"DeploymentMode": REVERT_DRIFT} if step.reverts_drift and not creates else {}),
        **template_argument(step, session),
    }
    try:
        change_set, stack = _request_creation(session, step.name, name, request)
        description = _wait_until_created(session, step.name, change_set, operation.policy)
    except StoreError as error:
        with suppress(StoreError, AWSError):  # the first error is the one to report
            _delete_by_id(session, step.name, name, creates=creates)
        if CONCURRENT_UPDATE.search(error.message):
            raise ConcurrentUpdateError(error.message) from None
        if invalid := INVALID_TEMPLATE.search(error.message):
            message = f"stack {step.name}: CloudFormation rejected {step.file.name}: {invalid[1]}; nothing was changed"
            raise AWSError(message, hint_for(invalid[1], step.name, step.command)) from None
        raise
    except BaseException:
        _delete_by_id(session, step.name, name, creates=creates)
        raise
    changes = tuple(parse_change(one["ResourceChange"]) for one in description["Changes"] if "ResourceChange" in one)
    created = ChangeSet(name, change_set, StackDescription(step.name, "", id=stack), creates, changes)
    if description["Status"] == "CREATE_COMPLETE":
        return created
    reason = description.get("StatusReason", "")
    is_empty = any(text in reason for text in NO_CHANGES)
    reasons = () if is_empty else tuple(_validation_errors(session, change_set))
    delete_change_set(created, session)
    if is_empty:
        return None
    why = "; ".join(reasons) or reason or description["Status"]
    message = f"stack {step.name}: CloudFormation rejected the change set: {why}; nothing was changed"
    raise AWSError(message, hint_for(why, step.name, step.command))


def _request_creation(session: Session, stack: str, name: str, request: Mapping[str, Any]) -> tuple[str, str]:
    """The ids of the change set and of its stack, also where the answer was lost and the retry finds it created."""
    names = {"StackName": stack, "ChangeSetName": name}
    exists = ("AlreadyExistsException",)
    answer = session.call(CLOUDFORMATION, "create_change_set", allow=exists, **names, ClientToken=name, **request)
    if answer is not None:
        return answer["Id"], answer["StackId"]
    description = session.call(CLOUDFORMATION, "describe_change_set", **names)
    return description["ChangeSetId"], description["StackId"]


def _wait_until_created(session: Session, stack: str, change_set: str, policy: PollPolicy) -> Mapping[str, Any]:
    """DescribeChangeSet once the change set is created or has failed, with the changes of all pages."""
    request: dict[str, Any] = {"StackName": stack, "ChangeSetName": change_set, "IncludePropertyValues": True}
    for _ in policy.polls():
        pages = list(session.pages(CLOUDFORMATION, "describe_change_set", **request))
        if not pages[0]["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
            return {**pages[0], "Changes": [change for page in pages for change in page["Changes"]]}
    look = f"aws cloudformation describe-change-set --change-set-name {change_set}"
    raise AWSError(f"stack {stack}: its change set is still being created; handoff stops waiting", f"see why: {look}")


def _validation_errors(session: Session, change_set: str) -> Iterator[str]:
    """The early validation errors, which StatusReason mentions without repeating them."""
    try:
        request = {"ChangeSetName": change_set, "Filters": {"FailedEvents": True}}
        answer = session.call(CLOUDFORMATION, "describe_events", **request)
    except StoreError:  # without that permission there is still the StatusReason
        return
    for event in answer.get("OperationEvents", ()):
        if reason := event.get("ValidationStatusReason") or event.get("ResourceStatusReason"):
            yield " ".join(filter(None, (event.get("ResourceType"), event.get("LogicalResourceId")))) + f": {reason}"


def parse_change(change: Mapping[str, Any]) -> StackChange:
    """A ResourceChange of DescribeChangeSet; property paths are dotted: A.0.B for /Properties/A/0/B."""
    action = ACTIONS.get(change["Action"]) or REPLACEMENTS.get(change.get("Replacement", ""), "change")
    retained = "Retain" in change.get("PolicyAction", "")
    paths = set[str]()
    for detail in change.get("Details", ()):
        target = detail.get("Target", {})
        path = str(target.get("Path", "")).strip("/").removeprefix("Properties/").replace("/", ".")
        paths.add(path or str(target.get("Name") or target.get("Attribute", "")))
    properties = tuple(sorted(paths - {""}))
    return StackChange(action, change["LogicalResourceId"], change["ResourceType"], properties, retained)


def execute_change_set(change_set: ChangeSet, session: Session) -> None:
    """Execute a change set; ConcurrentUpdateError where another process has updated the stack: then it is obsolete."""
    named = {"StackName": change_set.stack.name, "ChangeSetName": change_set.id}
    request = {"ClientRequestToken": change_set.name, "RetainExceptOnCreate": True}
    codes = (*NOT_EXECUTABLE, "TokenAlreadyExistsException")
    if session.call(CLOUDFORMATION, "execute_change_set", allow=codes, **named, **request) is not None:
        return
    stack = describe_stack(session, change_set.stack.id)  # it may have been executed, and the answer lost
    if stack is None or stack.change_set != change_set.id:
        raise ConcurrentUpdateError(f"change set {change_set.name} is obsolete")


def delete_change_set(change_set: ChangeSet, session: Session) -> None:
    """Delete a change set, and the stack that it created."""
    _delete_by_id(session, change_set.stack.id, change_set.id, creates=change_set.creates)


def _delete_by_id(session: Session, stack: str, change_set: str, *, creates: bool) -> None:
    """Delete a change set; also its stack, if that is only in review and no other process has a change set for it."""
    gone = ("ChangeSetNotFound", "InvalidChangeSetStatus", "ValidationError")
    session.call(CLOUDFORMATION, "delete_change_set", allow=gone, StackName=stack, ChangeSetName=change_set)
    reviewed = describe_stack(session, stack) if creates else None
    if reviewed is None or reviewed.status != "REVIEW_IN_PROGRESS":
        return
    request = {"StackName": reviewed.id}
    answer = session.call(CLOUDFORMATION, "list_change_sets", allow=("ValidationError",), **request) or {}
    if all(change_set in (one["ChangeSetId"], one["ChangeSetName"]) for one in answer.get("Summaries", ())):
        session.call(CLOUDFORMATION, "delete_stack", **request)
