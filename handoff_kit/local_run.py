"""A run on this machine: the runtime started as in the container, watched, and told of every signal."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READ_SIZE = 1 << 16


@dataclass(frozen=True)
class LocalRun:
    """What the runtime is started with; `params` is its standard input, never a file that stays."""

    directory: Path
    params: str
    command: str
    data: Mapping[str, Any]
    meter: str | None
    log_format: str

    def argv(self, progress_fd: int | None = None) -> tuple[str, ...]:
        """The words the runtime is started by."""
        meter = ("--meter", self.meter) if self.meter else ()
        progress = () if progress_fd is None else ("--progress-fd", str(progress_fd))
        data = json.dumps(self.data, ensure_ascii=False)
        asked = (self.command, "--data", data, "--params", "-", *meter, "--log-format", self.log_format)
        return (sys.executable, "-m", "handoff_runtime", *asked, *progress)

    @property
    def artifacts(self) -> Path:
        """Where the run leaves what it made."""
        return self.directory / ".artifacts"


class View(Protocol):
    """Shows a run while it goes on; `wants_log` where the log's lines are to pass through it."""

    wants_log: bool

    def log(self, text: str) -> None:
        """Lines of the log."""

    def figures(self, stages: Sequence[Mapping[str, Any]]) -> None:
        """Every stage as it stands."""


def run(asked: LocalRun, view: View, environ: Mapping[str, str]) -> int:
    """Run the pipeline to its end; the runtime's exit code."""
    read, write = os.pipe()
    try:
        child = _start(asked, write, environ, piped=view.wants_log)
    finally:
        os.close(write)
    with child, _forwarding(child):
        _send(child, asked.params)
        _watch(child, read, view)
        return child.wait()


def last_record(asked: LocalRun) -> tuple[object, Mapping[str, Any]]:
    """The record that lies there, and what tells it from the one of another run."""
    path = asked.artifacts / "run.json"
    try:
        found = path.stat()
        return (found.st_ino, found.st_mtime_ns), json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None, {}


def _start(asked: LocalRun, progress: int, environ: Mapping[str, str], *, piped: bool) -> subprocess.Popen[bytes]:
    """A session of its own: a terminal's Ctrl-C comes to us alone, and is forwarded once."""
    return subprocess.Popen(
        asked.argv(progress),
        cwd=asked.directory,
        env={name: value for name, value in environ.items() if name != "VIRTUAL_ENV"},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE if piped else None,
        pass_fds=(progress,),
        start_new_session=True,
    )


class _forwarding:  # noqa: N801  # reads as a word in `with`
    """While it lasts, signals that would end us are passed to the runtime, which knows how to stop."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._pass_on) for number in FORWARDED}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        self._child.send_signal(number)


def _send(child: subprocess.Popen[bytes], params: str) -> None:
    if child.stdin is None:
        return
    try:
        child.stdin.write(params.encode())
        child.stdin.close()
    except BrokenPipeError:
        pass  # the runtime ended first, and says why


def _watch(child: subprocess.Popen[bytes], progress: int, view: View) -> None:
    with selectors.DefaultSelector() as selector, os.fdopen(progress, "rb", 0) as figures:
        selector.register(figures.fileno(), selectors.EVENT_READ, _Lines(view, "figures"))
        if child.stderr is not None:
            selector.register(child.stderr.fileno(), selectors.EVENT_READ, _Lines(view, "log"))
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, READ_SIZE)
                key.data.feed(data)
                if not data:
                    selector.unregister(key.fd)


class _Lines:
    """Puts what was read together to whole lines, and hands them to the view."""

    def __init__(self, view: View, kind: str) -> None:
        self._view, self._kind, self._rest = view, kind, b""

    def feed(self, data: bytes) -> None:
        """Take what was read; nothing is the end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data and self._rest:
            lines, self._rest = [self._rest], b""
        if self._kind == "log" and lines:
            self._view.log("\n".join(line.decode("utf-8", "replace") for line in lines))
        elif self._kind == "figures":
            for stages in _parsed(lines[-1:]):
                self._view.figures(stages)


def _parsed(lines: Sequence[bytes]) -> Iterator[Sequence[Mapping[str, Any]]]:
    for line in lines:
        yield json.loads(line)["stages"]
