"""What would change, as lines that a person reads before saying yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.stacks.differences import is_of_resource
from handoff_kit.stacks.kinds import HOLDING
from handoff_runtime.terminal import safe_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from handoff_kit.stacks.differences import Action, Difference

__all__ = ["counts", "lines", "warnings"]

MARKS: dict[Action, str] = {"add": "+", "change": "~", "replace": "~", "may replace": "~", "remove": "-"}
AFTER: dict[Action, str] = {"replace": "(replaced)", "may replace": "(may be replaced)"}
MOST = 4  # of the properties of one resource, and of the resources that a warning names
COLUMNS = 3
OUTPUT = "output"


def lines(found: Sequence[Difference]) -> tuple[str, ...]:
    """One line each: + added, ~ changed, - removed, name, type and properties."""
    rows = [_row(each) for each in _worth_telling(found)]
    widths = [max(len(row[column]) for row in rows) for column in range(COLUMNS - 1)] if rows else []
    return tuple(f"  {_line(row, widths)}" for row in rows)


def counts(found: Iterable[Difference]) -> str:
    """How many of each: 2 to add, 1 to change."""
    actions = [each.action for each in _worth_telling(list(found))]
    words = {"add": "add", "change": "change", "replace": "replace", "may replace": "maybe replace", "remove": "remove"}
    return ", ".join(f"{actions.count(action)} to {word}" for action, word in words.items() if action in actions)


def _worth_telling(found: Sequence[Difference]) -> Sequence[Difference]:
    """Outputs say again what else has changed; alone they are all there is to tell."""
    return [each for each in found if each.kind != OUTPUT] or found


def warnings(found: Sequence[Difference]) -> tuple[str, ...]:
    """What goes, and what is lost with it, in plain words."""
    resources = [each for each in found if is_of_resource(each)]
    return tuple(_of_data([each for each in resources if each.kind in HOLDING])) + _of_others(resources)


def _of_data(found: Iterable[Difference]) -> Iterator[str]:
    for each in found:
        what, held = f"{each.name} ({each.kind})", HOLDING[each.kind]
        if each.action == "remove" and each.kept:
            yield f"note: {what} leaves the stack, and stays as it is with the {held} in it"
        elif each.action == "remove":
            yield f"warning: {what} is removed, and the {held} in it are lost"
        elif each.action in AFTER:
            yield f"warning: {_replaced(each, what, held)}"


def _replaced(each: Difference, what: str, held: str) -> str:
    will = "is" if each.action == "replace" else "may be"
    if each.kept:
        return f"{what} {will} replaced by an empty one; the {held} stay in the old one, which leaves the stack"
    return f"{what} {will} replaced by an empty one, and the {held} in it are lost"


def _of_others(found: Iterable[Difference]) -> tuple[str, ...]:
    names = [each.name for each in found if each.action == "remove" and each.kind not in HOLDING]
    if not names:
        return ()
    shown = ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")
    return (f"warning: {shown} {'is' if len(names) == 1 else 'are'} removed",)


def _row(each: Difference) -> tuple[str, str, str]:
    name = f"{MARKS[each.action]} {safe_name(each.name)}"
    return name, safe_name(each.kind), " ".join(filter(None, (_told(each), AFTER.get(each.action))))


def _told(each: Difference) -> str:
    more = f" and {len(each.properties) - MOST} more" if len(each.properties) > MOST else ""
    return ", ".join(each.properties[:MOST]) + more


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
    return "  ".join((*padded, row[-1])).rstrip()
