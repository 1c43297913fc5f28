"""What a person sees of a change: a table that refreshes in place on a terminal, a line an event elsewhere."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from rich.live import Live
from rich.table import Table

from handoff_kit import console, live
from handoff_runtime.terminal import safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from datetime import datetime
    from types import TracebackType

    from rich.console import Console

    from handoff_kit.stacks.events import Event

    Say = Callable[[str], None]

__all__ = ["Plain", "Terminal", "View", "view"]

STYLES = {"COMPLETE": "green", "FAILED": "red", "PROGRESS": "cyan", "SKIPPED": "yellow"}
A_SECOND = 2  # refreshes
SPARED = 3  # lines of the screen: the head, what is above, the cursor
MORE_THAN_ANY = 1000


class View(Protocol):
    """Shows events as they come."""

    def show(self, events: Iterable[Event]) -> None:
        """These came."""


def view(name: str, say: Say) -> AbstractContextManager[View]:
    """What suits standard error: a terminal that a person looks at, or anything else."""
    if sys.stderr.isatty() and console.can_refresh(os.environ):
        return Terminal(live.console(os.environ, terminal=True))
    return Plain(name, say)


class Plain:
    """Says a line for each event."""

    def __init__(self, name: str, say: Say) -> None:
        self._name, self._say = name, say

    def __enter__(self) -> Plain:  # noqa: PYI034  # typing.Self is of 3.11
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        """Nothing to put back."""

    def show(self, events: Iterable[Event]) -> None:
        """One line each."""
        for event in events:
            what = "" if event.of_stack else f"{event.name} ({event.kind}): "
            reason = f": {event.reason}" if event.reason else ""
            self._say(f"{event.when:%H:%M:%S} {self._name} | {safe_name(f'{what}{event.words}{reason}')}")


class Terminal:
    """Refreshes a table of the resources in place: what is done with each, and for how many seconds."""

    def __init__(self, shown_on: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = shown_on, clock
        self._last: dict[str, Event] = {}
        self._begun: dict[str, tuple[datetime, float]] = {}
        self._took: dict[str, float] = {}
        self._live = Live(
            console=shown_on,
            get_renderable=self._table,
            transient=True,
            refresh_per_second=A_SECOND,
            redirect_stdout=False,
        )

    def __enter__(self) -> Terminal:  # noqa: PYI034
        self._live.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        with suppress(OSError):  # the terminal was closed
            self._live.stop()

    def show(self, events: Iterable[Event]) -> None:
        """Each resource as its last event leaves it."""
        for event in events:
            if self._took.pop(event.name, None) is not None or event.name not in self._begun:
                self._begun[event.name] = (event.when, self._clock())
            if not event.goes_on:
                self._took[event.name] = (event.when - self._begun[event.name][0]).total_seconds()
            self._last.pop(event.name, None)
            self._last[event.name] = event  # which moves it to the end
        self._live.refresh()

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        for column in ("resource", "type", "status"):
            table.add_column(column, no_wrap=True, overflow="ellipsis")
        table.add_column("s", justify="right", no_wrap=True)
        most = max(self._console.size.height - SPARED, 1) if self._console.is_terminal else MORE_THAN_ANY
        for name, event in list(self._last.copy().items())[-most:]:
            seconds = self._took.get(name, self._clock() - self._begun[name][1])
            style = STYLES.get(event.status.rpartition("_")[2], "")
            table.add_row(live.cell(name), live.cell(event.kind), live.cell(event.words, style), f"{seconds:.0f}")
        return table
