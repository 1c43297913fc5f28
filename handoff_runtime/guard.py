"""The guard: a second process that ends the stages if we are killed before we could.

SIGKILL leaves us no last word; the pipe to the guard closes all the same, and whatever process groups it
still knows are then told to end.
"""

from __future__ import annotations

import os
import signal
import time

PATIENCE = 2.0
STARTING = 0.5  # time in which a process that is being started has its descriptors


class Guard:
    """Knows the process groups that must not outlive us; holds `lock` as long as one does."""

    def __init__(self, lock: int) -> None:
        read, self._write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._write)
            _stand_guard(read, lock)
        os.close(read)

    def expect(self, stderr: int) -> None:
        """A group is about to run whose first process will have this descriptor as its stderr."""
        self._tell(f"?{os.fstat(stderr).st_ino}\n")

    def watch(self, group: int) -> None:
        """It is running, and this is its number."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """Nothing of this group is left."""
        self._tell(f"-{group}\n")

    def dismiss(self) -> None:
        """All is over: the guard ends, and is waited for so that nothing of us is left."""
        os.close(self._write)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # it was killed, and waited for with the rest

    def _tell(self, line: str) -> None:
        try:
            os.write(self._write, line.encode())
        except BrokenPipeError:
            pass  # somebody has killed it; the run does not need it to go on


def _stand_guard(read: int, lock: int) -> None:
    """The guard's whole life; it holds no descriptor but the pipe and the lock, so that it keeps nobody waiting."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
        os.dup2(read, 0)
        os.dup2(lock, 1)
        os.closerange(2, 1024)
        groups, expected = _left()
        _end_all(groups | _started(expected))
    finally:
        os._exit(0)


def _left() -> tuple[set[int], int | None]:
    """The groups that are left at the end, and what was expected but never told of (os.fstat, st_ino)."""
    groups: set[int] = set()
    expected = None
    heard = b""
    while more := os.read(0, 4096):
        *lines, heard = (heard + more).split(b"\n")
        for line in lines:
            sign, number = line[:1], int(line[1:])
            expected = number if sign == b"?" else None if sign == b"+" else expected
            if sign != b"?":
                (groups.add if sign == b"+" else groups.discard)(number)
    return groups, expected


def _started(expected: int | None) -> set[int]:
    """The group of a stage we were killed in the middle of starting, found by its stderr (proc(5))."""
    until = time.monotonic() + STARTING
    found: set[int] = set()
    while expected and not found and time.monotonic() < until:
        found = {group for pid in _processes() if (group := _group_with_stderr(pid, expected))}
    return found


def _processes() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _group_with_stderr(pid: str, inode: int) -> int | None:
    try:
        group = os.getpgid(int(pid))
        return group if os.readlink(f"/proc/{pid}/fd/2") == f"pipe:[{inode}]" and group == int(pid) else None
    except OSError:
        return None


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
