"""Signals as events: noted when they come, acted on by the loop, never in the middle of something."""

from __future__ import annotations

import os
import signal

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """Catches SIGCHLD and the stopping signals; `fd` becomes readable when one has come.

    A hangup we were started to ignore (nohup) stays ignored.
    """

    def __init__(self) -> None:
        self.fd, self._write = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (*STOPPING, signal.SIGCHLD):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _noted)

    def note(self, number: int) -> None:
        """Take it as if this signal had come."""
        os.write(self._write, bytes([number]))

    def take(self) -> bytes:
        """The numbers of the signals that came since the last call, one byte each (set_wakeup_fd)."""
        try:
            return os.read(self.fd, 4096)
        except BlockingIOError:
            return b""


def _noted(_number: int, _frame: object) -> None:
    """The number is in the wakeup pipe already."""
