"""A stage that was started: its process, its pipes, and what has become of it so far."""

from __future__ import annotations

import os
import select
import time

from handoff_runtime.meter import Link
from handoff_runtime.outcome import Ending
from handoff_runtime.process import Command, Usage


class Started:
    """One stage; its process group is its pid."""

    def __init__(self, index: int, command: Command, stderr: int) -> None:
        self.index, self.name, self.command, self.stderr = index, command.stage, command, stderr
        self.link: Link | None = None  # behind it, where there is one and it is metered
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
        """Whether it was started and has not ended."""
        return self.pid > 0 and self.ended is None

    @property
    def unread(self) -> bool:
        """Whether nobody reads its stdout any more."""
        return self._mouth_unread() if self.link is None else self.link.left is not None

    def ending(self) -> Ending | None:
        """How it ended, if it has."""
        if self.status is None or self.ended is None:
            return None
        return Ending(self.status, self.ended, self.stopped, self.reader_left)

    def shut(self) -> None:
        """Let the reader have its end of file."""
        if self.mouth >= 0:
            os.close(self.mouth)
            self.mouth = -1

    def _mouth_unread(self) -> bool:
        """Whether the reader of an unmetered stdout has gone: while we hold it too, it is told no end (poll(2))."""
        if self.mouth < 0:
            return False
        poll = select.poll()
        poll.register(self.mouth, 0)
        return bool(poll.poll(0))
