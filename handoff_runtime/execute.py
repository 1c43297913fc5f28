"""Executing a pipeline: all stages at once, joined by links, watched until nothing of them is left.

One loop, no threads: poll(2) tells of data, of signals, of stages that ended, and of time. What a stage's end
means is decided in `outcome`; here it only decides whom to stop:

- a stage failed: what is upstream of it is stopped at once, what is downstream may finish within the grace time;
- everything downstream ended well: what is upstream is not needed any more, and stopped;
- we were told to stop: the first stage at once, so that the rest may drain; then all; then by SIGKILL.
"""

from __future__ import annotations

import os
import select
import signal
import time

from handoff_runtime import guard as guards
from handoff_runtime import kernel, process
from handoff_runtime.errors import StartError
from handoff_runtime.guard import Guard
from handoff_runtime.kernel import pipe
from handoff_runtime.log import Log
from handoff_runtime.meter import Link, mover
from handoff_runtime.outcome import Ending
from handoff_runtime.poller import IN, OUT, Poller
from handoff_runtime.process import Command, Usage
from handoff_runtime.signals import STOPPING, Signals
from handoff_runtime.value import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Tell = Callable[[Sequence["Figures"]], None]

TICK = 0.25
SETTLED_EVERY = 4  # ticks: a fresh count of rows costs a process a link
NOT_NEEDED_AFTER = 1.0  # time to notice by EPIPE that nobody reads any more
KILL_AFTER = 5.0
QUIET_LINK = 5.0  # a process left behind may go on writing; silent so long, it is ended
QUIET_STDERR = 1.0
READ_SIZE = 1 << 16


class Settings(NamedTuple):
    """How to execute: the meter mode, and the seconds from being told to stop to the end."""

    meter: str
    grace: float


class Figures(NamedTuple):
    """One stage so far, or at its end; rows are None where they are not counted."""

    name: str
    started: float
    ended: float | None
    ending: Ending | None
    usage: Usage | None
    rows_in: int | None
    bytes_in: int | None
    rows_out: int | None
    bytes_out: int | None


class Result(NamedTuple):
    """How all stages ended, and the signal that made us stop them, if any."""

    figures: tuple[Figures, ...]
    signal: int | None


class _Stage:
    """A stage that was started; its process group is its pid."""

    def __init__(self, index: int, command: Command, stderr: int) -> None:
        self.index, self.name, self.command, self.stderr = index, command.stage, command, stderr
        self.mouth = -1  # our copy of an unmetered stdout, to see whether anybody reads it
        self.pid = 0
        self.started = time.monotonic()
        self.heard = self.started
        self.ended: float | None = None
        self.status: int | None = None
        self.usage: Usage | None = None
        self.stopped = False
        self.reader_left = False
        self.cleared = False
        self.group_left = True

    @property
    def running(self) -> bool:
        return self.pid > 0 and self.ended is None


class Execution:
    """One pipeline being executed."""

    def __init__(
        self, settings: Settings, poller: Poller, signals: Signals, guard: Guard, log: Log, tell: Tell | None
    ) -> None:
        self._settings, self._poller, self._signals = settings, poller, signals
        self._calls = None if settings.meter == "off" else kernel.calls()
        self._guard, self._log, self._tell = guard, log, tell
        self._stages: list[_Stage] = []
        self._links: list[Link | None] = []
        self._signal: int | None = None
        self._ticks = 0
        self._deaf = False

    def run(self, commands: Sequence[Command], stdin: int, stdout: int) -> Result:
        """Run the commands to their end, from the first one's `stdin` to the last one's `stdout`."""
        self._poller.watch(self._signals.fd, IN, self._on_signals)
        try:
            self._start(commands, os.dup(stdin), stdout)
        except StartError:
            self._stop(self._stages, signal.SIGTERM, KILL_AFTER)
            self._finish()
            raise
        self._finish()
        return Result(self.figures(), self._signal)

    def figures(self) -> tuple[Figures, ...]:
        """Every stage as it stands."""
        return tuple(self._figures(stage) for stage in self._stages)

    # starting

    def _start(self, commands: Sequence[Command], stdin: int, stdout: int) -> None:
        try:
            for index, command in enumerate(commands[:-1]):
                stdin = self._start_linked(index, command, stdin)
            self._start_stage(len(commands) - 1, commands[-1], stdin, stdout, linked=False)
        finally:
            os.close(stdin)

    def _start_linked(self, index: int, command: Command, stdin: int) -> int:
        """Start a stage and the link behind it; the descriptor the next stage reads from."""
        source, write = pipe()
        try:
            self._start_stage(index, command, stdin, write, linked=True)
        except StartError:
            os.close(source)
            raise
        finally:
            os.close(write)
        os.close(stdin)
        if self._settings.meter == "off":
            self._links.append(None)
            return source
        read, sink = pipe()
        moves = mover(self._settings.meter, source, sink, self._calls, self._poller)
        self._links.append(Link(source, sink, moves, self._poller))
        return read

    def _start_stage(self, index: int, command: Command, stdin: int, stdout: int, *, linked: bool) -> None:
        stderr, its_stderr = os.pipe()
        try:
            stage = _Stage(index, command, stderr)
            self._guard.expect(stderr)
            stage.pid = process.start(command, stdin, stdout, its_stderr)
        except StartError:
            os.close(stderr)
            raise
        finally:
            os.close(its_stderr)
        self._guard.watch(stage.pid)
        if self._settings.meter == "off" and linked:
            stage.mouth = os.dup(stdout)
        self._stages.append(stage)
        self._hear(stage)

    # the loop

    def _finish(self) -> None:
        self._tick()
        while not self._over():
            self._poller.turn()
            self._mind_log()
        self._sweep()
        self._show()
        self._poller.ignore(self._signals.fd)
        self._poller.ignore(self._log.fd)

    def _show(self) -> None:
        if self._tell is not None:
            self._tell(self.figures())

    def _over(self) -> bool:
        ended = all(not stage.running and stage.stderr < 0 for stage in self._stages)
        return ended and all(link is None or link.done for link in self._links)

    def _tick(self) -> None:
        """What is done every so often: figures, and a look at what ended stages left behind."""
        self._ticks += 1
        if self._ticks % SETTLED_EVERY == 0 and self._tell is not None:
            for link in filter(None, self._links):
                link.settle()
        self._show()
        for stage in self._stages:
            if not stage.running:
                self._mind_group(stage)
                self._mind_leftover(stage)
            elif stage.mouth >= 0 and not process.holds(stage.pid, stage.mouth):
                _shut(stage)
        self._poller.after(TICK, self._tick)

    def _on_signals(self, _events: int) -> None:
        for number in self._signals.take():
            if number in STOPPING:
                self._on_stop(number)
        self._reap()

    # stages' ends

    def _reap(self) -> None:
        """Note who has ended; of those found together the first stage first: in doubt its failure is no consequence."""
        ended = {pid: (status, usage) for pid, status, usage in _ended_children()}
        for stage in self._stages:
            if stage.running and stage.pid in ended:
                status, usage = ended[stage.pid]
                self._note_end(stage, status, process.usage(usage))

    def _note_end(self, stage: _Stage, status: int, usage: Usage) -> None:
        stage.ended, stage.status, stage.usage = time.monotonic(), status, usage
        stage.reader_left = self._reader_left(stage)
        _shut(stage)
        self._mind_group(stage)
        self._judge(stage)

    def _mind_group(self, stage: _Stage) -> None:
        """Forget a group nothing is left of: its number may soon be a stranger's."""
        if stage.group_left and not guards.alive(stage.pid):
            stage.group_left = False
            self._guard.release(stage.pid)

    def _reader_left(self, stage: _Stage) -> bool:
        """Whether nobody read the stage's stdout any more."""
        link = self._link_after(stage)
        return _unread(stage) if link is None else link.left is not None

    def _judge(self, stage: _Stage) -> None:
        """Whom this end concerns."""
        if self._signal is not None:
            return
        if stage.status != 0 and not stage.stopped and not stage.reader_left:
            downstream = self._stages[stage.index + 1 :]
            self._stop(self._stages[: stage.index], signal.SIGTERM, KILL_AFTER)
            self._poller.after(self._settings.grace, lambda: self._stop(downstream, signal.SIGTERM, KILL_AFTER))
        elif stage.index > 0 and not any(each.running for each in self._stages[stage.index :]):
            self._poller.after(NOT_NEEDED_AFTER, lambda: self._stop_unread(self._stages[stage.index - 1]))

    def _stop_unread(self, stage: _Stage) -> None:
        """Stop a stage whose reader has left; one that has closed its stdout by itself may finish its work."""
        if self._reader_left(stage):
            self._stop([stage], signal.SIGTERM, KILL_AFTER)

    # stopping

    def _on_stop(self, number: int) -> None:
        """The ladder: ask the first stage, wait for the rest to drain, ask all, wait, kill (ECS stopTimeout)."""
        running = [stage for stage in self._stages if stage.running]
        grace = self._settings.grace
        self._log.say(f"{signal.Signals(number).name} received, stopping {_names(running)}")
        if self._signal is not None:
            self._stop(running, signal.SIGTERM, kill_after=min(1.0, grace / 4))
            return
        if not running:
            self._let_go()
            return
        self._signal = number
        self._stop(running[:1], signal.SIGTERM)
        self._poller.after(grace * 0.5, lambda: self._stop(self._stages, signal.SIGTERM))
        self._poller.after(grace * 0.75, lambda: self._stop(self._stages, signal.SIGKILL))
        self._poller.after(grace * 0.8, self._let_go)

    def _stop(self, stages: Sequence[_Stage], number: int, kill_after: float | None = None) -> None:
        for stage in stages:
            if stage.running:
                stage.stopped = True
                guards.send(stage.pid, number)
        if kill_after is not None:
            self._poller.after(kill_after, lambda: self._stop(stages, signal.SIGKILL))

    def _let_go(self) -> None:
        """Close what a process out of our reach still holds."""
        for link in filter(None, self._links):
            link.close()
        for stage in self._stages:
            self._deafen(stage)

    # what stages leave behind

    def _mind_leftover(self, stage: _Stage) -> None:
        """A process that outlives its stage and keeps its pipes open, silently, is ended; we never hang on it."""
        silent, patience = self._silence(stage)
        if self._deaf:  # it is we who do not listen
            stage.heard = time.monotonic()
        elif silent is not None and not stage.cleared and time.monotonic() - silent > patience:
            self._end_leftover(stage)

    def _silence(self, stage: _Stage) -> tuple[float | None, float]:
        """Since when an ended stage's pipes are open but silent (None: they are not), and how long we bear it."""
        ended = stage.ended or stage.started
        link = self._link_after(stage)
        if link is not None and link.open:
            return (None if link.idle_since is None else max(link.idle_since, ended)), QUIET_LINK
        if link is None and any(each.running for each in self._stages[stage.index + 1 :]):
            return (ended if stage.group_left else None), self._settings.grace
        return (max(stage.heard, ended) if stage.stderr >= 0 else None), QUIET_STDERR

    def _end_leftover(self, stage: _Stage) -> None:
        stage.cleared = True
        self._log.say(f"stage {stage.name} has ended but left a process that keeps its output open; ending that")
        self._send_left(stage, signal.SIGTERM)
        self._poller.after(TICK * 2, lambda: self._send_left(stage, signal.SIGKILL))
        self._deafen(stage)
        link = self._link_after(stage)
        if link is not None:
            link.close()

    def _send_left(self, stage: _Stage, number: int) -> None:
        self._mind_group(stage)
        if stage.group_left:
            guards.send(stage.pid, number)

    def _link_after(self, stage: _Stage) -> Link | None:
        return self._links[stage.index] if stage.index < len(self._links) else None

    def _sweep(self) -> None:
        """End every process the stages have left behind, in their groups or adopted by us."""
        self._reap()
        patience = min(2.0, self._settings.grace * 0.1)
        begun = time.monotonic()
        asked: set[tuple[Callable[[int, int], None], int]] = set()
        while (left := self._left_behind()) and (waited := time.monotonic() - begun) < 2 * patience:
            for send, number in left - asked if waited < patience else left:
                send(number, signal.SIGTERM if waited < patience else signal.SIGKILL)
            asked |= left
            time.sleep(0.01)
            self._reap()

    def _left_behind(self) -> set[tuple[Callable[[int, int], None], int]]:
        for stage in self._stages:
            self._mind_group(stage)
        groups = {(guards.send, stage.pid) for stage in self._stages if stage.group_left}
        return groups | {(os.kill, pid) for pid in _children() if pid != self._guard.pid}

    # stderr

    def _hear(self, stage: _Stage) -> None:
        if stage.stderr >= 0:
            self._poller.watch(stage.stderr, IN, lambda _events: self._on_stderr(stage))

    def _on_stderr(self, stage: _Stage) -> None:
        data = os.read(stage.stderr, READ_SIZE)
        stage.heard = time.monotonic()
        if data:
            self._log.feed(stage.name, data)
        else:
            self._deafen(stage)

    def _deafen(self, stage: _Stage) -> None:
        if stage.stderr >= 0:
            self._poller.ignore(stage.stderr)
            os.close(stage.stderr)
            stage.stderr = -1
            self._log.end(stage.name)

    def _mind_log(self) -> None:
        """Read no more from the stages than the log can take; write on when it can."""
        if self._log.waiting:
            self._poller.watch(self._log.fd, OUT, self._log.flush)
        else:
            self._poller.ignore(self._log.fd)
        if self._log.full != self._deaf:
            self._deaf = self._log.full
            for stage in self._stages:
                self._poller.ignore(stage.stderr) if self._deaf else self._hear(stage)

    # figures

    def _figures(self, stage: _Stage) -> Figures:
        before = self._links[stage.index - 1] if stage.index > 0 else None
        after = self._link_after(stage)
        return Figures(
            name=stage.name,
            started=stage.started,
            ended=stage.ended,
            ending=_ending(stage),
            usage=stage.usage,
            rows_in=before.rows if before else None,
            bytes_in=before.bytes if before else None,
            rows_out=after.rows if after else None,
            bytes_out=after.bytes if after else None,
        )


def _unread(stage: _Stage) -> bool:
    """Whether the reader of an unmetered stdout has gone: while we hold it too, that is no end of file (poll(2))."""
    if stage.mouth < 0:
        return False
    poll = select.poll()
    poll.register(stage.mouth, 0)
    return bool(poll.poll(0))


def _shut(stage: _Stage) -> None:
    """Let the reader have its end of file."""
    if stage.mouth >= 0:
        os.close(stage.mouth)
        stage.mouth = -1


def _ending(stage: _Stage) -> Ending | None:
    if stage.status is None or stage.ended is None:
        return None
    return Ending(stage.status, stage.ended, stage.stopped, stage.reader_left)


def _ended_children() -> list[tuple[int, int, object]]:
    """Every child that has ended, ours or adopted: pid, status as subprocess tells it, what it used."""
    ended: list[tuple[int, int, object]] = []
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, os.waitstatus_to_exitcode(status), usage))


def _children() -> list[int]:
    """Our living children (proc(5)); none where the kernel does not tell."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _names(stages: Sequence[_Stage]) -> str:
    return ", ".join(stage.name for stage in stages) or "nothing is running"
