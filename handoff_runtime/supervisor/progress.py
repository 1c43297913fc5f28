"""Figures of a run for the process that started it: one JSON line every so often, on a descriptor.

When nobody holds the other end any more, that process is gone, and the run is to stop.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence

from handoff_runtime.supervisor.event_loop import EventLoop
from handoff_runtime.supervisor.signals import Signals
from handoff_runtime.supervisor.supervisor import StageFigures


class Progress:
    """Writes the figures; a line nobody reads in time is left out, never waited for."""

    def __init__(self, fd: int, poller: EventLoop, signals: Signals) -> None:
        self._fd: int | None = fd
        self._poller, self._signals = poller, signals
        self._rest = b""
        os.set_inheritable(fd, False)
        os.set_blocking(fd, False)
        poller.watch(fd, 0, self._watcher_gone)

    def write(self, figures: Sequence[StageFigures]) -> None:
        """Send one line."""
        if self._fd is None:
            return
        now = time.monotonic()
        stages = [
            {
                "name": stage.name,
                "exit": None if stage.ending is None else stage.ending.status,
                "seconds": round((stage.ended or now) - stage.started, 2),
                "rows": stage.rows_out if stage.rows_out is not None else stage.rows_in,
                "bytes": stage.bytes_out if stage.bytes_out is not None else stage.bytes_in,
            }
            for stage in figures
        ]
        line = json.dumps({"stages": stages}) + "\n"
        data = self._rest or line.encode()  # what is left of a line goes before a new one
        try:
            self._rest = data[os.write(self._fd, data) :]
        except BlockingIOError:
            pass
        except OSError:
            self._watcher_gone(0)

    def _watcher_gone(self, _events: int) -> None:
        if self._fd is not None:
            self._poller.ignore(self._fd)
            self._fd = None
            self._signals.note(signal.SIGHUP)
