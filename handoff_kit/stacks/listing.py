"""The differences of a stack as lines, to be read before an operation is confirmed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from handoff_kit.stacks.differences import Action, Difference, is_of_resource
from handoff_kit.stacks.kinds import HOLDING
from handoff_runtime.terminal import safe_name

MARKS: dict[Action, str] = {"add": "+", "change": "~", "replace": "~", "may replace": "~", "remove": "-"}
AFTER: dict[Action, str] = {"replace": "(replaced)", "may replace": "(may be replaced)"}
VERBS: dict[Action, str] = {
    "add": "create",
    "change": "update",
    "replace": "replace",
    "may replace": "maybe replace",
    "remove": "delete",
}
MOST = 4  # of the properties of one resource, and of the resources that a warning names
OUTPUT = "output"


def lines(found: Sequence[Difference]) -> tuple[str, ...]:
    """One line each: + created, ~ updated, - deleted, then name, type and properties in columns."""
    rows = []
    for one in _without_outputs(found):
        more = f" and {len(one.properties) - MOST} more" if len(one.properties) > MOST else ""
        properties = ", ".join(one.properties[:MOST]) + more
        last = " ".join(filter(None, (properties, AFTER.get(one.action))))
        rows.append((f"{MARKS[one.action]} {safe_name(one.name)}", safe_name(one.kind), last))
    names, kinds = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    return tuple(f"  {name:<{names}}  {kind:<{kinds}}  {last}".rstrip() for name, kind, last in rows)


def counts(found: Sequence[Difference], *, creates: bool = False) -> str:
    """How many of each: `2 to create, 1 to update`; of a stack that is created `16 resources`."""
    actions = [one.action for one in _without_outputs(found)]
    if creates:
        return f"{len(actions)} resource{'' if len(actions) == 1 else 's'}"
    return ", ".join(f"{actions.count(action)} to {verb}" for action, verb in VERBS.items() if action in actions)


def _without_outputs(found: Sequence[Difference]) -> Sequence[Difference]:
    """An output follows from what else differs; it is shown only where nothing else does."""
    return [one for one in found if one.kind != OUTPUT] or found


def warnings(found: Sequence[Difference]) -> tuple[str, ...]:
    """What is deleted or replaced, and the data that is lost."""
    resources = [one for one in found if is_of_resource(one)]
    notes = [note for one in resources if one.kind in HOLDING for note in _data_warnings(one)]
    names = [one.name for one in resources if one.action == "remove" and one.kind not in HOLDING]
    if names:
        shown = ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")
        notes.append(f"warning: {shown} {'is' if len(names) == 1 else 'are'} deleted")
    return tuple(notes)


def _data_warnings(one: Difference) -> Iterator[str]:
    what, held = f"{one.name} ({one.kind})", HOLDING[one.kind]
    if one.action == "remove" and one.kept:
        yield f"note: {what} leaves the stack, but is retained with the {held} in it"
    elif one.action == "remove":
        yield f"warning: {what} is deleted, and the {held} in it are lost"
    elif one.action in AFTER:
        replaced = f"warning: {what} {'is' if one.action == 'replace' else 'may be'} replaced by an empty one"
        if one.kept:
            yield f"{replaced}; the {held} stay in the old one, which leaves the stack"
        else:
            yield f"{replaced}, and the {held} in it are lost"
