"""The guard: a second process that ends the stages if we are killed before we could.

SIGKILL leaves us no last word; the pipe to the guard closes all the same, and whatever process groups it
still knows are then told to end.
"""

from __future__ import annotations

import os
import signal
import time

PATIENCE = 2.0


class Guard:
    """Knows the process groups that must not outlive us."""

    def __init__(self) -> None:
        read, self._write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._write)
            _stand_guard(read)
        os.close(read)

    def watch(self, group: int) -> None:
        """This group is running."""
        os.write(self._write, f"+{group}\n".encode())

    def release(self, group: int) -> None:
        """Nothing of this group is left."""
        os.write(self._write, f"-{group}\n".encode())

    def dismiss(self) -> None:
        """All is over: the guard ends, and is waited for so that nothing of us is left."""
        os.close(self._write)
        os.waitpid(self.pid, 0)


def _stand_guard(read: int) -> None:
    """The guard's whole life; it holds no descriptor but the pipe, so that it keeps nobody waiting."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
        os.dup2(read, 0)
        os.closerange(1, 256)
        _end_all(_groups_left())
    finally:
        os._exit(0)


def _groups_left() -> set[int]:
    groups: set[int] = set()
    heard = b""
    while more := os.read(0, 4096):
        *lines, heard = (heard + more).split(b"\n")
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    return groups


def _end_all(groups: set[int]) -> None:
    for number, patience in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, 0)):
        until = time.monotonic() + patience
        for group in groups:
            send(group, number)
        while any(alive(group) for group in groups) and time.monotonic() < until:
            time.sleep(0.02)


def send(group: int, number: int) -> None:
    """Send a signal to a process group; one that has ended is no error. A stopped one is woken to hear it."""
    for each in (number, signal.SIGCONT):
        try:
            os.killpg(group, each)
        except (ProcessLookupError, PermissionError):
            return


def alive(group: int) -> bool:
    """Whether anything of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
