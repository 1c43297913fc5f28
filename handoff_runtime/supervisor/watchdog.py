"""The watchdog: a second process that ends the stages if the runtime is killed before it could.

SIGKILL leaves no last word, but the watchdog sees that its parent is another. Which process groups it ends then, it
reads from memory that it shares with the runtime since fork(2): no descriptor leads there, so a stage that writes into
whatever its parent has open changes nothing. (Who may write into /proc/PID/mem may; they may send signals themselves.)
What left its group (setsid) it knows by a mark in the environment, where the system shows that (proc(5)).
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import time
from collections.abc import Mapping

MARK = "HANDOFF_RUN"  # a stage of a run that is itself in a stage has the marks of both
PATIENCE = 2.0
STARTING = 0.5  # time in which a process that is being started has its environment
LOOK = 1000  # milliseconds between two looks where the pipe says nothing
OVER, STARTS, FIRST = 0, 1, 2  # of the numbers in the memory: two flags, then one group after another


class Watchdog:
    """Knows the process groups that must not outlive us, at most `most`; holds `lock` as long as one does.

    `mark` is what the environment of every stage must have as MARK.
    """

    def __init__(self, lock: int, most: int, environ: Mapping[str, str]) -> None:
        own, outer = f"{os.getpid()}-{os.urandom(4).hex()}", environ.get(MARK)
        self.mark = f"{outer}:{own}" if outer else own
        self._numbers = memoryview(mmap.mmap(-1, (FIRST + most) * 8)).cast("q")
        read, self._write = os.pipe()
        runtime = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._write)
            _watch(self._numbers, read, lock, runtime, own.encode())
        os.close(read)

    def expect(self) -> None:
        """A group is about to run."""
        self._numbers[STARTS] = 1

    def add(self, group: int) -> None:
        """It is running, and this is its number."""
        self._numbers[self._index_of(0)] = group
        self._numbers[STARTS] = 0

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


def _watch(numbers: memoryview[int], read: int, lock: int, runtime: int, mark: bytes) -> None:
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
        groups = {group for group in numbers[FIRST:] if group}
        if numbers[OVER] and not groups:
            return
        starts_until = time.monotonic() + STARTING * numbers[STARTS]
        for number, patience in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, 1.0)):
            until = time.monotonic() + patience
            for group in groups:
                signal_group(group, number, session)
            outside = _signal_marked(mark, groups, number)
            while time.monotonic() < until:
                if not any(map(is_alive, groups)) and not any(_is_marked(pid, mark) for pid in outside):
                    outside = _signal_marked(mark, groups, number)
                    if not outside and time.monotonic() > starts_until:
                        return
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


def _signal_marked(mark: bytes, groups: set[int], number: int) -> set[int]:
    """Send a signal to what came from a stage and is in none of these groups, and wake it to hear it; the pids."""
    outside = set[int]()
    for pid in list_processes():
        try:
            if _is_marked(pid, mark) and os.getpgid(pid) not in groups:
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)
                outside.add(pid)
        except (ProcessLookupError, PermissionError):
            continue
    return outside


def _is_marked(pid: int, mark: bytes) -> bool:
    """Whether a process, in whatever session, has the mark (proc(5)); a zombie or another user's shows none."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ, name = file.read(), f"{MARK}=".encode()
    except OSError:
        return False
    values = (entry.removeprefix(name) for entry in environ.split(b"\0") if entry.startswith(name))
    return mark in environ and any(mark in value.split(b":") for value in values)


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
