"""Counting rows: a row is a line, and a last line without its newline is one too.

The first megabytes are counted here. What comes after them is shown to `wc -l`, which counts four times as
fast as CPython 3.11 does, on another core; or counted here too, until there are as many Singer records as expected.
"""

from __future__ import annotations

import os

from handoff_runtime.supervisor.event_loop import IN, EventLoop
from handoff_runtime.supervisor.syscalls import Call, pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class RecordCount(Protocol):
        """Counts records, as `collector_stats.Count` does; `rows` so far."""

        @property
        def rows(self) -> int: ...

        def add(self, block: bytes) -> None: ...

        def stats(self) -> dict[str, Any]: ...


NEWLINE = 10
INLINE_LIMIT = 8 << 20
BLOCK = 1 << 18


class RecordCounter:
    """Counts records of Singer messages, SCHEMA, STATE and others left out, until there are as many as `minimum`."""

    def __init__(self, count: RecordCount, minimum: int) -> None:
        self._count, self._minimum = count, minimum
        self.lost = False

    @property
    def enough(self) -> bool:
        """Whether more would change nothing."""
        return self.lost or self._count.rows >= self._minimum

    @property
    def found(self) -> int | None:
        """The records, at least `minimum` or all there were, once the last one has come; None if counting was lost."""
        return None if self.lost else int(self._count.stats()["rows_read"])

    def add(self, block: bytes | memoryview) -> None:
        """Count those in the next part of the messages."""
        if not self.enough:
            self._count.add(bytes(block))


class LineCounter:
    """Counts the lines of what is teed into `fd`; `count` is None once counting was lost. `records` are counted too.

    `done` when every counter has given its number.
    """

    def __init__(self, poller: EventLoop, tee: Call, records: RecordCounter | None = None) -> None:
        self.count: int | None = 0
        self.external = False
        self._poller, self._tee, self._records = poller, tee, records
        self._read, self.fd = pipe()
        self._last_read, self._last_write = os.pipe()
        self._seen = 0
        self._last = NEWLINE
        self._answers: dict[int, bytes] = {}
        self._buffer = bytearray(BLOCK)

    @property
    def done(self) -> bool:
        """Nothing is being counted any more."""
        return self.fd < 0 and not self._answers

    def count_teed(self, count: int) -> None:
        """So many bytes were teed into `fd`."""
        if self.external:
            return
        self._seen += count
        while count > 0:
            size = os.readv(self._read, [self._buffer])
            self._add(self._buffer.count(NEWLINE, 0, size))
            self._last = self._buffer[size - 1]
            if self._records:
                self._records.add(memoryview(self._buffer)[:size])
            count -= size
        if self._seen >= INLINE_LIMIT and (self._records is None or self._records.enough):
            self._start_wc()

    def tee_last_byte(self, source: int) -> None:
        """Note the byte that waits at the head of `source`: it may be the last one of all."""
        try:
            self._tee(source, self._last_write, 1)
        except BlockingIOError:
            self._read_last()
            self._tee(source, self._last_write, 1)

    def mark_unknown(self) -> None:
        """A counter died: no number is better than a wrong one."""
        self.count = None
        if self._records and not self._records.enough:
            self._records.lost = True

    def refresh(self) -> None:
        """Let the present `wc` tell its number, so that the count is up to date, and go on with another."""
        if self.external and self.fd >= 0:
            try:
                read, write = pipe()
            except OSError:  # no descriptor left for now: this one goes on
                return
            os.close(self.fd)
            self._read, self.fd = read, write
            self._start_wc()

    def finish(self) -> None:
        """Nothing more will come."""
        if self.fd < 0:
            return
        os.close(self.fd)
        if self.external:
            self._read_last()
        else:
            os.close(self._read)
        os.close(self._last_read)
        os.close(self._last_write)
        self.fd = -1
        self._add(int(self._last != NEWLINE))

    def _add(self, more: int) -> None:
        self.count = None if self.count is None else self.count + more

    def _read_last(self) -> None:
        os.set_blocking(self._last_read, False)
        try:
            self._last = os.read(self._last_read, BLOCK)[-1]
        except BlockingIOError:
            pass  # nothing since the last look

    def _start_wc(self) -> None:
        """Give the pipe to a `wc -l`; where there is none we go on ourselves."""
        answer = its_answer = -1
        try:
            answer, its_answer = os.pipe()
            os.posix_spawnp(
                "wc",
                ["wc", "-l"],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, self._read, 0), (os.POSIX_SPAWN_DUP2, its_answer, 1)],
                setpgroup=0,  # so that no signal meant for a stage ends the count
            )
        except OSError:
            if answer >= 0:
                os.close(answer)
            if self.external:
                self._read_last()
            self.external, self._seen = False, 0
        else:
            os.close(self._read)
            self.external = True
            self._answers[answer] = b""
            self._poller.watch(answer, IN, lambda _events: self._read_answer(answer))
        finally:
            if its_answer >= 0:
                os.close(its_answer)

    def _read_answer(self, answer: int) -> None:
        text = os.read(answer, 64)
        if text:
            self._answers[answer] += text
            return
        whole = self._answers.pop(answer)
        self._poller.ignore(answer)
        os.close(answer)
        self._add(int(whole)) if whole.strip().isdigit() else self.mark_unknown()
