"""Links: what joins two stages, and counts what passes, without Python touching the data.

With the meter off a link is one kernel pipe. Else it is two, the writer's and the reader's: splice(2) moves
pages from one to the other, and tee(2) shows them to a row counter on the way. Where these calls do not
exist a plain copy does it.
"""

from __future__ import annotations

import os
import time

from handoff_runtime.supervisor import syscalls
from handoff_runtime.supervisor.event_loop import IN, OUT, EventLoop
from handoff_runtime.supervisor.line_count import NEWLINE, LineCounter, RecordCounter
from handoff_runtime.supervisor.syscalls import PIPE_SIZE, Calls

CHUNK = 1 << 16


class Splice:
    """Counts bytes, and rows where there is a counter: shows the pages to it, then moves them from pipe to pipe.

    `waits` is the descriptor to wait for before the next step; `ended` once the source has ended; `held` is what was
    taken from the source and is not in the sink yet.
    """

    held = b""

    def __init__(self, source: int, sink: int, calls: Calls, counter: LineCounter | None) -> None:
        self.waits, self.ended = source, False
        self.source, self.sink, self._calls, self._counter = source, sink, calls, counter
        self._teed = 0

    @property
    def rows(self) -> int | None:
        """Rows so far; None when they are not counted."""
        return self._counter.count if self._counter else None

    @property
    def counted(self) -> bool:
        """Whether the count is final."""
        return self._counter is None or self._counter.done

    def step(self) -> int:
        """Move what can be moved and return how many bytes; BrokenPipeError when the reader has gone."""
        counter = self._counter
        if counter is None or counter.count is None:
            return self._move_uncounted()
        try:
            teed = self._teed > 0 or self._tee(counter)
        except BrokenPipeError:
            counter.mark_unknown()
            return self._move_uncounted()
        if not teed:
            return 0
        moved = self._move(counter)
        self.waits = self.sink if self._teed else self.source
        return moved

    def finish(self) -> None:
        """Close the counter's pipe; its number comes later."""
        if self._counter:
            self._counter.finish()

    def refresh(self) -> None:
        """Have the counter give its number, unless we wait for it: its descriptor must stay what it is."""
        if self._counter and self.waits != self._counter.fd:
            self._counter.refresh()

    def _tee(self, counter: LineCounter) -> bool:
        """Show what waits at the source; when blocked on a source that is ready it is the counter that is full."""
        try:
            self._teed = self._calls.tee(self.source, counter.fd, PIPE_SIZE)
        except BlockingIOError:
            self.waits = counter.fd if self.waits == self.source else self.source
            return False
        self.ended = self._teed == 0
        counter.count_teed(self._teed)
        return not self.ended

    def _move(self, counter: LineCounter) -> int:
        """Move what was shown; while `wc` counts, and that only newlines, look at the last byte alone."""
        before, external = self._teed, counter.external
        try:
            if external and self._teed > 1:
                self._splice(self._teed - 1)
            if external and self._teed == 1:
                counter.tee_last_byte(self.source)
            if self._teed == 1 or not external:
                self._splice(self._teed)
        except BlockingIOError:
            pass
        return before - self._teed

    def _splice(self, count: int) -> None:
        self._teed -= self._calls.splice(self.source, self.sink, count)

    def _move_uncounted(self) -> int:
        """Move a pipeful; when blocked on a source that is ready it is the sink that is full."""
        try:
            moved = self._calls.splice(self.source, self.sink, PIPE_SIZE)
        except BlockingIOError:
            self.waits = self.sink if self.waits == self.source else self.source
            return 0
        self.waits, self.ended = self.source, moved == 0
        return moved


class Copy:
    """Counts rows and bytes by reading and writing: for macOS, and where a sandbox forbids splice(2)."""

    counted = True

    def __init__(self, source: int, sink: int, *, count_rows: bool, records: RecordCounter | None = None) -> None:
        self._records = records
        self.waits, self.ended = source, False
        self.rows: int | None = 0 if count_rows else None
        self.source, self.sink = source, sink
        self.held: bytes | memoryview = b""
        self._last = NEWLINE
        os.set_blocking(sink, False)

    def step(self) -> int:
        """Read a chunk if none is held; write what the sink takes of it."""
        if not self.held:
            chunk = os.read(self.source, CHUNK)
            self.ended = not chunk
            if self.ended:
                return 0
            if self.rows is not None:
                self.rows += chunk.count(b"\n")
                self._last = chunk[-1]
            if self._records:
                self._records.add(chunk)
            self.held = memoryview(chunk)
        try:
            moved = os.write(self.sink, self.held)
        except BlockingIOError:
            moved = 0
        self.held = self.held[moved:]
        self.waits = self.sink if self.held else self.source
        return moved

    def finish(self) -> None:
        """Count a last line without its newline."""
        if self.rows is not None:
            self.rows += int(self._last != NEWLINE)
            self._last = NEWLINE

    def refresh(self) -> None:
        """The count is always up to date."""


def create_mover(
    meter: str, source: int, sink: int, calls: Calls | None, poller: EventLoop, records: RecordCounter | None = None
) -> Splice | Copy:
    """The mover for this meter mode (`rows` or `bytes`) and what the kernel offers; with `rows` it counts `records`."""
    if calls is None:
        return Copy(source, sink, count_rows=meter == "rows", records=records)
    return Splice(source, sink, calls, LineCounter(poller, calls.tee, records) if meter == "rows" else None)


class Link:
    """A metered link between two stages: the bytes and rows so far, and who has left.

    `reader_left_at` is when the reader was found gone (seconds, monotonic); `idle_since` is when the link began to
    wait for its writer, None while there is something to move.
    With `read_whole` the reader is to read all. What it leaves in the pipes is counted, and a writer of which it left
    nothing is not cut off: it may be about to end.
    """

    def __init__(self, mover: Splice | Copy, poller: EventLoop, *, read_whole: bool = False) -> None:
        self.bytes, self.open, self.deserted = 0, True, False
        self._read_whole, self._unread = read_whole, b""
        self._left_over: int | None = None
        self.reader_left_at: float | None = None
        self.idle_since: float | None = time.monotonic()
        self._source, self._sink, self._mover, self._poller = mover.source, mover.sink, mover, poller
        self._waits = mover.source
        self._watch()

    @property
    def rows(self) -> int | None:
        """Rows so far, or None."""
        return self._mover.rows

    @property
    def done(self) -> bool:
        """Closed, and every row counted."""
        return not self.open and self._mover.counted

    def refresh(self) -> None:
        """Bring the rows up to date, where a counter of its own has them."""
        if self.open:
            self._mover.refresh()

    def close(self) -> None:
        """Close both ends: the writer learns it by EPIPE, the reader by end of file."""
        if self.open:
            self.open = False
            self._poller.ignore(self._waits)
            self._close_sink()
            os.close(self._source)
            self._mover.finish()

    def left_over(self) -> bytes:
        """What the reader left in the pipes; call it once the reader has ended."""
        if self._left_over is not None:
            self._unread += syscalls.read_available(self._left_over)
            os.close(self._left_over)
            self._left_over = None
        return self._unread

    def _close_sink(self) -> None:
        """Let the reader have its end of file; what it does not read then is seen by an end of our own."""
        if self._sink >= 0:
            if self._read_whole and self.reader_left_at is None:
                self._left_over = syscalls.reopen_for_reading(self._sink)
            self._poller.ignore(self._sink)
            os.close(self._sink)
            self._sink = -1

    def _watch(self) -> None:
        """Wait at one place; errors of the sink always come: they say that the reader has gone."""
        if self._waits not in (self._sink, self._mover.waits):
            self._poller.ignore(self._waits)
        self._waits = self._mover.waits
        self._poller.watch(self._sink, OUT if self._waits == self._sink else 0, self._sink_ready)
        if self._waits != self._sink:
            self._poller.watch(self._waits, IN if self._waits == self._source else OUT, self._step)

    def _sink_ready(self, events: int) -> None:
        if events & ~OUT:
            self._reader_left()
        else:
            self._step(events)

    def _step(self, _events: int) -> None:
        try:
            moved = self._mover.step()
        except BrokenPipeError:
            self._reader_left()
            return
        self.bytes += moved
        if self._mover.ended:
            self.close()
            return
        if self._mover.waits != self._source:
            self.idle_since = None
        elif moved or self.idle_since is None:
            self.idle_since = time.monotonic()
        self._watch()

    def _reader_left(self) -> None:
        if self._read_whole:
            self._unread = (
                syscalls.read_available(self._sink) + bytes(self._mover.held) + syscalls.read_available(self._source)
            )
            if not self._unread:  # the writer will show whether that was all
                self.deserted, self.idle_since = True, time.monotonic()
                self._poller.ignore(self._waits)
                self._close_sink()
                self._waits = self._source
                self._poller.watch(self._source, IN, self._writer_shows)
                return
        self.reader_left_at = time.monotonic()
        self.close()

    def _writer_shows(self, _events: int) -> None:
        self._unread += syscalls.read_available(self._source)
        self.reader_left_at = time.monotonic() if self._unread else None
        self.close()
