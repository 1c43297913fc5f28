"""A change while it goes on: a table in place on a terminal, a line an event elsewhere."""

from __future__ import annotations

import io
import sys
from datetime import datetime, timedelta, timezone

import pytest
from rich.console import Console

from handoff_kit.aws.cloudformation.events import StackEvent
from handoff_kit.aws.cloudformation.output import EventLines, EventTable, event_view

WHEN = datetime(2026, 1, 1, 12, 30, 5, tzinfo=timezone.utc)


def event(name: str, status: str, reason: str = "", *, after: int = 0, of_stack: bool = False) -> StackEvent:
    return StackEvent(status, name, "AWS::X::Y", status, reason, WHEN + timedelta(seconds=after), of_stack=of_stack)


def test_lines() -> None:
    said: list[str] = []
    with EventLines("shop", said.append) as view:
        view.update(
            [event("shop", "CREATE_IN_PROGRESS", "User Initiated", of_stack=True), event("A", "CREATE_FAILED", "no")]
        )
        view.update([])
    assert said == [
        "12:30:05 shop | create in progress: User Initiated",
        "12:30:05 shop | A (AWS::X::Y): create failed: no",
    ]


def shown(width: int, height: int, *names: str) -> str:
    """The last table that is drawn."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width, height=height)
    now = [0.0]
    view = EventTable(console, lambda: now[0])
    with view:
        view.update([event(name, "CREATE_IN_PROGRESS") for name in names])
        now[0] = 7.0
        view.update([event(names[0], "CREATE_COMPLETE", after=5)])
        now[0] = 12.0
    with console.capture() as capture:
        console.print(view._table())  # noqa: SLF001  # what is drawn, without the moves of the cursor
    return capture.get()


def test_a_table() -> None:
    assert [line.rstrip() for line in shown(80, 20, "Logs", "Task").splitlines()] == [
        "resource  type       status               s",
        "Task      AWS::X::Y  create in progress  12",
        "Logs      AWS::X::Y  create complete      5",
    ]


def test_a_table_longer_than_the_screen_shows_what_happened_last() -> None:
    lines = shown(80, 6, *(f"R{number}" for number in range(50))).splitlines()
    assert [line.split()[0] for line in lines] == ["resource", "R48", "R49", "R0"]


@pytest.mark.parametrize(
    ("terminal", "env", "expected"),
    [
        pytest.param(True, {"TERM": "xterm"}, EventTable, id="a terminal"),
        pytest.param(True, {"TERM": "dumb"}, EventLines, id="a dumb one"),
        pytest.param(True, {"TERM": "xterm", "CI": "true"}, EventLines, id="CI"),
        pytest.param(False, {"TERM": "xterm"}, EventLines, id="none"),
    ],
)
def test_what_suits(*, terminal: bool, env: dict[str, str], expected: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert isinstance(event_view("shop", print), expected)
