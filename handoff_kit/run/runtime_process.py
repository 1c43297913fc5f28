"""The runtime as a child process: started, given its params, watched; signals are forwarded to it."""

from __future__ import annotations

import io
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import handoff_runtime
from handoff_kit.console import View
from handoff_kit.errors import CommandError
from handoff_runtime import exact_json, stored_json, symlinks
from handoff_runtime.supervisor.outcome import exit_code

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READ_SIZE = 1 << 16
STDOUT = 1
# The kit's own venv, and what would make the runtime use a store in AWS without --remote.
REMOVED_VARIABLES = ("VIRTUAL_ENV", "STACK_NAME", "HANDOFF_NO_STATE")
FIRST_OUTPUT = 10.0  # seconds to wait for it before signals are forwarded into a container
SHOW = "show_commands"
START = str(Path(handoff_runtime.__file__).with_name("start.py"))


@dataclass(frozen=True)
class Container:
    """`argv` starts a container of this name, and ends with its image."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class LocalRun:
    """The arguments of a run. `params` go to the runtime's standard input, never into a file.

    `store` are the environment variables that name a store in AWS, which then also holds the params.
    """

    directory: Path
    params: str
    command: str
    data: Mapping[str, Any]
    meter: str | None
    log_format: str
    container: Container | None = None
    store: Mapping[str, str] | None = None
    no_state: bool = False

    @property
    def reports_progress(self) -> bool:
        """Not if the command prints in a container, where progress and stdout would share a descriptor."""
        return self.container is None or self.command != SHOW

    @property
    def stdin(self) -> str:
        """The data in a line, then the params; these in a line too for a container, whose stdin stays open."""
        params = f"{exact_json.dumps(exact_json.loads(self.params))}\n" if self.container else self.params
        return f"{exact_json.dumps(self.data)}\n{params}"

    @property
    def artifacts(self) -> Path:
        """The directory of the run's artifacts."""
        return self.directory / ".artifacts"

    def argv(self, progress_fd: int | None = None) -> tuple[str, ...]:
        """The words that start the runtime."""
        return (
            *(self.container.argv if self.container else (sys.executable, START)),
            *(self.command, "--data", "-"),
            *(() if self.store else ("--params", "-")),
            *(("--meter", self.meter) if self.meter else ()),
            *("--log-format", self.log_format),
            *(() if progress_fd is None else ("--progress-fd", str(progress_fd))),
            *(("--lifeline",) if self.container else ()),
            *(("--no-state",) if self.no_state else ()),
        )


class RunView(View[Sequence[Mapping[str, Any]]], Protocol):
    """Shows the stages of a run with their figures so far, and its log."""

    def log(self, text: str) -> None:
        """Show lines of the log."""


def run_runtime(
    planned: LocalRun,
    environ: Mapping[str, str],
    create_view: Callable[[], AbstractContextManager[RunView]],
    *,
    piped: bool,
) -> int:
    """Run the runtime to its end and return its exit code, 128 + N for signal N.

    The view is created once the runtime has started; with `piped` the log's lines pass through it.
    """
    with _SignalForwarder() as signals:
        child, progress = _start(planned, environ, piped=piped)
        with child, progress:
            if not (planned.container and planned.reports_progress):
                signals.forward_to(child)
            _send(child, planned.stdin, keep_open=planned.container is not None)
            with create_view() as view:
                _watch(child, progress, view, on_first_output=lambda: signals.forward_to(child))
    return exit_code(child.returncode)


def read_last_record(planned: LocalRun) -> tuple[object, Mapping[str, Any]]:
    """An identity of the record in `.artifacts`, which differs for each run, and the record; {} if unreadable."""
    path = planned.artifacts / "run.json"
    try:
        status = path.stat()
        record = stored_json.parse(symlinks.read_file(str(path)), stored_json.RECORD).value
    except OSError:
        return None, {}
    return (status.st_ino, status.st_mtime_ns), record or {}


def _start(planned: LocalRun, environ: Mapping[str, str], *, piped: bool) -> tuple[subprocess.Popen[bytes], io.FileIO]:
    """Start the runtime; returns it, and the pipe of its progress.

    It runs in a new session, so that Ctrl-C of a terminal reaches this process alone and is forwarded once. A container
    has only the standard descriptors: its progress comes by standard output.
    """
    inside, reports = planned.container is not None, planned.reports_progress
    read, write = os.pipe()
    progress = io.FileIO(read)
    argv = planned.argv(write if not inside else STDOUT if reports else None)
    try:
        child = subprocess.Popen(
            argv,
            cwd=planned.directory,
            env={
                **{name: value for name, value in environ.items() if name not in REMOVED_VARIABLES},
                **(planned.store or {}),
            },
            stdin=subprocess.PIPE,
            stdout=write if inside and reports else None,
            stderr=subprocess.PIPE if piped else None,
            pass_fds=() if inside else (write,),
            start_new_session=True,
        )
    except BaseException as error:
        progress.close()
        if isinstance(error, OSError):
            raise CommandError(f"could not start {argv[0]}: {error.strerror}", 126) from None
        raise
    finally:
        os.close(write)
    return child, progress


class _SignalForwarder:
    """Forwards signals that would end this process to the runtime, which then shuts down in order.

    Signals wait until `forward_to`: a container that has not started would not get them. Signals that are ignored
    (nohup) stay ignored. On exit after a forwarded signal further ones are ignored, so that the summary is printed.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._stopping = False

    def __enter__(self) -> _SignalForwarder:  # noqa: PYI034  # typing.Self is of 3.11
        numbers = [number for number in FORWARDED if signal.getsignal(number) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._forward) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self._stopping else handler)

    def forward_to(self, child: subprocess.Popen[bytes]) -> None:
        """Forward waiting and further signals."""
        self._child = child
        while self._early:
            child.send_signal(self._early.pop())

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        if self._child is None:
            self._early.append(number)
        else:
            self._child.send_signal(number)


def _send(child: subprocess.Popen[bytes], text: str, *, keep_open: bool) -> None:
    """Write to its stdin. If kept open, it is closed when this process ends in any way, which the runtime notices."""
    if child.stdin is None:
        return
    try:
        child.stdin.write(text.encode())
        child.stdin.flush()
        if not keep_open:
            child.stdin.close()
    except BrokenPipeError:  # the runtime ended first, and says why
        with suppress(BrokenPipeError):
            child.stdin.close()  # which would flush its buffer


def _watch(
    child: subprocess.Popen[bytes], progress: io.FileIO, view: RunView, on_first_output: Callable[[], None]
) -> None:
    """Show progress and log until both are closed; calls `on_first_output` after FIRST_OUTPUT seconds at the latest."""

    def show_progress(lines: list[bytes]) -> None:
        record = stored_json.parse(lines[-1], stored_json.PROGRESS).value  # cut short where the pipe had no room
        if record is not None:
            view.update(record["stages"])

    def show_log(lines: list[bytes]) -> None:
        view.log(b"\n".join(lines).decode("utf-8", "replace"))

    timeout: float | None = FIRST_OUTPUT
    with selectors.DefaultSelector() as selector:
        selector.register(progress.fileno(), selectors.EVENT_READ, LineBuffer(show_progress))
        if child.stderr is not None:
            selector.register(child.stderr.fileno(), selectors.EVENT_READ, LineBuffer(show_log))
        while selector.get_map():
            ready = selector.select(timeout)
            if timeout is not None:
                on_first_output()
                timeout = None
            for key, _ in ready:
                data = os.read(key.fd, READ_SIZE)
                key.data.feed(data)
                if not data:
                    selector.unregister(key.fd)


class LineBuffer:
    """Joins the pieces that were read, and calls `on_lines` with whole lines."""

    def __init__(self, on_lines: Callable[[list[bytes]], None]) -> None:
        self._on_lines, self._pieces = on_lines, list[bytes]()

    def feed(self, data: bytes) -> None:
        """Take what was read; empty at the end."""
        whole, newline, rest = data.rpartition(b"\n")
        if not newline and data:
            self._pieces.append(data)
            return
        lines = b"".join([*self._pieces, whole])
        self._pieces = [rest] if rest else []
        if lines or newline:
            with suppress(OSError):  # a view that lost its terminal must not end the run
                self._on_lines(lines.split(b"\n"))
