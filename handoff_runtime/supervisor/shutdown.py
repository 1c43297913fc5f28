"""Stopping stages: which, when, and what follows if that is not enough.

- a stage failed: what is upstream of it is stopped at once, what is downstream may finish within the grace time;
- everything downstream ended well: what is upstream is not needed any more, and stopped, unless it writes a file;
- a signal stops the run: the first stage at once, so that the rest may drain; then all; then by SIGKILL.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence

from handoff_runtime.errors import UsageError
from handoff_runtime.log import Log
from handoff_runtime.supervisor import process, watchdog
from handoff_runtime.supervisor.event_loop import EventLoop
from handoff_runtime.supervisor.stage import RunningStage

LOOK = 0.1  # seconds between two looks at a stage whose reader has left
NOT_NEEDED_AFTER = 10  # such looks in a row: time to notice by EPIPE that nobody reads any more
KILL_AFTER = 5.0


class Shutdown:
    """Stops stages, and says when; `signal` is the one that stops them all, if any."""

    def __init__(
        self, stages: Sequence[RunningStage], poller: EventLoop, grace: float, log: Log, close_pipes: Callable[[], None]
    ) -> None:
        self._stages, self._poller, self._grace, self._log, self._close_pipes = stages, poller, grace, log, close_pipes
        self.signal: int | None = None

    def on_signal(self, number: int) -> None:
        """SIGTERM to the first stage, time for the rest to drain, SIGTERM to all, SIGKILL (ECS stopTimeout)."""
        running = [stage for stage in self._stages if stage.running]
        names = ", ".join(stage.name for stage in running)
        self._log.say(f"{signal.Signals(number).name} received, stopping {names or 'nothing is running'}")
        if self.signal is not None:
            self._stop(running, signal.SIGTERM, kill_after=min(1.0, self._grace / 4))
            return
        if not running:
            self._close_pipes()
            return
        self.signal = number
        self._stop(running[:1], signal.SIGTERM)
        self._poller.after(self._grace * 0.5, lambda: self._stop(self._stages, signal.SIGTERM))
        self._poller.after(self._grace * 0.75, lambda: self._stop(self._stages, signal.SIGKILL))
        self._poller.after(self._grace * 0.8, self._close_pipes)

    def on_exit(self, stage: RunningStage) -> None:
        """A stage has ended: stop whom this concerns."""
        if self.signal is not None:
            return
        if stage.status != 0 and not stage.stopped and not stage.reader_left:
            downstream = self._stages[stage.index + 1 :]
            self._stop(self._stages[: stage.index], signal.SIGTERM, KILL_AFTER)
            self._poller.after(self._grace, lambda: self._stop(downstream, signal.SIGTERM, KILL_AFTER))
        elif stage.index > 0 and not any(each.running for each in self._stages[stage.index :]):
            before = self._stages[stage.index - 1]
            if before.read_whole:

                def stop_deserted() -> None:  # it had time to end
                    if before.running and before.deserted:
                        before.stopped_unread = True
                        self._stop([before], signal.SIGTERM, KILL_AFTER)

                self._poller.after(self._grace, stop_deserted)
            else:
                self._stop_if_unread(before)

    def abort(self) -> None:
        """Not every stage could be started: stop those that were."""
        self._stop(self._stages, signal.SIGTERM, KILL_AFTER)

    def _stop_if_unread(self, stage: RunningStage, idle: int = 0) -> None:
        """Stop a stage whose reader has left; one that writes a file or has closed its stdout may finish its work.

        Between two commands a shell has its own stdout, and writes no file: it takes several looks in a row.
        """
        if not stage.running:
            return
        if idle == NOT_NEEDED_AFTER:
            if stage.unread:
                self._stop([stage], signal.SIGTERM, KILL_AFTER)
            return
        idle = 0 if process.writes_to_file(stage.pid) else idle + 1
        self._poller.after(LOOK, lambda: self._stop_if_unread(stage, idle))

    def _stop(self, stages: Sequence[RunningStage], number: int, kill_after: float | None = None) -> None:
        for stage in stages:
            if stage.running:
                stage.stopped = True
                watchdog.signal_group(stage.pid, number)
        if kill_after is not None:
            self._poller.after(kill_after, lambda: self._stop(stages, signal.SIGKILL))


DEFAULT = 30.0  # seconds; ECS stopTimeout, unless the task definition says otherwise
SHORTEST, LONGEST = 2.0, 120.0
STAGES_SHARE = 0.6  # where what they leave is to be stored within the same time
STORE_SHARE = 0.9  # by then it is stored, or an error says that it is not


def grace_seconds(environ: Mapping[str, str]) -> float:
    """Seconds from a stopping signal to SIGKILL: STOP_TIMEOUT, 2 to 120 (ECS stopTimeout)."""
    text = environ.get("STOP_TIMEOUT") or str(DEFAULT)
    try:
        return min(LONGEST, max(SHORTEST, float(text)))
    except ValueError:
        raise UsageError(f"STOP_TIMEOUT: {text!r} found, seconds from 2 to 120 expected") from None
