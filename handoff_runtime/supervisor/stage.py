"""A stage that was started: its process, its pipes, and what has become of it so far."""

from __future__ import annotations

import os
import select
import time

from handoff_runtime.supervisor import syscalls
from handoff_runtime.supervisor.meter import Link
from handoff_runtime.supervisor.outcome import StageExit, UnreadInput
from handoff_runtime.supervisor.process import Command, Usage


class RunningStage:
    """One stage; its process group is its pid."""

    def __init__(self, index: int, command: Command, stderr: int) -> None:
        self.index, self.name, self.command, self.stderr = index, command.stage, command, stderr
        self.link: Link | None = None  # behind it, where there is one and it is metered
        self.stdout_copy = -1  # our copy of an unmetered stdout, to see whether anybody reads it
        self.read_whole = False  # whether its reader is to read to the end of what it writes
        self.stopped_unread = False  # because its reader had ended, though not a byte was left
        self.left_over: int | None = None  # a reading end of an unmetered stdout, for what its reader leaves
        self.unread_input: UnreadInput | None = None
        self.pid = 0
        self.started = time.monotonic()
        self.last_output = self.started
        self.ended: float | None = None
        self.status: int | None = None
        self.usage: Usage | None = None
        self.silent = True  # not a byte on its stderr
        self.stopped = False
        self.reader_left = False
        self.orphans_killed = False
        self.group_left = True

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.pid > 0 and self.ended is None

    @property
    def unread(self) -> bool:
        """Whether nobody reads its stdout any more."""
        if self.link is not None:
            return self.link.reader_left_at is not None
        if self.stdout_copy < 0:
            return False
        poll = select.poll()  # while we hold it too, it has no end of file (poll(2))
        poll.register(self.stdout_copy, 0)
        return bool(poll.poll(0))

    def ending(self) -> StageExit | None:
        """How it ended, if it has."""
        if self.status is None or self.ended is None:
            return None
        return StageExit(self.status, self.ended, self.stopped, self.reader_left, self.unread_input)

    @property
    def deserted(self) -> bool:
        """Whether its reader has gone, be it that all was read so far."""
        return self.unread or (self.link is not None and self.link.deserted)

    def unread_output(self, meter: str) -> UnreadInput | None:
        """What its reader left of its output; None where it read to the end. Call it once all have ended."""
        data = b""
        if self.link is not None:
            data = self.link.left_over()
        elif self.left_over is not None:
            data = syscalls.read_available(self.left_over)
            os.close(self.left_over)
            self.left_over = None
        more = self.stopped_unread or (self.reader_left and self.status != 0)
        if not data and not more:
            return None
        rows = data.count(b"\n") + (data[-1:] not in (b"", b"\n"))
        return UnreadInput(rows if meter == "rows" else None, None if meter == "off" else len(data), more)

    def close_stdout_copy(self) -> None:
        """Let the reader have its end of file."""
        if self.stdout_copy >= 0:
            self.left_over = syscalls.reopen_for_reading(self.stdout_copy) if self.read_whole else None
            os.close(self.stdout_copy)
            self.stdout_copy = -1
