"""Tags that AWS, or one of the services a project uses, does not take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.faults.fault import Fault, short
from handoff_kit.faults.outline import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.faults.outline import Outline
    from handoff_kit.source import Trail

_LONGEST_KEY, _LONGEST_VALUE = 128, 256
_OWN = 2  # handoff:project and handoff:environment
_MOST = 50 - _OWN
_RESERVED = ("aws:", "handoff:")
# What every service takes: letters and digits of any language, blanks, and these
_NEITHER = re.compile(r"[^\w\s.:/=+@-]|[\t\r\n]")
_EXAMPLE = "write it like this: tags: {team: data}"
SHAPES: dict[str, tuple[tuple[str, str], ...]] = {
    "tags": (("a mapping of names and texts", _EXAMPLE), ("a text", "put it into quotes")),
}


def names(outline: Outline) -> Iterator[Fault]:
    """Names of tags: reserved, too long, with other characters, or the same but for the case."""
    lower: dict[str, str] = {}
    for name in _tags(outline):
        trail: Trail = ("deploy", "tags", name)
        if found := _bad_name(name):
            yield Fault(trail, *found, on_key=True)
        elif (first := lower.setdefault(name.lower(), name)) != name:
            message = f"the tags `{short(name)}` and `{short(first)}` differ in their case only, which IAM does not see"
            yield Fault(trail, message, "keep one of the two", on_key=True)


def values(outline: Outline) -> Iterator[Fault]:
    """Values that are too long, or hold other characters."""
    for name, value in _tags(outline).items():
        if isinstance(value, str) and (found := _bad_text(value, f"the tag `{short(name)}`", _LONGEST_VALUE)):
            yield Fault(("deploy", "tags", name), *found)


def number(outline: Outline) -> Iterator[Fault]:
    """More tags than a resource can have."""
    if (found := len(_tags(outline))) > _MOST:
        message = f"`tags` has {found} items, expected at most {_MOST}: AWS takes 50, and {_OWN} are handoff's own"
        yield Fault(("deploy", "tags"), message, "take some out", on_key=True)


def _tags(outline: Outline) -> dict[str, object]:
    return dict(mapping(outline.deploy().get("tags")))


def _bad_name(name: str) -> tuple[str, str] | None:
    reserved = next((prefix for prefix in _RESERVED if name.lower().startswith(prefix)), None)
    if reserved:
        whose = "AWS" if reserved == "aws:" else "handoff"
        rest = short(name[len(reserved) :]) or "team"
        return f"the tag `{short(name)}` begins with {reserved}, which is {whose}'s own", f"for example: {rest}"
    if not name.strip():
        return "a tag without a name, expected a name", _EXAMPLE
    return _bad_text(name, f"the name of the tag `{short(name)}`", _LONGEST_KEY)


def _bad_text(text: str, what: str, longest: int) -> tuple[str, str] | None:
    if len(text) > longest:
        return f"{what} is {len(text)} characters long, expected at most {longest}", "shorten it"
    if found := _NEITHER.search(text):
        expected = "expected letters, digits, blanks and . : / = + - @ _"
        return f"{what} holds {found.group()!r}, {expected}", f"for example: {short(_NEITHER.sub('-', text))}"
    return None
