"""What a task is allowed: ARNs of managed policies, and statements as IAM writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.faults.fault import Fault, label, short, told
from handoff_kit.faults.keys import misspelt
from handoff_kit.faults.outline import texts
from handoff_kit.forms import ACTION, MAX_MANAGED, POLICY_ARN, RESOURCE, SID, is_form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.faults.outline import Outline
    from handoff_kit.source import Trail

_ARN = "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess"
_STATEMENT = '{Action: "s3:GetObject", Resource: "arn:aws:s3:::BUCKET/*"}'
_ACTION = 'write it like this: Action: "s3:GetObject"'
_RESOURCE = 'write it like this: Resource: "arn:aws:s3:::BUCKET/*"'
_CONDITION = 'write it like this: Condition: {StringEquals: {"aws:RequestedRegion": eu-central-1}}'
SHAPES: dict[str, tuple[tuple[str, str], ...]] = {
    "policies": (
        ("a list of ARNs and statements", f"begin each with a dash: - {_STATEMENT}"),
        ("the ARN of a policy, or a statement", f"write it like this: - {_ARN}, or - {_STATEMENT}"),
    ),
    "Sid": (("letters and digits", "write it like this: Sid: ReadsTables"),),
    "Effect": (("Allow or Deny", "leave it out to allow"),),
    "Action": (("an action, or a list of them", _ACTION), ("an action, as SERVICE:NAME", _ACTION)),
    "Resource": (("an ARN, or a list of them", _RESOURCE), ("an ARN, or *", _RESOURCE)),
    "Condition": (
        ("a mapping of operators", _CONDITION),
        ("a mapping of keys and values", _CONDITION),
        ("a text, or a list of them", _CONDITION),
        ("a text", _CONDITION),
    ),
}
_NEEDED = ("Action", "Resource")
_FORMS = {"Sid": SID, "Action": ACTION, "Resource": RESOURCE}


def rewritten(trail: Trail, found: str) -> str | None:
    """How a text would be right that stands where policies belong."""
    if trail == ("deploy", "policies") and found.strip():
        words = re.findall(r"[^\s,]+", found)
        return f"write it as a list: policies: [{', '.join(words)}]"
    return None


def arns(outline: Outline) -> Iterator[Fault]:
    """Texts that are no ARN of a policy, ARNs that are there already, and those that are too many."""
    first: dict[str, Trail] = {}
    for trail, value in outline.deploy_texts("policies"):
        if not is_form(POLICY_ARN, value):
            yield Fault(trail, f"{label(trail)} is {told(value)}, expected {SHAPES['policies'][1][0]}", _arn(value))
        elif (earlier := first.setdefault(value, trail)) != trail:
            message = (
                f"`{short(value, 80)}` is given a second time, the first is on line {outline.source.line(earlier)}"
            )
            yield Fault(trail, message, "keep one of the two")
        elif len(first) == MAX_MANAGED + 1:
            message = f"`policies` names more than {MAX_MANAGED} managed policies, and a role can have no more"
            yield Fault(trail, message, "write what the task really needs of them as statements")


def statements(outline: Outline) -> Iterator[Fault]:
    """Statements without what they need, and texts in them that IAM would not take."""
    for trail, statement in outline.statements():
        for key in _NEEDED:
            if key not in statement and not misspelt(statement, outline.keys.statement, key):
                yield Fault(trail, f"{label(trail)} has no `{key}`, expected {SHAPES[key][0][0]}", SHAPES[key][0][1])
            elif statement.get(key) == []:
                message = f"`{key}` is an empty list, expected at least one"
                yield Fault((*trail, key), message, SHAPES[key][0][1])
        for place, value in texts(trail, statement, *_FORMS):
            key = str(place[len(trail)])
            if not is_form(_FORMS[key], value):
                expected = SHAPES[key][-1][0]
                yield Fault(place, f"{label(place)} is {told(value)}, expected {expected}", _hint(key, value))


def names(outline: Outline) -> Iterator[Fault]:
    """Statements of one name."""
    first: dict[str, Trail] = {}
    for trail, statement in outline.statements():
        here = (*trail, "Sid")
        if isinstance(name := statement.get("Sid"), str) and (earlier := first.setdefault(name, here)) != here:
            message = f"the statement `{short(name)}` is there already, on line {outline.source.line(earlier)}"
            yield Fault(here, message, f"give it a name of its own: Sid: {short(name)}2")


def _arn(value: str) -> str:
    text = value.strip()
    if is_form(POLICY_ARN, text):
        return f"did you mean `{text}`?"
    if other := re.search(r":(role|user|group)/", text):
        return f"that is the ARN of a {other[1]}; a policy's is like {_ARN}"
    name = text.removeprefix("aws:policy/").rpartition("/")[2]
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9+=,.@_-]*", name):
        own = f"arn:aws:iam::ACCOUNT:policy/{name}"
        return f"if it is one of AWS's own: arn:aws:iam::aws:policy/{name}; if it is yours: {own}"
    return f"for example: {_ARN}"


def _hint(key: str, value: str) -> str:
    text = value.strip()
    if key == "Sid":
        meant = re.sub("[^A-Za-z0-9]", "", text)
        return f"did you mean `{meant}`?" if is_form(SID, meant) else SHAPES[key][0][1]
    if is_form(_FORMS[key], text):
        return f"did you mean `{text}`?"
    return _action(text) if key == "Action" else _resource(text)


def _action(text: str) -> str:
    service, colon, name = text.partition(":")
    meant = f"{service.lower()}:{name}" if colon else f"{service.lower()}:*"
    return f"did you mean `{meant}`?" if is_form(ACTION, meant) else _ACTION


def _resource(text: str) -> str:
    path = text.removeprefix("s3://")
    if path != text and path:
        return f"did you mean `arn:aws:s3:::{short(path, 80)}`?"
    return _RESOURCE
