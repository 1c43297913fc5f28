"""Why a change failed, as one sentence: the first resource that did, the reason, what became of the stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.remote.errors import AWSError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handoff_kit.stacks.events import Event
    from handoff_kit.stacks.waiting import Ended

__all__ = ["advice", "first", "sentence", "told"]

CONSEQUENCES = re.compile(r"resource (creation|update|deletion) cancell?ed|operation cancell?ed", re.IGNORECASE)
DONE = {"CREATE": "created", "DELETE": "removed", "UPDATE": "changed", "IMPORT": "imported"}
BECAME = {
    "ROLLBACK_COMPLETE": "what had been made was removed again",
    "DELETE_COMPLETE": "what had been made was removed again",
    "UPDATE_ROLLBACK_COMPLETE": "the stack is as it was before",
    "CREATE_FAILED": "what had been made is still there",
    "UPDATE_FAILED": "what had been changed is as it became",
    "DELETE_FAILED": "the stack is still there, with what was not removed",
}
_DENIED = re.compile(r"not authorized to perform:? ([\w:*-]+)(?: on resource:? (\S+))?", re.IGNORECASE)
_OWNER = re.compile(r"already exists in stack (\S+)", re.IGNORECASE)
_EXISTS = re.compile(r"already (?:exists|owned)|AlreadyExists|AlreadyOwned|name conflict", re.IGNORECASE)
_LIMIT = re.compile(r"limit ?exceeded|exceeds? the (?:limit|quota)|maximum number|quota", re.IGNORECASE)
_IN_USE = re.compile(r"not empty|BucketNotEmpty|RepositoryNotEmpty|still contains images|in use", re.IGNORECASE)
_INVALID = re.compile(r"invalid|validation (?:failed|error)|ValidationException|malformed|format error", re.IGNORECASE)
_PROTECTED = re.compile(r"TerminationProtection", re.IGNORECASE)


def told(name: str, ended: Ended, again: str) -> AWSError:
    """The error for a change that ended badly."""
    culprit = first(ended.events)
    what = sentence(name, culprit) if culprit else f"stack {name}: {ended.status.lower().replace('_', ' ')}"
    then = _became(ended, culprit)
    reason = culprit.reason if culprit else ""
    return AWSError("; ".join(filter(None, (what, then))), advice(reason, name, again, culprit))


def first(seen: Iterable[Event]) -> Event | None:
    """The first that failed of itself; of the stack as a whole only where it is no resource."""
    failed = [event for event in seen if event.failed and not CONSEQUENCES.search(event.reason)]
    resources = [event for event in failed if not event.of_stack]
    rollback = [event for event in seen if event.of_stack and event.reason and _goes_back(event)]
    return next(iter((*resources, *(event for event in failed if event.reason), *rollback, *failed)), None)


def sentence(name: str, culprit: Event) -> str:
    """What failed, and why, in one sentence."""
    done = next((word for start, word in DONE.items() if culprit.status.startswith(start)), "changed")
    what = "it" if culprit.of_stack else f"{culprit.kind} {culprit.name}"
    return f"stack {name}: {what} could not be {done}: {_trimmed(culprit.reason) or 'no reason is told'}"


def advice(reason: str, name: str, again: str, culprit: Event | None = None) -> str:
    """What to do about a known reason, and the command that does the same once more."""
    what = (
        _known(reason, name, culprit) or f"see all of it: aws cloudformation describe-stack-events --stack-name {name}"
    )
    return f"{what}; then: {again}" if again else what


def _known(reason: str, name: str, culprit: Event | None) -> str | None:
    if found := _DENIED.search(reason):
        where = f" on {found[2].strip('.,')}" if found[2] else ""
        return f"allow {found[1]}{where} to whoever deploys"
    if found := _OWNER.search(reason):
        return f"it belongs to {found[1].strip('.,')}: remove it there, or choose another name"
    table = (
        (_EXISTS, _taken(culprit)),
        (
            _LIMIT,
            "have the account's limit raised (aws service-quotas list-service-quotas), or remove what is not used",
        ),
        (_IN_USE, _let_go(name, culprit)),
        (
            _PROTECTED,
            f"aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {name}",
        ),
        (_INVALID, "mend the value in project.yml or in templates/"),
    )
    return next((what for pattern, what in table if pattern.search(reason)), None)


def _taken(culprit: Event | None) -> str:
    what = "something of that name is there already, and not of this stack: remove it, or choose another name"
    if culprit is None or not culprit.physical:
        return what
    look = f"aws cloudformation describe-stack-resources --physical-resource-id {culprit.physical}"
    return f"{what}; what stack it is of, if any: {look}"


def _let_go(name: str, culprit: Event | None) -> str:
    if culprit is None or not culprit.status.startswith("DELETE"):
        return "empty it, or take it out of use"
    keep = f"aws cloudformation delete-stack --stack-name {name} --retain-resources {culprit.name}"
    return f"empty it, or leave it where it is: {keep}"


def _became(ended: Ended, culprit: Event | None) -> str:
    if ended.status in BECAME:
        return BECAME[ended.status]
    if ended.status not in ("ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED"):
        return ""
    start = next((at for at, event in enumerate(ended.events) if event.of_stack and _goes_back(event)), 0)
    second = first(event for event in ended.events[start:] if event != culprit)
    why = f": {second.kind} {second.name}: {_trimmed(second.reason)}" if second else ""
    return f"and to undo it failed too{why}"


def _goes_back(event: Event) -> bool:
    return "ROLLBACK" in event.status


def _trimmed(reason: str) -> str:
    """Without the tail that CloudFormation adds for its own people: (Service: ..., Request ID: ...)."""
    return re.sub(r"\s*\((?:Service: [^()]*|RequestToken: [^()]*|HandlerErrorCode: [^()]*)\)", "", reason).rstrip(" .")
