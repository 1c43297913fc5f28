"""The watchdog: a second process that ends the stages if the runtime is killed before it could.

SIGKILL leaves no last word, but the watchdog sees that its parent is another. Which process groups it ends then, it
reads from memory that it shares with the runtime since fork(2): no descriptor leads there, so a stage that writes into
whatever its parent has open changes nothing. (Who may write into /proc/PID/mem may; they may send signals themselves.)
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import time

PATIENCE = 2.0
STARTING = 0.5  # time in which a process that is being started has its descriptors
LOOK = 1000  # milliseconds between two looks where the pipe says nothing
OVER, EXPECTED, FIRST = 0, 1, 2  # of the numbers in the memory: a flag, an inode, then one group after another


class Watchdog:
    """Knows the process groups that must not outlive us, at most `most`; holds `lock` as long as one does."""

    def __init__(self, lock: int, most: int) -> None:
        self._numbers = memoryview(mmap.mmap(-1, (FIRST + most) * 8)).cast("q")
        read, self._write = os.pipe()
        runtime = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._write)
            _watch(self._numbers, read, lock, runtime)
        os.close(read)

    def expect(self, stderr: int) -> None:
        """A group is about to run whose first process will have this descriptor as its stderr."""
        self._numbers[EXPECTED] = os.fstat(stderr).st_ino

    def add(self, group: int) -> None:
        """It is running, and this is its number."""
        self._numbers[self._index_of(0)] = group
        self._numbers[EXPECTED] = 0

    def remove(self, group: int) -> None:
        """Nothing of this group is left."""
        self._numbers[self._index_of(group)] = 0

    def stop(self) -> None:
        """The run is over: the watchdog ends what was not released, and is waited for."""
        self._numbers[OVER] = 1
        os.close(self._write)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # it was killed, and waited for with the rest

    def _index_of(self, number: int) -> int:
        return self._numbers.tolist().index(number, FIRST)


def _watch(numbers: memoryview[int], read: int, lock: int, runtime: int) -> None:
    """The watchdog's whole life; it keeps no descriptor but the pipe and the lock, so that nobody waits for it."""
    try:
        session = os.getsid(0)
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
        os.dup2(read, 0)
        os.dup2(lock, 1)
        os.closerange(2, 1024)
        _wait(numbers, runtime)
        groups = {group for group in numbers[FIRST:] if group} | _groups_with_stderr(numbers[EXPECTED])
        for number, patience in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, 0)):
            until = time.monotonic() + patience
            for group in groups:
                signal_group(group, number, session)
            while any(is_alive(group) for group in groups) and time.monotonic() < until:
                time.sleep(0.02)
    finally:
        os._exit(0)


def _wait(numbers: memoryview[int], runtime: int) -> None:
    """Until the runtime is gone or dismisses us: it alone can close the pipe, but others may hold and fill it."""
    os.set_blocking(0, False)
    poll = select.poll()
    poll.register(0, select.POLLIN)
    while not numbers[OVER] and os.getppid() == runtime:
        try:
            if poll.poll(LOOK) and not os.read(0, 4096):
                return
        except BlockingIOError:  # somebody else has read it
            pass


def list_processes() -> list[int]:
    """Every process there is (proc(5)); none where the system does not show them."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _groups_with_stderr(inode: int) -> set[int]:
    """The group of a stage that was being started when the runtime was killed, found by its stderr (proc(5))."""
    until = time.monotonic() + STARTING
    found: set[int] = set()
    while inode and not found and time.monotonic() < until:
        for pid in list_processes():
            try:
                if os.readlink(f"/proc/{pid}/fd/2") == f"pipe:[{inode}]" and os.getpgid(pid) == pid:
                    found.add(pid)
            except OSError:
                continue
    return found


def signal_group(group: int, number: int, session: int | None = None) -> None:
    """Send a signal to a process group of ours; one that has ended is no error. A stopped one is woken to hear it."""
    if not is_ours(group, os.getsid(0) if session is None else session):
        return
    for each in (number, signal.SIGCONT):
        try:
            os.killpg(group, each)
        except (ProcessLookupError, PermissionError):
            return


def is_ours(group: int, session: int) -> bool:
    """Whether this is a group of the session in which the runtime started it, and no stranger's that has its number.

    A group never leaves its session, and a stage that begins one (setsid) leaves its group.
    """
    if group <= 1:
        return False
    known = _session(group, group)
    others = (found for pid in list_processes() if (found := _session(pid, group)))
    return (known or next(others, session)) == session


def _session(pid: int, group: int) -> int | None:
    """The session of a process, where it is of this group."""
    try:
        return os.getsid(pid) if os.getpgid(pid) == group else None
    except OSError:
        return None


def is_alive(group: int) -> bool:
    """Whether anything of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
