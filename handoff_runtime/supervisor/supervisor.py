"""Executing a pipeline: all stages at once, joined by links, watched until nothing of them is left.

One loop, no threads: poll(2) reports data, signals, stages that ended, and time. Whom to stop then is
decided in `shutdown`, what to do about what stages leave behind in `orphans`, what it all means in `outcome`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from handoff_runtime.errors import StartError
from handoff_runtime.log import Log
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.supervisor import open_files, process, syscalls
from handoff_runtime.supervisor.event_loop import IN, EventLoop
from handoff_runtime.supervisor.line_count import RecordCounter
from handoff_runtime.supervisor.meter import Link, create_mover
from handoff_runtime.supervisor.orphans import Orphans
from handoff_runtime.supervisor.outcome import StageExit
from handoff_runtime.supervisor.process import Command, Usage
from handoff_runtime.supervisor.shutdown import Shutdown
from handoff_runtime.supervisor.signals import STOPPING, Signals
from handoff_runtime.supervisor.stage import RunningStage
from handoff_runtime.supervisor.stderr import Stderr
from handoff_runtime.supervisor.syscalls import pipe
from handoff_runtime.supervisor.watchdog import Watchdog

Report = Callable[[Sequence["StageFigures"]], None]

TICK = 0.25
REFRESH_EVERY = 4  # ticks: a fresh count of rows costs a process a link; a line in two writes is to stay one


class SupervisorSettings(NamedTuple):
    """How to execute: the meter mode, and the seconds from a stopping signal to the end.

    With `read_whole` the last stage is to read its input to the end; `open_files` are the stages' limits of open files,
    where they are not ours; `records` counts those in the last stage's input.
    """

    meter: str
    grace: float
    read_whole: bool = False
    open_files: tuple[int, int] | None = None
    records: RecordCounter | None = None


class StageFigures(NamedTuple):
    """One stage so far, or at its end; rows are None where they are not counted; `silent` on stderr."""

    name: str
    started: float
    ended: float | None
    ending: StageExit | None
    usage: Usage | None
    rows_in: int | None
    bytes_in: int | None
    rows_out: int | None
    bytes_out: int | None
    silent: bool = False


class PipelineResult(NamedTuple):
    """How all stages ended, and the signal that made us stop them, if any."""

    figures: tuple[StageFigures, ...]
    signal: int | None


class Supervisor:
    """One pipeline being executed."""

    def __init__(
        self,
        settings: SupervisorSettings,
        poller: EventLoop,
        signals: Signals,
        watchdog: Watchdog,
        log: Log,
        report: Report | None,
    ) -> None:
        self._settings, self._poller, self._signals = settings, poller, signals
        self._calls = None if settings.meter == "off" else syscalls.find_calls()
        self._watchdog, self._log, self._report = watchdog, log, report
        self._stages: list[RunningStage] = []
        self._stderr = Stderr(self._stages, poller, log)
        self._orphans = Orphans(self._stages, poller, watchdog, log, self._stderr, settings.grace)
        self._shutdown = Shutdown(self._stages, poller, settings.grace, log, self._orphans.close_pipes)
        self._ticks = 0

    def run(self, commands: Sequence[Command], stdin: int, stdout: int) -> PipelineResult:
        """Run the commands to their end, from the first one's `stdin` to the last one's `stdout`."""
        self._poller.watch(self._signals.fd, IN, self._on_signals)
        try:
            self._start(commands, os.dup(stdin), stdout)
        except (StartError, OSError, MemoryError):
            self._shutdown.abort()
            self._finish()
            raise
        self._finish()
        return PipelineResult(self.figures(), self._shutdown.signal)

    def figures(self) -> tuple[StageFigures, ...]:
        """Every stage so far."""
        befores = [None, *(stage.link for stage in self._stages)]
        return tuple(
            StageFigures(
                name=stage.name,
                started=stage.started,
                ended=stage.ended,
                ending=stage.ending(),
                usage=stage.usage,
                rows_in=before.rows if before else None,
                bytes_in=before.bytes if before else None,
                rows_out=stage.link.rows if stage.link else None,
                bytes_out=stage.link.bytes if stage.link else None,
                silent=stage.silent,
            )
            for stage, before in zip(self._stages, befores, strict=False)
        )

    # starting

    def _start(self, commands: Sequence[Command], stdin: int, stdout: int) -> None:
        try:
            for index, command in enumerate(commands[:-1]):
                stdin = self._start_linked(index, command, stdin, last=index == len(commands) - 2)
            self._start_stage(len(commands) - 1, commands[-1], stdin, stdout, linked=False)
        finally:
            os.close(stdin)

    def _start_linked(self, index: int, command: Command, stdin: int, *, last: bool) -> int:
        """Start a stage and the link behind it, the `last` one or not; the descriptor the next stage reads from."""
        read_whole, records = last and self._settings.read_whole, self._settings.records if last else None
        source, write = pipe()
        try:
            stage = self._start_stage(index, command, stdin, write, linked=True)
            stage.read_whole = read_whole
        except BaseException:
            os.close(source)
            raise
        finally:
            os.close(write)
        os.close(stdin)
        if self._settings.meter == "off":
            return source
        read, sink = pipe()
        mover = create_mover(self._settings.meter, source, sink, self._calls, self._poller, records)
        stage.link = Link(mover, self._poller, read_whole=read_whole)
        return read

    def _start_stage(self, index: int, command: Command, stdin: int, stdout: int, *, linked: bool) -> RunningStage:
        stderr, its_stderr = os.pipe()
        try:
            stage = RunningStage(index, command, stderr)
            self._watchdog.expect()
            stage.pid = process.start_process(command, stdin, stdout, its_stderr)
        except BaseException:
            os.close(stderr)
            raise
        finally:
            os.close(its_stderr)
        self._watchdog.add(stage.pid)
        if self._settings.open_files:
            open_files.set_limits(stage.pid, self._settings.open_files)
        self._stages.append(stage)
        self._stderr.listen(stage)
        if self._settings.meter == "off" and linked:
            stage.stdout_copy = os.dup(stdout)
        return stage

    # the loop

    def _finish(self) -> None:
        self._tick()
        while not (
            all(not stage.running and stage.stderr < 0 for stage in self._stages)
            and all(link.done for link in self._links())
        ):
            self._poller.turn()
            self._stderr.throttle()
        self._orphans.kill_all(self._reap)
        if self._settings.read_whole and len(self._stages) > 1:  # nobody reads any more
            *_, before, last = self._stages
            last.unread_input = before.unread_output(self._settings.meter)
        self._report_figures()
        self._poller.ignore(self._signals.fd)
        self._poller.ignore(self._log.fd)

    def _report_figures(self) -> None:
        if self._report is not None:
            self._report(self.figures())

    def _links(self) -> list[Link]:
        return [stage.link for stage in self._stages if stage.link is not None]

    def _tick(self) -> None:
        """What is done every so often: figures, unfinished lines, and a look at what ended stages left behind."""
        self._ticks += 1
        if self._ticks % REFRESH_EVERY == 0:
            if not self._stderr.paused:  # else it is we who keep stages from ending their lines
                self._log.show_unfinished()
            for link in self._links() if self._report is not None else ():
                link.refresh()
        self._report_figures()
        for stage in self._stages:
            if not stage.running:
                self._orphans.check(stage)
            elif stage.stdout_copy >= 0 and not process.has_open(stage.pid, stage.stdout_copy):
                stage.close_stdout_copy()
        self._poller.after(TICK, self._tick)

    def _on_signals(self, _events: int) -> None:
        for number in self._signals.take():
            if number in STOPPING:
                self._shutdown.on_signal(number)
        self._reap()

    # stages' ends

    def _reap(self) -> None:
        """Note who has ended; of those found together the first stage first: in doubt its failure is no consequence."""
        ended: dict[int, tuple[int, object]] = {}  # ours and adopted ones
        while True:
            try:
                pid, status, rusage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            ended[pid] = status, rusage
        for stage in self._stages:
            if stage.running and stage.pid in ended:
                status, usage = ended[stage.pid]
                stage.ended, stage.status = time.monotonic(), os.waitstatus_to_exitcode(status)
                stage.usage = process.read_usage(usage)
                stage.reader_left = stage.unread
                stage.close_stdout_copy()
                self._orphans.forget_empty_group(stage)
                self._shutdown.on_exit(stage)
