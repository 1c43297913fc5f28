"""Orphans: processes that outlive their stage, in its group or adopted by us; we never hang on them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence

from handoff_runtime.log import Log
from handoff_runtime.supervisor import watchdog as watchdogs
from handoff_runtime.supervisor.event_loop import IN, EventLoop
from handoff_runtime.supervisor.signals import Signals
from handoff_runtime.supervisor.stage import RunningStage
from handoff_runtime.supervisor.stderr import Stderr
from handoff_runtime.supervisor.watchdog import Watchdog

SignalTarget = tuple[Callable[[int, int], None], int]

QUIET_LINK = 5.0  # a process left behind may go on writing; silent so long, it is ended
QUIET_STDERR = 1.0
KILL_AFTER = 0.5


class Orphans:
    """What the stages leave behind, and its end."""

    def __init__(
        self,
        stages: Sequence[RunningStage],
        poller: EventLoop,
        watchdog: Watchdog,
        log: Log,
        stderr: Stderr,
        grace: float,
    ) -> None:
        self._stages, self._poller, self._watchdog, self._log = stages, poller, watchdog, log
        self._stderr, self._grace = stderr, grace

    def forget_empty_group(self, stage: RunningStage) -> None:
        """Forget a group nothing is left of: its number may soon be a stranger's."""
        if stage.group_left and not watchdogs.is_alive(stage.pid):
            stage.group_left = False
            self._watchdog.remove(stage.pid)

    def check(self, stage: RunningStage) -> None:
        """A process that outlives its stage and keeps its pipes open, silently, is ended."""
        self.forget_empty_group(stage)
        silent, patience = self._silence(stage)
        if self._stderr.paused:  # it is we who do not listen
            stage.last_output = time.monotonic()
        elif silent is not None and not stage.orphans_killed and time.monotonic() - silent > patience:
            stage.orphans_killed = True
            self._log.say(f"stage {stage.name} has ended but left a process that keeps its output open; ending that")
            self._send(stage, signal.SIGTERM)
            self._poller.after(KILL_AFTER, lambda: self._send(stage, signal.SIGKILL))
            self._stderr.close(stage)
            if stage.link is not None:
                stage.link.close()

    def close_pipes(self) -> None:
        """Close what a process out of our reach still holds."""
        for stage in self._stages:
            if stage.link is not None:
                stage.link.close()
        for stage in self._stages:
            self._stderr.close(stage)

    def kill_all(self, reap: Callable[[], None]) -> None:
        """End every process that is left; `reap` waits for those that have ended."""
        reap()
        patience = min(2.0, self._grace * 0.1)
        begun = time.monotonic()
        terminated: set[SignalTarget] = set()
        while (left := self._remaining()) and (waited := time.monotonic() - begun) < 2 * patience:
            for send, number in left - terminated if waited < patience else left:
                send(number, signal.SIGTERM if waited < patience else signal.SIGKILL)
            terminated |= left
            time.sleep(0.01)
            reap()

    def _silence(self, stage: RunningStage) -> tuple[float | None, float]:
        """Since when an ended stage's pipes are open but silent (None: they are not), and how long we bear it."""
        ended = stage.ended or stage.started
        link = stage.link
        if link is not None and link.open:
            return (None if link.idle_since is None else max(link.idle_since, ended)), QUIET_LINK
        if link is None and any(each.running for each in self._stages[stage.index + 1 :]):
            return (ended if stage.group_left else None), self._grace
        return (max(stage.last_output, ended) if stage.stderr >= 0 else None), QUIET_STDERR

    def _send(self, stage: RunningStage, number: int) -> None:
        self.forget_empty_group(stage)
        if stage.group_left:
            watchdogs.signal_group(stage.pid, number)

    def _remaining(self) -> set[SignalTarget]:
        for stage in self._stages:
            self.forget_empty_group(stage)
        groups = {(watchdogs.signal_group, stage.pid) for stage in self._stages if stage.group_left}
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:  # (proc(5)), of any group
                children = [int(pid) for pid in file.read().split()]
        except OSError:
            children = []
        return groups | {(_send_to_child, pid) for pid in children if pid != self._watchdog.pid}


def _send_to_child(pid: int, number: int) -> None:
    """Send a signal to a child, which keeps its number until we wait for it; another user's is left alone."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


STDIN = 0
BLOCK = 4096


def watch_lifeline(poller: EventLoop, signals: Signals) -> None:
    """Take its end as a hangup: the run is to stop."""

    def read(_events: int) -> None:
        try:
            alive = os.read(STDIN, BLOCK)
        except OSError:
            alive = b""
        if not alive:
            poller.ignore(STDIN)
            signals.note(signal.SIGHUP)

    poller.watch(STDIN, IN, read)
