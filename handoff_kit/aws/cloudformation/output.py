"""What a person sees of a stack operation: the changes before it, its events while it runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table

from handoff_kit import console, live
from handoff_kit.aws.cloudformation.diff import DATA_RESOURCES, Action, StackChange, is_resource
from handoff_kit.aws.cloudformation.events import StackEvent
from handoff_kit.console import Say, View
from handoff_kit.text import join_first
from handoff_runtime.terminal import safe_name

ACTION_MARKS: dict[Action, str] = {"add": "+", "change": "~", "replace": "~", "may replace": "~", "remove": "-"}
REPLACEMENT_NOTES: dict[Action, str] = {"replace": "(replaced)", "may replace": "(may be replaced)"}
ACTION_VERBS: dict[Action, str] = {
    "add": "create",
    "change": "update",
    "replace": "replace",
    "may replace": "maybe replace",
    "remove": "delete",
}
MAX_NAMED = 4  # of the properties of one resource, and of the resources that a warning names
OUTPUT = "output"
STATUS_STYLES = {"COMPLETE": "green", "FAILED": "red", "PROGRESS": "cyan", "SKIPPED": "yellow"}
REFRESHES_A_SECOND = 2
OTHER_LINES = 3  # of the screen: the head, what is above, the cursor
ALL_LINES = 1000


def change_lines(changes: Sequence[StackChange]) -> tuple[str, ...]:
    """One line each: + created, ~ updated, - deleted, then name, type and properties in columns."""
    rows = []
    for one in _without_outputs(changes):
        properties = join_first(one.properties, MAX_NAMED)
        last = " ".join(filter(None, (properties, REPLACEMENT_NOTES.get(one.action))))
        rows.append((f"{ACTION_MARKS[one.action]} {safe_name(one.name)}", safe_name(one.kind), last))
    names, kinds = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    return tuple(f"  {name:<{names}}  {kind:<{kinds}}  {last}".rstrip() for name, kind, last in rows)


def count_changes(changes: Sequence[StackChange], *, creates: bool = False) -> str:
    """How many of each: `2 to create, 1 to update`; of a stack that is created `16 resources`."""
    actions = [one.action for one in _without_outputs(changes)]
    if creates:
        return f"{len(actions)} resource{'' if len(actions) == 1 else 's'}"
    return ", ".join(f"{actions.count(action)} to {verb}" for action, verb in ACTION_VERBS.items() if action in actions)


def _without_outputs(changes: Sequence[StackChange]) -> Sequence[StackChange]:
    """An output follows from what else differs; it is shown only where nothing else does."""
    return [one for one in changes if one.kind != OUTPUT] or changes


def change_warnings(changes: Sequence[StackChange]) -> tuple[str, ...]:
    """What is deleted or replaced, and the data that is lost."""
    notes, names = list[str](), list[str]()
    for one in filter(is_resource, changes):
        data = DATA_RESOURCES.get(one.kind)
        resource = f"{one.name} ({one.kind})"
        if data is None:
            names += [one.name] if one.action == "remove" else []
        elif one.action == "remove" and one.retained:
            notes.append(f"note: {resource} leaves the stack, but is retained with the {data} in it")
        elif one.action == "remove":
            notes.append(f"warning: {resource} is deleted, and the {data} in it are lost")
        elif one.action in REPLACEMENT_NOTES:
            is_certain = one.action == "replace"
            end = f"; the {data} stay in the old one, which leaves the stack"
            end = end if one.retained else f", and the {data} in it are lost"
            notes.append(f"warning: {resource} {'is' if is_certain else 'may be'} replaced by an empty one{end}")
    if names:
        notes.append(f"warning: {join_first(names, MAX_NAMED)} {'is' if len(names) == 1 else 'are'} deleted")
    return tuple(notes)


def event_view(name: str, say: Say) -> AbstractContextManager[View[Iterable[StackEvent]]]:
    """The view for standard error: a table on a terminal, else lines."""
    if sys.stderr.isatty() and console.can_refresh(os.environ):
        return EventTable(live.create_console(os.environ, terminal=True))
    return EventLines(name, say)


class EventLines:
    def __init__(self, name: str, say: Say) -> None:
        self._name, self._say = name, say

    def __enter__(self) -> EventLines:  # noqa: PYI034  # typing.Self is of 3.11
        return self

    def __exit__(self, *_: object) -> None:
        """A line stays printed."""

    def update(self, items: Iterable[StackEvent]) -> None:
        for event in items:
            what = "" if event.of_stack else f"{event.name} ({event.kind}): "
            reason = f": {event.reason}" if event.reason else ""
            self._say(f"{event.when:%H:%M:%S} {self._name} | {safe_name(f'{what}{event.status_text}{reason}')}")


class EventTable:
    """A table of the resources: name, type, status, seconds since the operation began."""

    def __init__(self, shown_on: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = shown_on, clock
        self._last: dict[str, StackEvent] = {}
        self._begun: dict[str, tuple[datetime, float]] = {}
        self._took: dict[str, float] = {}
        self._live = Live(
            console=shown_on,
            get_renderable=self._table,
            transient=True,
            refresh_per_second=REFRESHES_A_SECOND,
            redirect_stdout=False,
        )

    def __enter__(self) -> EventTable:  # noqa: PYI034
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the terminal was closed
            self._live.stop()

    def update(self, items: Iterable[StackEvent]) -> None:
        """Update the rows of the resources; the last one updated is at the end."""
        for event in items:
            if self._took.pop(event.name, None) is not None or event.name not in self._begun:
                self._begun[event.name] = (event.when, self._clock())
            if not event.in_progress:
                self._took[event.name] = (event.when - self._begun[event.name][0]).total_seconds()
            self._last.pop(event.name, None)
            self._last[event.name] = event  # which moves it to the end
        self._live.refresh()

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        for column in ("resource", "type", "status"):
            table.add_column(column, no_wrap=True, overflow="ellipsis")
        table.add_column("s", justify="right", no_wrap=True)
        most = max(self._console.size.height - OTHER_LINES, 1) if self._console.is_terminal else ALL_LINES
        for name, event in list(self._last.copy().items())[-most:]:
            seconds = self._took.get(name, self._clock() - self._begun[name][1])
            style = STATUS_STYLES.get(event.status.rpartition("_")[2], "")
            table.add_row(
                live.to_cell(name), live.to_cell(event.kind), live.to_cell(event.status_text, style), f"{seconds:.0f}"
            )
        return table
