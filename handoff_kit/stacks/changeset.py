"""A change set: made, waited for, read as differences, executed or taken away."""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_kit.remote.errors import AWSError
from handoff_kit.stacks import body, deployed, failure
from handoff_kit.stacks.deployed import CLOUDFORMATION, Deployed
from handoff_kit.stacks.differences import Action, Difference
from handoff_runtime.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from handoff_kit.stacks.waiting import Means, Waiting
    from handoff_kit.steps import ChangeStack
    from handoff_runtime.aws.clients import Clients

__all__ = ["ChangeSet", "Overtaken", "drop", "execute", "make", "of_change"]

PREFIX = "handoff-"
EMPTY = ("didn't contain changes", "No updates are to be performed")
OVERTAKEN = re.compile(
    r"_IN_PROGRESS state and can ?not be updated"
    r"|already exists and cannot be created again"
    r"|Stack (?:\[[^]]*\]|'[^']*'|with id \S+) does not exist"
    r"|ChangeSet (?:\[[^]]*\]|\S+) does not exist",
    re.IGNORECASE,
)
REFUSED = re.compile(r"answered 400 ValidationError.*? \((.+)\)$", re.DOTALL)
NOT_TO_EXECUTE = ("InvalidChangeSetStatus", "ChangeSetNotFound")
EXECUTED = "TokenAlreadyExistsException"
ACTIONS: dict[str, Action] = {"Add": "add", "Import": "add", "Remove": "remove"}
REPLACEMENTS: dict[str, Action] = {"True": "replace", "Conditional": "may replace"}


@dataclass(frozen=True)
class ChangeSet:
    """One that can be executed; with `creates` the stack is there for its sake alone."""

    name: str
    id: str
    stack: Deployed
    creates: bool
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Overtaken:
    """Somebody else changes the stack, or has changed it, since it was looked at."""


def make(
    step: ChangeStack, parameters: Mapping[str, str], means: Means, *, creates: bool
) -> ChangeSet | Overtaken | None:
    """Make one and wait for it; None where nothing would change, and nothing is left of it then."""
    clients, name = means.clients, f"{PREFIX}{uuid.uuid4().hex}"
    request = _request(step, parameters, creates=creates) | body.request(step, clients)
    try:
        answer = _created(clients, step.name, name, request)
        found = _described(clients, step.name, answer["Id"], means.waiting)
    except StoreError as error:
        with suppress(StoreError, AWSError):  # what was refused first is what to tell
            _forget(clients, step.name, name, creates=creates)
        if OVERTAKEN.search(error.message):
            return Overtaken()
        raise _refused(step, error) or error from None
    except BaseException:
        _forget(clients, step.name, name, creates=creates)
        raise
    made = ChangeSet(name, answer["Id"], Deployed(step.name, "", id=answer["StackId"]), creates, ())
    return _judged(made, found, clients, step)


def _refused(step: ChangeStack, error: StoreError) -> AWSError | None:
    """What CloudFormation says of a template that is none."""
    found = REFUSED.search(error.message)
    if found is None:
        return None
    message = f"stack {step.name}: CloudFormation does not take {step.file.name}: {found[1]}; nothing was changed"
    return AWSError(message, failure.advice(found[1], step.name, step.again))


def _request(step: ChangeStack, parameters: Mapping[str, str], *, creates: bool) -> dict[str, Any]:
    return {
        "ChangeSetType": "CREATE" if creates else "UPDATE",
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        "Tags": [{"Key": name, "Value": value} for name, value in step.tags.items()],
        "IncludeNestedStacks": False,
    }


def _created(clients: Clients, stack: str, name: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer of CreateChangeSet; where that was lost, and it was asked for again, what is told of it."""
    named = {"StackName": stack, "ChangeSetName": name}
    answer = clients.call_unless(
        ("AlreadyExistsException",), CLOUDFORMATION, "create_change_set", **named, ClientToken=name, **request
    )
    if answer is not None:
        return dict(answer)
    found = clients.call(CLOUDFORMATION, "describe_change_set", **named)
    return {"Id": found["ChangeSetId"], "StackId": found["StackId"]}


def _described(clients: Clients, stack: str, name: str, waiting: Waiting) -> Mapping[str, Any]:
    """All that is told of it, once it is made or has failed."""
    asked: dict[str, Any] = {"StackName": stack, "ChangeSetName": name, "IncludePropertyValues": True}
    for _ in waiting.looks():
        pages = list(clients.pages(CLOUDFORMATION, "describe_change_set", **asked))
        if not pages[0]["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
            return {**pages[0], "Changes": [change for page in pages for change in page["Changes"]]}
    look = f"aws cloudformation describe-change-set --change-set-name {name}"
    raise AWSError(f"stack {stack}: its change set is still not made; waited no longer", f"see why: {look}")


def _judged(made: ChangeSet, found: Mapping[str, Any], clients: Clients, step: ChangeStack) -> ChangeSet | None:
    if found["Status"] == "CREATE_COMPLETE":
        told = tuple(of_change(each["ResourceChange"]) for each in found["Changes"] if "ResourceChange" in each)
        return ChangeSet(made.name, made.id, made.stack, made.creates, told)
    reason = found.get("StatusReason", "")
    empty = any(text in reason for text in EMPTY)
    reasons = () if empty else tuple(_reasons(clients, made.id))
    drop(made, clients)
    if empty:
        return None
    why = "; ".join(reasons) or reason or found["Status"]
    message = f"stack {step.name}: CloudFormation does not take the change: {why}"
    raise AWSError(f"{message}; nothing was changed", failure.advice(why, step.name, step.again))


def _reasons(clients: Clients, change_set: str) -> Iterator[str]:
    """What CloudFormation found before it would begin; StatusReason refers to it without repeating it."""
    try:
        asked = {"ChangeSetName": change_set, "Filters": {"FailedEvents": True}}
        answer = clients.call(CLOUDFORMATION, "describe_events", **asked)
    except StoreError:  # who may not ask for more is told the rest
        return
    for found in answer.get("OperationEvents", ()):
        if reason := found.get("ValidationStatusReason") or found.get("ResourceStatusReason"):
            yield " ".join(filter(None, (found.get("ResourceType"), found.get("LogicalResourceId")))) + f": {reason}"


def of_change(found: Mapping[str, Any]) -> Difference:
    """A difference from what DescribeChangeSet tells of a resource."""
    action = ACTIONS.get(found["Action"]) or REPLACEMENTS.get(found.get("Replacement", ""), "change")
    kept = "Retain" in found.get("PolicyAction", "")
    properties = dict.fromkeys(filter(None, map(_property, found.get("Details", ()))))
    return Difference(action, found["LogicalResourceId"], found["ResourceType"], tuple(sorted(properties)), kept)


def _property(detail: Mapping[str, Any]) -> str:
    """The dotted path of what changes: /Properties/A/0/B is A.0.B."""
    target = detail.get("Target", {})
    path = str(target.get("Path", "")).strip("/").removeprefix("Properties/").replace("/", ".")
    return path or str(target.get("Name") or target.get("Attribute", ""))


def execute(made: ChangeSet, clients: Clients) -> bool:
    """Have it done; False where it can not be any more, since somebody else was quicker."""
    codes = (*NOT_TO_EXECUTE, EXECUTED)
    named = {"StackName": made.stack.name, "ChangeSetName": made.id}
    asked = {"ClientRequestToken": made.name, "RetainExceptOnCreate": True}
    if clients.call_unless(codes, CLOUDFORMATION, "execute_change_set", **named, **asked) is not None:
        return True
    found = deployed.look(clients, made.stack.id)  # perhaps it was us, and the answer was lost
    return found is not None and found.change_set == made.id


def drop(made: ChangeSet, clients: Clients) -> None:
    """Take it away, and with it a stack that was there for its sake alone."""
    _forget(clients, made.stack.id, made.id, creates=made.creates)


def _forget(clients: Clients, stack: str, name: str, *, creates: bool) -> None:
    gone = ("ChangeSetNotFound", "InvalidChangeSetStatus", "ValidationError")
    clients.call_unless(gone, CLOUDFORMATION, "delete_change_set", StackName=stack, ChangeSetName=name)
    if not creates:
        return
    found = deployed.look(clients, stack)
    if found and found.status == "REVIEW_IN_PROGRESS" and not _others(clients, found, name):
        clients.call(CLOUDFORMATION, "delete_stack", StackName=found.id)


def _others(clients: Clients, stack: Deployed, name: str) -> bool:
    """Whether somebody else has a change set for it."""
    answer = clients.call_unless(("ValidationError",), CLOUDFORMATION, "list_change_sets", StackName=stack.id)
    return any(name not in (each["ChangeSetId"], each["ChangeSetName"]) for each in (answer or {}).get("Summaries", ()))
