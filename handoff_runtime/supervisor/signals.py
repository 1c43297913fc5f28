"""Signals as events: noted when they come, acted on by the loop, never in the middle of something."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FIRST_PID = 1  # the pid of a container's first process


def end_on_signal() -> None:
    """Until we listen ourselves, end at a stopping signal: at once, without a traceback.

    What the first process of a container does not catch the kernel keeps from it (pid_namespaces(7)); so
    there we catch, and end with the exit code a shell would tell.
    """
    if os.getpid() != FIRST_PID:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        return

    def end(number: int, _frame: object) -> None:
        os._exit(128 + number)

    for number in _not_ignored(STOPPING):
        signal.signal(number, end)


def _not_ignored(numbers: Iterable[signal.Signals]) -> Iterable[signal.Signals]:
    """All but a hangup we were started to ignore (nohup)."""
    return (each for each in numbers if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN)


class Signals:
    """Catches SIGCHLD and the stopping signals; `fd` becomes readable when one has come.

    What the pipe behind `fd` holds only wakes us: a stage of our user may write into it (proc(5), /proc/PID/fd).
    A hangup we were started to ignore (nohup) stays ignored. `stopping_since` is when (monotonic) the first
    stopping one was taken, and so when the grace time began.
    """

    def __init__(self) -> None:
        self.stopping_since: float | None = None
        self._noted: list[int] = []
        self.fd, self._write = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in _not_ignored((*STOPPING, signal.SIGCHLD)):
            signal.signal(number, lambda number, _frame: self._noted.append(number))

    def note(self, number: int) -> None:
        """Take it as if this signal had come."""
        self._noted.append(number)
        try:
            os.write(self._write, bytes([number]))
        except BlockingIOError:
            pass  # it is full, and so wakes us all the same

    def take(self) -> bytes:
        """The numbers of the signals that came since the last call, one byte each."""
        try:
            os.read(self.fd, 4096)
        except BlockingIOError:
            pass
        taken = bytes(self._noted)
        del self._noted[: len(taken)]
        if self.stopping_since is None and any(number in STOPPING for number in taken):
            self.stopping_since = time.monotonic()
        return taken
