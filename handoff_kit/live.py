"""The live view of a run: a table redrawn on a terminal, lines elsewhere, and a summary at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from handoff_kit.console import redirect_to_devnull
from handoff_kit.text import clock, count, plural, size
from handoff_runtime.supervisor.outcome import signal_name
from handoff_runtime.terminal import safe_name, safe_text

Say = Callable[[str], None]

PLAIN_EVERY = 10.0
WIDE = 140
STYLES = {"running": "cyan", "ok": "green", "not needed": "green", "failed": "red"}
OTHER_STYLE = "yellow"
SIGPIPE = 13

LEFT_ALIGNED = ("stage", "exit", "state")
LIVE_COLUMNS = (
    ("stage", "state", "rows", "rows/s", "bytes", "elapsed"),
    ("stage", "state", "rows", "bytes", "elapsed"),
    ("stage", "state", "rows", "elapsed"),
    ("stage", "state", "elapsed"),
)
SUMMARY_COLUMNS = (
    ("stage", "exit", "seconds", "CPU s", "peak memory", "rows in", "rows out", "bytes in", "bytes out"),
    ("stage", "exit", "seconds", "CPU s", "peak memory", "rows out", "bytes out"),
    ("stage", "exit", "seconds", "rows out", "bytes out"),
    ("stage", "exit", "seconds", "rows out"),
)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Ignore that the reader has closed stderr; the run continues."""
        redirect_to_devnull(sys.stderr)


def create_console(environ: Mapping[str, str], *, terminal: bool) -> Console:
    """A console on stderr; without a terminal its width is COLUMNS or 140, so that CI logs do not fold tables."""
    columns = environ.get("COLUMNS", "")
    wide = int(columns) if columns.isdecimal() and int(columns) else WIDE
    return _Console(stderr=True, highlight=False, emoji=False, width=None if terminal else wide)


class StageTable:
    """A table of the stages that is redrawn in place, with the log scrolling above it."""

    def __init__(self, terminal: Console) -> None:
        self._console = terminal
        self._rates: dict[str, tuple[float, int, float]] = {}
        self._live = Live(console=terminal, transient=True, auto_refresh=False, redirect_stdout=False)

    def __enter__(self) -> StageTable:  # noqa: PYI034  # typing.Self is of 3.11
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the terminal was closed
            self._live.stop()

    def log(self, text: str) -> None:
        """Print lines above the table, in the colours of their stage."""
        text = safe_text(text)
        self._console.print(Text.from_ansi(text) if "\x1b" in text else Text(text), soft_wrap=True)

    def update(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Redraw the table."""
        rows = []
        for stage in items:
            state = _state(stage["exit"])
            style = STYLES.get(state, OTHER_STYLE if stage["exit"] == -SIGPIPE else "red")
            rows.append(
                {
                    "stage": to_cell(stage["name"]),
                    "state": to_cell(state, style),
                    "rows": to_cell(count(stage["rows"])),
                    "rows/s": to_cell(count(self._rate(stage) if state == "running" else None)),
                    "bytes": to_cell(size(stage["bytes"])),
                    "elapsed": to_cell(clock(stage["seconds"])),
                }
            )
        self._live.start()
        self._live.update(_widest_that_fits(self._console, LIVE_COLUMNS, rows), refresh=True)

    def _rate(self, stage: Mapping[str, Any]) -> int | None:
        """Rows per second, over the last second or so."""
        if stage["rows"] is None:
            return None
        then, rows, rate = self._rates.get(stage["name"], (0.0, 0, 0.0))
        now = stage["seconds"]
        if now - then >= 1:
            rate = (stage["rows"] - rows) / (now - then)
            self._rates[stage["name"]] = (now, stage["rows"], rate)
        return round(rate)


class StageLines:
    """A line every ten seconds, formatted as the lines of the log."""

    def __init__(
        self,
        say: Say,
        interval: float = PLAIN_EVERY,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], str] = lambda: time.strftime("%H:%M:%S"),
    ) -> None:
        self._say, self._every, self._monotonic, self._clock = say, interval, monotonic, clock
        self._due = monotonic() + interval

    def log(self, text: str) -> None:
        """Not called: the log goes to stderr directly."""

    def update(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Print one line for all stages, if ten seconds have passed."""
        if self._monotonic() < self._due:
            return
        self._due = self._monotonic() + self._every
        stages = []
        for stage in items:
            rows = f", {plural(stage['rows'], 'row')}" if stage["rows"] is not None else ""
            transferred = f", {size(stage['bytes'])}" if stage["bytes"] is not None else ""
            stages.append(f"{stage['name']} {_state(stage['exit'])}{rows}{transferred}")
        self._say(f"{self._clock()} handoff | {'; '.join(stages)}")


class OutputLine:
    """A program's output folded to a line that is redrawn in place: purpose, seconds since the start, last line."""

    def __init__(self, terminal: Console, purpose: str) -> None:
        self._purpose, self._line, self._start = purpose, "", time.monotonic()
        self._live = Live(console=terminal, transient=True, redirect_stdout=False, get_renderable=self._render)

    def __enter__(self) -> OutputLine:  # noqa: PYI034  # typing.Self is of 3.11
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the terminal was closed
            self._live.stop()

    def update(self, line: bytes) -> None:
        """Show this line at the next refresh, of which there are four a second."""
        self._line = line.decode(errors="replace").strip() or self._line

    def _render(self) -> Text:
        text = to_cell(f"{self._purpose}: {clock(time.monotonic() - self._start)}  {self._line}")
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


def print_summary(terminal: Console, record: Mapping[str, Any], artifacts: str) -> None:
    """Print the summary, where state and artifacts are, and the next command."""
    terminal.print(summary_table(terminal, record))
    for line in summary_lines(record, artifacts):
        terminal.print(to_cell(line), soft_wrap=True)


def summary_table(terminal: Console, record: Mapping[str, Any]) -> Table:
    """The ended stages: exit, seconds, CPU, peak memory, rows, bytes."""
    return _widest_that_fits(terminal, SUMMARY_COLUMNS, [_summary_row(stage, record) for stage in record["stages"]])


def _summary_row(stage: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Text]:
    verdict, is_culprit = stage.get("verdict"), stage["name"] == record["culprit"]
    if verdict == "not needed" and record["outcome"] == "stopped":
        verdict = "stopped"
    style = STYLES.get("failed" if is_culprit else str(verdict), OTHER_STYLE)
    if verdict is None:
        ending = f"{record['exit']} (cannot start)" if is_culprit and record["exit"] is not None else "not started"
    else:
        ending = str(stage["exit"]) if stage["signal"] is None else signal_name(stage["signal"])
        ending = ending if verdict == "ok" else f"{ending} ({verdict})"
    return {
        "stage": to_cell(stage["name"]),
        "exit": to_cell(ending, style),
        "seconds": to_cell(_seconds(stage.get("seconds"))),
        "CPU s": to_cell(_seconds(stage.get("cpu_seconds"))),
        "peak memory": to_cell(size(stage.get("peak_memory_bytes"))),
        "rows in": to_cell(count(stage.get("rows_in"))),
        "rows out": to_cell(count(stage.get("rows_out"))),
        "bytes in": to_cell(size(stage.get("bytes_in"))),
        "bytes out": to_cell(size(stage.get("bytes_out"))),
    }


def summary_lines(record: Mapping[str, Any], artifacts: str) -> tuple[str, ...]:
    """Where state and artifacts are, and the next command."""
    state = record["state"]
    change = "replaced" if state["replaced"] else "unchanged"
    stored = state["after"] or state["before"]
    if record["outcome"] == "stopped":
        following = f"invoke run-local --project {record['project']}"
    elif record["outcome"] != "succeeded":
        following = f"less {artifacts}/stderr.log"
    elif record["command"] != "run":
        following = f"cat {artifacts}/stdout.log"
    else:
        following = f"cat {artifacts}/state" if state["after"] else f"ls {artifacts}"
    return (
        f"state: {artifacts}/state ({size(stored['bytes'])}, {change})" if stored else "state: none yet",
        f"artifacts: {artifacts}/ (run.json, stdout.log, stderr.log)",
        f"next: {following}",
    )


def _widest_that_fits(terminal: Console, choices: Sequence[Sequence[str]], rows: Sequence[Mapping[str, Text]]) -> Table:
    """The table with the most columns that fit; cells are cut if not even the fewest fit."""
    unlimited = terminal.options.update(max_width=10 * WIDE)
    for columns in choices:
        table = _table(columns, rows)
        if terminal.measure(table, options=unlimited).maximum <= terminal.width:
            return table
    return _table(choices[-1], rows)


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, Text]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="left" if column in LEFT_ALIGNED else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[column] for column in columns))
    return table


def to_cell(text: str, style: str = "") -> Text:
    """One line of text, not read as rich markup: a stage may be named `[`."""
    return Text(safe_name(text), style)


def _state(status: int | None) -> str:
    if status is None:
        return "running"
    return "ok" if status == 0 else f"exit {status}" if status > 0 else signal_name(-status)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"
