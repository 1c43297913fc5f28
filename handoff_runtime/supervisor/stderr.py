"""The stages' stderr: read into the log, no faster than that can take it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from handoff_runtime.log import Log
from handoff_runtime.supervisor.event_loop import IN, OUT, EventLoop
from handoff_runtime.supervisor.stage import RunningStage

READ_SIZE = 1 << 16


class Stderr:
    """The stderr of all stages; nothing is read while the log is full (`paused`)."""

    def __init__(self, stages: Sequence[RunningStage], poller: EventLoop, log: Log) -> None:
        self._stages, self._poller, self._log = stages, poller, log
        self.paused = False

    def listen(self, stage: RunningStage) -> None:
        """Listen to a stage until it closes its stderr."""
        if stage.stderr >= 0:
            self._poller.watch(stage.stderr, IN, lambda _events: self._on_data(stage))

    def close(self, stage: RunningStage) -> None:
        """Listen no more, even where a process still has it open."""
        if stage.stderr >= 0:
            self._poller.ignore(stage.stderr)
            os.close(stage.stderr)
            stage.stderr = -1
            self._log.end(stage.name)

    def throttle(self) -> None:
        """Read no more from the stages than the log can take; write on when it can."""
        if self._log.waiting:
            self._poller.watch(self._log.fd, OUT, self._log.flush)
        else:
            self._poller.ignore(self._log.fd)
        if self._log.full != self.paused:
            self.paused = self._log.full
            for stage in self._stages:
                self._poller.ignore(stage.stderr) if self.paused else self.listen(stage)

    def _on_data(self, stage: RunningStage) -> None:
        data = os.read(stage.stderr, READ_SIZE)
        stage.last_output = time.monotonic()
        if data:
            stage.silent = False
            self._log.feed(stage.name, data)
        else:
            self.close(stage)
