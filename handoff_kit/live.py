"""What a person sees of a run: a table that refreshes in place on a terminal, plain lines elsewhere, a summary."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

PLAIN_EVERY = 10.0
WIDE = 140
UNITS = ("B", "kB", "MB", "GB", "TB")
STYLES = {"running": "cyan", "ok": "green", "not needed": "green", "stopped": "yellow", "succeeded": "green"}
MOTION = 4  # refreshes a second


def console(environ: Mapping[str, str]) -> Console:
    """Standard error, where progress and errors go; wide where no terminal limits it, lest a CI's log fold tables."""
    wide = None if sys.stderr.isatty() else int(environ.get("COLUMNS") or WIDE)
    return Console(stderr=True, highlight=False, width=wide)


def is_live(shown_on: Console, environ: Mapping[str, str]) -> bool:
    """Whether to refresh in place: a terminal that can, and no CI."""
    return shown_on.is_terminal and not shown_on.is_dumb_terminal and not environ.get("CI")


class Terminal:
    """Refreshes a table of the stages in place, the log's lines passing above it."""

    wants_log = True

    def __init__(self, shown_on: Console) -> None:
        self._console = shown_on
        self._rates: dict[str, tuple[float, int, float]] = {}
        self._live = Live(console=shown_on, refresh_per_second=MOTION, transient=True, auto_refresh=False)

    def __enter__(self) -> Terminal:  # noqa: PYI034  # typing.Self is of 3.11
        self._live.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._live.stop()

    def log(self, text: str) -> None:
        """Lines above the table, as they are: no markup, no colour of ours."""
        self._console.print(Text(text), soft_wrap=True)

    def figures(self, stages: Sequence[Mapping[str, Any]]) -> None:
        """The table as of now."""
        table = _table("stage", "state", "rows", "rows/s", "bytes", "elapsed")
        for stage in stages:
            state = _state(stage["exit"])
            rate = self._rate(stage) if state == "running" else None
            cells = (count(stage["rows"]), count(rate), size(stage["bytes"]), elapsed(stage["seconds"]))
            table.add_row(stage["name"], Text(state, STYLES.get(state, "red")), *cells)
        self._live.update(Group(table), refresh=True)

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
    """Says a line now and then; the log goes its own way."""

    wants_log = False

    def __init__(self, shown_on: Console) -> None:
        self._console, self._due = shown_on, time.monotonic() + PLAIN_EVERY

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
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + PLAIN_EVERY
            told = ", ".join(_told(stage) for stage in stages)
            self._console.print(Text(f"{time.strftime('%H:%M:%S')} {told}"))


def summary(record: Mapping[str, Any]) -> Table:
    """The stages at their end: exit, seconds, CPU, peak memory, rows, bytes."""
    table = _table("stage", "exit", "seconds", "CPU s", "peak memory", "rows in", "rows out", "bytes in", "bytes out")
    for stage in record["stages"]:
        verdict = stage.get("verdict")
        cells = (
            _seconds(stage.get("seconds")),
            _seconds(stage.get("cpu_seconds")),
            size(stage.get("peak_memory_bytes")),
            count(stage.get("rows_in")),
            count(stage.get("rows_out")),
            size(stage.get("bytes_in")),
            size(stage.get("bytes_out")),
        )
        table.add_row(stage["name"], Text(_exit(stage), STYLES.get(str(verdict), "red")), *cells)
    return table


def whereabouts(record: Mapping[str, Any], artifacts: str) -> tuple[str, ...]:
    """Where what the run left lies, and the next useful command."""
    state = record["state"]
    kept = "replaced" if state["replaced"] else "unchanged"
    told = f"{size(state['after']['bytes'])}, {kept}" if state["after"] else "none yet"
    failed = record["outcome"] != "succeeded"
    return (
        f"state: {artifacts}/state ({told})",
        f"artifacts: {artifacts}/ (run.json: the record; stdout.log, stderr.log: what the stages wrote)",
        f"next: less {artifacts}/stderr.log" if failed else f"next: cat {artifacts}/state",
    )


def count(number: int | None) -> str:
    """A count with its thousands apart; a dash where nothing was counted."""
    return "-" if number is None else f"{number:,}"


def size(number: int | None) -> str:
    """Bytes in the largest unit of a thousand that leaves a digit before the point."""
    if number is None:
        return "-"
    value, unit = float(number), 0
    while value >= 1000 and unit < len(UNITS) - 1:  # noqa: PLR2004  # SI
        value, unit = value / 1000, unit + 1
    return f"{number} B" if unit == 0 else f"{value:.1f} {UNITS[unit]}"


def elapsed(seconds: float) -> str:
    """Seconds as a clock: 0:07, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        left = column in ("stage", "state")
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    return table


def _state(status: int | None) -> str:
    if status is None:
        return "running"
    return "ok" if status == 0 else f"exit {status}" if status > 0 else f"signal {-status}"


def _exit(stage: Mapping[str, Any]) -> str:
    if stage.get("verdict") is None:
        return "not run"
    ending = str(stage["exit"]) if stage["signal"] is None else f"signal {stage['signal']}"
    return ending if stage["verdict"] in ("ok", "failed") else f"{ending} ({stage['verdict']})"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


def _told(stage: Mapping[str, Any]) -> str:
    return f"{stage['name']} {_state(stage['exit'])} {count(stage['rows'])} rows {size(stage['bytes'])}"
