"""A run on this machine: the runtime started as in the container, watched, and told of every signal."""

from __future__ import annotations

import io
import json
import os
import selectors
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import handoff_runtime
from handoff_kit.errors import CommandError
from handoff_runtime import containment, damage
from handoff_runtime.outcome import exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import FrameType

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READ_SIZE = 1 << 16
STDOUT = 1
UNSEEN = ("VIRTUAL_ENV", "STACK_NAME", "HANDOFF_NO_STATE")  # the venv of the kit, and a store that was not asked for
PATIENCE = 10.0
SHOW = "show_commands"
START = str(Path(handoff_runtime.__file__).with_name("start.py"))


@dataclass(frozen=True)
class Container:
    """A container to run in: its name, and the words that start it and end with its image."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class LocalRun:
    """What the runtime is started with; `params` is its standard input, never a file that stays.

    `store` are the environment variables that name a store in AWS; it has the params then.
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
    def tells(self) -> bool:
        """Whether there will be figures to watch; what prints has its standard output for itself."""
        return self.container is None or self.command != SHOW

    @property
    def sent(self) -> str:
        """What its standard input gets: the data in a line, then the params, in one line where more could follow."""
        params = f"{json.dumps(json.loads(self.params))}\n" if self.container else self.params
        return f"{json.dumps(self.data)}\n{params}"

    def argv(self, progress_fd: int | None = None) -> tuple[str, ...]:
        """The words the runtime is started by."""
        meter = ("--meter", self.meter) if self.meter else ()
        progress = () if progress_fd is None else ("--progress-fd", str(progress_fd))
        params = () if self.store else ("--params", "-")
        asked = (self.command, "--data", "-", *params, *meter, "--log-format", self.log_format)
        lifeline = ("--lifeline",) if self.container else ()
        no_state = ("--no-state",) if self.no_state else ()
        start = self.container.argv if self.container else (sys.executable, START)
        return (*start, *asked, *progress, *lifeline, *no_state)

    @property
    def artifacts(self) -> Path:
        """Where the run leaves what it made."""
        return self.directory / ".artifacts"


class View(Protocol):
    """Shows a run while it goes on."""

    def log(self, text: str) -> None:
        """Lines of the log."""

    def figures(self, stages: Sequence[Mapping[str, Any]]) -> None:
        """Every stage as it stands."""


def run(
    asked: LocalRun, environ: Mapping[str, str], view: Callable[[], AbstractContextManager[View]], *, piped: bool
) -> int:
    """Run the pipeline to its end; the runtime's exit code, as a shell would tell it.

    The view is made once the runtime is on its way; `piped` where the log's lines are to pass through it.
    """
    with _Forwarding() as forwarding:
        child, figures = _started(asked, environ, piped=piped)
        with child, figures:
            if not (asked.container and asked.tells):
                forwarding.to(child)
            _send(child, asked.sent, kept_open=asked.container is not None)
            with view() as shown:
                _watch(child, figures, shown, begun=lambda: forwarding.to(child))
    return exit_code(child.returncode)


def last_record(asked: LocalRun) -> tuple[object, Mapping[str, Any]]:
    """The record in `.artifacts`, empty where none can be read, and what tells it from the one of another run."""
    path = asked.artifacts / "run.json"
    try:
        found = path.stat()
        record = damage.parse(containment.read_file(str(path)), damage.RECORD).value
    except OSError:
        return None, {}
    return (found.st_ino, found.st_mtime_ns), record or {}


def _started(asked: LocalRun, environ: Mapping[str, str], *, piped: bool) -> tuple[subprocess.Popen[bytes], io.FileIO]:
    read, write = os.pipe()
    figures = io.FileIO(read)
    try:
        return _start(asked, write, environ, piped=piped), figures
    except BaseException:
        figures.close()
        raise
    finally:
        os.close(write)


def _start(asked: LocalRun, progress: int, environ: Mapping[str, str], *, piped: bool) -> subprocess.Popen[bytes]:
    """A session of its own: a terminal's Ctrl-C comes to us alone, and is forwarded once.

    No descriptor but the standard ones reaches into a container: there the figures are its standard output.
    """
    inside = asked.container is not None
    number = (STDOUT if asked.tells else None) if inside else progress
    argv = asked.argv(number)
    try:
        return subprocess.Popen(
            argv,
            cwd=asked.directory,
            env={**{name: value for name, value in environ.items() if name not in UNSEEN}, **(asked.store or {})},
            stdin=subprocess.PIPE,
            stdout=progress if inside and asked.tells else None,
            stderr=subprocess.PIPE if piped else None,
            pass_fds=() if inside else (progress,),
            start_new_session=True,
        )
    except OSError as error:
        raise CommandError(f"could not start {argv[0]}: {error.strerror}", 126) from None


class _Forwarding:
    """While it lasts, signals that would end us are passed to the runtime, which knows how to stop.

    What comes before the runtime is there waits for it: a container that has not begun hears nothing. What
    we were told to ignore (nohup) stays ignored.
    Once one was passed on all is about to end, and another one must not cut short what is said of it.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._stopping = False

    def __enter__(self) -> _Forwarding:  # noqa: PYI034  # typing.Self is of 3.11
        heeded = [number for number in FORWARDED if signal.getsignal(number) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._pass_on) for number in heeded}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self._stopping else handler)

    def to(self, child: subprocess.Popen[bytes]) -> None:
        """Whom to tell from now on."""
        self._child = child
        while self._early:
            child.send_signal(self._early.pop())

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        if self._child is None:
            self._early.append(number)
        else:
            self._child.send_signal(number)


def _send(child: subprocess.Popen[bytes], params: str, *, kept_open: bool) -> None:
    """Hand over the params; what is kept open ends when we do, however we end, and the runtime sees that."""
    if child.stdin is None:
        return
    try:
        child.stdin.write(params.encode())
        child.stdin.flush()
        if not kept_open:
            child.stdin.close()
    except BrokenPipeError:  # the runtime ended first, and says why
        with suppress(BrokenPipeError):
            child.stdin.close()  # what it still holds would be sent at the end


def _watch(child: subprocess.Popen[bytes], progress: io.FileIO, view: View, begun: Callable[[], None]) -> None:
    """Show what comes until all is closed; `begun` is called with the first of it, or when it is long in coming."""
    waiting: float | None = PATIENCE
    with selectors.DefaultSelector() as selector:
        selector.register(progress.fileno(), selectors.EVENT_READ, _Lines(_newest_figures(view)))
        if child.stderr is not None:
            selector.register(child.stderr.fileno(), selectors.EVENT_READ, _Lines(_whole_log(view)))
        while selector.get_map():
            ready = selector.select(waiting)
            if waiting is not None:
                begun()
                waiting = None
            for key, _ in ready:
                data = os.read(key.fd, READ_SIZE)
                key.data.feed(data)
                if not data:
                    selector.unregister(key.fd)


class _Lines:
    """Puts what was read together to whole lines, and hands them on."""

    def __init__(self, hand_on: Callable[[list[bytes]], None]) -> None:
        self._hand_on, self._pieces = hand_on, list[bytes]()

    def feed(self, data: bytes) -> None:
        """Take what was read; nothing is the end."""
        whole, newline, rest = data.rpartition(b"\n")
        if not newline and data:
            self._pieces.append(data)
            return
        lines = b"".join([*self._pieces, whole])
        self._pieces = [rest] if rest else []
        if lines or newline:
            with suppress(OSError):  # a view that lost its terminal must not end the run
                self._hand_on(lines.split(b"\n"))


def _whole_log(view: View) -> Callable[[list[bytes]], None]:
    return lambda lines: view.log(b"\n".join(lines).decode("utf-8", "replace"))


def _newest_figures(view: View) -> Callable[[list[bytes]], None]:
    def show(lines: list[bytes]) -> None:
        found = damage.parse(lines[-1], damage.PROGRESS).value  # a line the pipe had no room for is cut short
        if found is not None:
            view.figures(found["stages"])

    return show
