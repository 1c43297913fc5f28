"""One poll(2) for everything a run waits for: pipes, signals, and the next point in time."""

from __future__ import annotations

import heapq
import select
import time
from collections.abc import Callable

IN, OUT, ERR = select.POLLIN, select.POLLOUT, select.POLLERR


class EventLoop:
    """File descriptors and the functions to call when they are ready; times and the functions then due."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: dict[int, tuple[int, Callable[[int], None]]] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0

    def watch(self, fd: int, events: int, ready: Callable[[int], None]) -> None:
        """Call `ready(events)` when one comes; with `events` 0, errors still come (poll(2))."""
        if self._watched.get(fd) != (events, ready):
            self._poll.register(fd, events)
            self._watched[fd] = (events, ready)

    def ignore(self, fd: int) -> None:
        """Watch this descriptor no more; to be said before it is closed."""
        if self._watched.pop(fd, None):
            self._poll.unregister(fd)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act()` once, so many seconds from now."""
        self._order += 1
        heapq.heappush(self._due, (time.monotonic() + seconds, self._order, act))

    def turn(self) -> None:
        """Wait until something is ready or due, and call what belongs to it."""
        # Milliseconds until the next due time, never a little too early.
        timeout = max(0.0, (self._due[0][0] - time.monotonic()) * 1000 + 1) if self._due else None
        ready = [(fd, events, self._watched[fd]) for fd, events in self._poll.poll(timeout)]
        for fd, events, watched in ready:
            if self._watched.get(fd) is watched:  # not another one that was given its number since
                watched[1](events)
        while self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()
