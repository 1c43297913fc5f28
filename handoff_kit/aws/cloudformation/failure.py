"""Why an operation of a stack failed: the resource that failed first, the reason, the state of the stack, a hint."""

from __future__ import annotations

import re
from collections.abc import Iterable

from handoff_kit.aws.cloudformation.events import OperationResult, StackEvent
from handoff_kit.errors import AWSError
from handoff_runtime.aws.errors import DENIED_ACTION, hint_for_reason

CONSEQUENCES = re.compile(r"resource (creation|update|deletion) cancell?ed|operation cancell?ed", re.IGNORECASE)
DONE = {"CREATE": "created", "DELETE": "deleted", "UPDATE": "updated", "IMPORT": "imported"}
OUTCOMES = {
    "ROLLBACK_COMPLETE": "what had been created was deleted again",
    "DELETE_COMPLETE": "what had been created was deleted again",
    "UPDATE_ROLLBACK_COMPLETE": "the stack was rolled back",
    "CREATE_FAILED": "what had been created remains",
    "UPDATE_FAILED": "what had been updated remains",
    "DELETE_FAILED": "the stack remains, with what was not deleted",
}
_DENIED = re.compile(DENIED_ACTION, re.IGNORECASE)
_DENIED_CALL = re.compile(r"API: (\w+:\w+) (?:Access ?Denied|You are not authorized)", re.IGNORECASE)
_BOUNDARY = "; if roles here need a permissions boundary: deploy.permissions_boundary"
_OWNER = re.compile(r"already exists in stack (\S+)", re.IGNORECASE)
_EXISTS = re.compile(r"already (?:exists|owned)|AlreadyExists|AlreadyOwned|name conflict", re.IGNORECASE)
_LIMIT = re.compile(r"limit ?exceeded|exceeds? the (?:limit|quota)|maximum number|quota", re.IGNORECASE)
_IN_USE = re.compile(r"not empty|BucketNotEmpty|RepositoryNotEmpty|still contains images|in use", re.IGNORECASE)
_INVALID = re.compile(r"invalid|validation (?:failed|error)|ValidationException|malformed|format error", re.IGNORECASE)
_PROTECTED = re.compile(r"TerminationProtection", re.IGNORECASE)


def operation_error(name: str, result: OperationResult, command: str) -> AWSError:
    culprit = first_failure(result.events)
    what = describe_failure(name, culprit) if culprit else f"stack {name}: {result.status.lower().replace('_', ' ')}"
    outcome = OUTCOMES.get(result.status, "")
    if result.status in ("ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED"):
        start = next((at for at, event in enumerate(result.events) if event.of_stack and _is_rollback(event)), 0)
        second = first_failure(event for event in result.events[start:] if event != culprit)
        why = f": {second.kind} {second.name}: {_without_service(second.reason)}" if second else ""
        outcome = f"the rollback failed too{why}"
    reason = culprit.reason if culprit else ""
    return AWSError("; ".join(filter(None, (what, outcome))), hint_for(reason, name, command, culprit))


def first_failure(events: Iterable[StackEvent]) -> StackEvent | None:
    """The first failure that is no consequence of another one; of the stack itself only where no resource failed."""
    events = list(events)
    failed = [event for event in events if event.failed and not CONSEQUENCES.search(event.reason)]
    resources = [event for event in failed if not event.of_stack]
    rollback = [event for event in events if event.of_stack and event.reason and _is_rollback(event)]
    return next(iter((*resources, *(event for event in failed if event.reason), *rollback, *failed)), None)


def describe_failure(name: str, culprit: StackEvent) -> str:
    """What failed, and why."""
    done = next((word for start, word in DONE.items() if culprit.status.startswith(start)), "updated")
    what = "it" if culprit.of_stack else f"{culprit.kind} {culprit.name}"
    return f"stack {name}: {what} could not be {done}: {_without_service(culprit.reason) or 'no reason given'}"


def hint_for(reason: str, name: str, command: str, culprit: StackEvent | None = None) -> str:
    """What to do about a known reason, and the command to run again."""
    see = f"see all events: aws cloudformation describe-stack-events --stack-name {name}"
    return f"{_fix_for(reason, name, culprit) or see}; then: {command}"


def _fix_for(reason: str, name: str, culprit: StackEvent | None) -> str | None:
    if match := _DENIED.search(reason) or _DENIED_CALL.search(reason):
        resource = match[2] if match.re is _DENIED else None
        where = f" on {resource.strip('.,')}" if resource else ""
        fix = hint_for_reason(reason) or f"allow {match[1]}{where} to the identity that deploys"
        return fix + _BOUNDARY if match[1] == "iam:CreateRole" else fix
    if known := hint_for_reason(reason):
        return known
    if match := _OWNER.search(reason):
        return f"it belongs to {match[1].strip('.,')}: delete it there, or choose another name"
    exists = "a resource of that name exists outside of this stack: delete it, or choose another name"
    if culprit and culprit.physical:
        look = f"aws cloudformation describe-stack-resources --physical-resource-id {culprit.physical}"
        exists = f"{exists}; to find its stack: {look}"
    in_use = "empty it, or take it out of use"
    if culprit and culprit.status.startswith("DELETE"):
        retain = f"aws cloudformation delete-stack --stack-name {name} --retain-resources {culprit.name}"
        in_use = f"empty it, or retain it: {retain}"
    protection = "aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name"
    table = (
        (_EXISTS, exists),
        (_LIMIT, "raise the account's limit (aws service-quotas list-service-quotas), or delete what is not used"),
        (_IN_USE, in_use),
        (_PROTECTED, f"{protection} {name}"),
        (_INVALID, "correct the value in project.yml or in templates/"),
    )
    return next((fix for pattern, fix in table if pattern.search(reason)), None)


def _is_rollback(event: StackEvent) -> bool:
    return "ROLLBACK" in event.status


def _without_service(reason: str) -> str:
    """Without the tail that CloudFormation adds: (Service: ..., Request ID: ...)."""
    return re.sub(r"\s*\((?:Service: [^()]*|RequestToken: [^()]*|HandlerErrorCode: [^()]*)\)", "", reason).rstrip(" .")
