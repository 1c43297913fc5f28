"""What a person sees of a run: a table that refreshes in place on a terminal, plain lines elsewhere, a summary."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from handoff_kit.console import give_up
from handoff_kit.text import clock, count, plural, size
from handoff_runtime.outcome import signal_name
from handoff_runtime.terminal import safe_name, safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    Say = Callable[[str], None]

PLAIN_EVERY = 10.0
WIDE = 140
STYLES = {"running": "cyan", "ok": "green", "not needed": "green", "failed": "red"}
OTHER_STYLE = "yellow"
SIGPIPE = 13

WORDS = ("stage", "exit", "state")
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
        """Nobody reads any more; that is no reason to end a run."""
        give_up(sys.stderr)


def console(environ: Mapping[str, str], *, terminal: bool) -> Console:
    """Standard error, where progress and errors go; wide where no terminal limits it, lest a CI's log fold tables."""
    columns = environ.get("COLUMNS", "")
    wide = int(columns) if columns.isdecimal() and int(columns) else WIDE
    return _Console(stderr=True, highlight=False, emoji=False, width=None if terminal else wide)


class Terminal:
    """Refreshes a table of the stages in place, the log's lines passing above it."""

    def __init__(self, shown_on: Console) -> None:
        self._console = shown_on
        self._rates: dict[str, tuple[float, int, float]] = {}
        self._live = Live(console=shown_on, transient=True, auto_refresh=False, redirect_stdout=False)

    def __enter__(self) -> Terminal:  # noqa: PYI034  # typing.Self is of 3.11
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        with suppress(OSError):  # the terminal was closed
            self._live.stop()

    def log(self, text: str) -> None:
        """Lines above the table, in the colours their stage gave them; nothing in them moves the cursor."""
        text = safe_text(text)
        self._console.print(Text.from_ansi(text) if "\x1b" in text else Text(text), soft_wrap=True)

    def figures(self, stages: Sequence[Mapping[str, Any]]) -> None:
        """The table as of now."""
        rows = [self._row(stage) for stage in stages]
        self._live.start()
        self._live.update(_fitting(self._console, LIVE_COLUMNS, rows), refresh=True)

    def _row(self, stage: Mapping[str, Any]) -> dict[str, Text]:
        state = _state(stage["exit"])
        cells = {
            "stage": stage["name"],
            "rows": count(stage["rows"]),
            "rows/s": count(self._rate(stage) if state == "running" else None),
            "bytes": size(stage["bytes"]),
            "elapsed": clock(stage["seconds"]),
        }
        style = STYLES.get(state, OTHER_STYLE if stage["exit"] == -SIGPIPE else "red")
        return {**_texts(cells), "state": cell(state, style)}

    def _rate(self, stage: Mapping[str, Any]) -> int | None:
        """Rows a second, over the last second or so."""
        if stage["rows"] is None:
            return None
        then, rows, rate = self._rates.get(stage["name"], (0.0, 0, 0.0))
        now = stage["seconds"]
        if now - then >= 1:
            rate = (stage["rows"] - rows) / (now - then)
            self._rates[stage["name"]] = (now, stage["rows"], rate)
        return round(rate)


class Plain:
    """Says a line now and then, in the form of the log's; the log goes its own way."""

    def __init__(
        self,
        say: Say,
        every: float = PLAIN_EVERY,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], str] = lambda: time.strftime("%H:%M:%S"),
    ) -> None:
        self._say, self._every, self._monotonic, self._clock = say, every, monotonic, clock
        self._due = monotonic() + every

    def __enter__(self) -> Plain:  # noqa: PYI034
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        """Nothing to put back."""

    def log(self, text: str) -> None:
        """Never called: the log does not pass through here."""

    def figures(self, stages: Sequence[Mapping[str, Any]]) -> None:
        """One line for all stages, every ten seconds."""
        if self._monotonic() >= self._due:
            self._due = self._monotonic() + self._every
            self._say(f"{self._clock()} handoff | " + "; ".join(_progress(stage) for stage in stages))


def conclude(shown_on: Console, record: Mapping[str, Any], artifacts: str) -> None:
    """The summary, and what to do next."""
    shown_on.print(summary(shown_on, record))
    for line in whereabouts(record, artifacts):
        shown_on.print(cell(line), soft_wrap=True)


def summary(shown_on: Console, record: Mapping[str, Any]) -> Table:
    """The stages at their end: exit, seconds, CPU, peak memory, rows, bytes."""
    return _fitting(shown_on, SUMMARY_COLUMNS, [_ended(stage, record) for stage in record["stages"]])


def _ended(stage: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Text]:
    verdict, blamed = _verdict(stage, record), stage["name"] == record["culprit"]
    style = STYLES.get("failed" if blamed else str(verdict), OTHER_STYLE)
    cells = {
        "stage": stage["name"],
        "seconds": _seconds(stage.get("seconds")),
        "CPU s": _seconds(stage.get("cpu_seconds")),
        "peak memory": size(stage.get("peak_memory_bytes")),
        "rows in": count(stage.get("rows_in")),
        "rows out": count(stage.get("rows_out")),
        "bytes in": size(stage.get("bytes_in")),
        "bytes out": size(stage.get("bytes_out")),
    }
    return {**_texts(cells), "exit": cell(_exit(stage, verdict, record["exit"] if blamed else None), style)}


def _verdict(stage: Mapping[str, Any], record: Mapping[str, Any]) -> str | None:
    """The verdict in the words of this run: where all was stopped, nothing was `not needed`."""
    verdict: str | None = stage.get("verdict")
    return "stopped" if verdict == "not needed" and record["outcome"] == "stopped" else verdict


def whereabouts(record: Mapping[str, Any], artifacts: str) -> tuple[str, ...]:
    """Where what the run left lies, and the next useful command."""
    state = record["state"]
    kept = "replaced" if state["replaced"] else "unchanged"
    found = state["after"] or state["before"]
    return (
        f"state: {artifacts}/state ({size(found['bytes'])}, {kept})" if found else "state: none yet",
        f"artifacts: {artifacts}/ (run.json, stdout.log, stderr.log)",
        f"next: {_next(record, artifacts)}",
    )


def _next(record: Mapping[str, Any], artifacts: str) -> str:
    if record["outcome"] == "stopped":
        return f"invoke run-local --project {record['project']}"
    if record["outcome"] != "succeeded":
        return f"less {artifacts}/stderr.log"
    if record["command"] != "run":
        return f"cat {artifacts}/stdout.log"
    return f"cat {artifacts}/state" if record["state"]["after"] else f"ls {artifacts}"


def _fitting(shown_on: Console, choices: Sequence[Sequence[str]], rows: Sequence[Mapping[str, Text]]) -> Table:
    """The table with as many columns as there is room for; where even the fewest are too wide, cells are cut."""
    tables = (_table(columns, rows) for columns in choices)
    return next((table for table in tables if _fits(shown_on, table)), _table(choices[-1], rows))


def _fits(shown_on: Console, table: Table) -> bool:
    return shown_on.measure(table, options=shown_on.options.update(max_width=10 * WIDE)).maximum <= shown_on.width


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, Text]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="left" if column in WORDS else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[column] for column in columns))
    return table


def _texts(cells: Mapping[str, str]) -> dict[str, Text]:
    return {column: cell(text) for column, text in cells.items()}


def cell(text: str, style: str = "") -> Text:
    """One line of text, not markup: a stage may be called `[`."""
    return Text(safe_name(text), style)


def _state(status: int | None) -> str:
    if status is None:
        return "running"
    return "ok" if status == 0 else f"exit {status}" if status > 0 else signal_name(-status)


def _exit(stage: Mapping[str, Any], verdict: str | None, of_run: int | None) -> str:
    """How a stage ended; `of_run` is the run's exit where this stage is to blame for it."""
    if verdict is None:
        return "not started" if of_run is None else f"{of_run} (cannot start)"
    ending = str(stage["exit"]) if stage["signal"] is None else signal_name(stage["signal"])
    return ending if verdict == "ok" else f"{ending} ({verdict})"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


def _progress(stage: Mapping[str, Any]) -> str:
    figures = [f"{stage['name']} {_state(stage['exit'])}"]
    if stage["rows"] is not None:
        figures.append(plural(stage["rows"], "row"))
    if stage["bytes"] is not None:
        figures.append(size(stage["bytes"]))
    return ", ".join(figures)
