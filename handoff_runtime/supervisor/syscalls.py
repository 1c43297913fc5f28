"""Calls of the Linux kernel that move data without copying it, or None where they do not exist."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from errno import EINTR

from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.supervisor.signals import FIRST_PID

Call = Callable[[int, int, int], int]

PIPE_SIZE = 1 << 20
_F_SETPIPE_SZ = 1031
_PR_SET_CHILD_SUBREAPER = 36


class Calls(NamedTuple):
    """splice(2) and tee(2), never blocking: `call(source, sink, count)` returns the bytes, 0 at the end."""

    splice: Call
    tee: Call


def pipe() -> tuple[int, int]:
    """A pipe of 1 MiB where the kernel grants it (pipe(7): pipe-max-size, pipe-user-pages-soft)."""
    read, write = os.pipe()
    try:
        fcntl.fcntl(write, _F_SETPIPE_SZ, PIPE_SIZE)
    except OSError:
        pass  # a smaller pipe is as correct, only slower
    return read, write


def reopen_for_reading(fd: int) -> int | None:
    """A reading end of its own for a pipe of which we have either end (proc(5)); None where the system gives none."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None


def read_available(fd: int) -> bytes:
    """Everything that is in a pipe now, by either end of it; nothing where only the writing end is there to ask."""
    reopened, data = reopen_for_reading(fd), b""
    read = fd if reopened is None else reopened
    try:
        os.set_blocking(read, False)
        while len(data) < PIPE_SIZE and (part := os.read(read, PIPE_SIZE)):  # a fast writer would never let us end
            data += part
    except OSError:  # nothing more for now, or no reading end
        pass
    if reopened is not None:
        os.close(reopened)
    return data


def find_calls() -> Calls | None:
    """The calls if this kernel has them and lets us use them (a sandbox may not)."""
    if not hasattr(os, "splice"):
        return None

    def splice(source: int, sink: int, count: int) -> int:
        return os.splice(source, sink, count, flags=os.SPLICE_F_NONBLOCK)

    (read, write), (other_read, other_write) = os.pipe(), os.pipe()
    try:
        found = Calls(splice, _tee())
        os.write(write, b"x")
        moved = found.tee(read, other_write, 1), found.splice(read, other_write, 1)
    except (OSError, AttributeError, ImportError):
        return None
    else:
        return found if moved == (1, 1) else None
    finally:
        for fd in (read, write, other_read, other_write):
            os.close(fd)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that they can be found (prctl(2))."""
    if os.getpid() == FIRST_PID:  # they are given to the first process anyway
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError, ImportError):
        pass  # macOS: what leaves its process group is out of our reach


def _tee() -> Call:
    """tee(2), which the os module lacks."""
    import ctypes

    function = ctypes.CDLL(None, use_errno=True).tee
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint)
    function.restype = ctypes.c_ssize_t
    nonblock, errno = os.SPLICE_F_NONBLOCK, ctypes.get_errno

    def tee(source: int, sink: int, count: int) -> int:
        while (copied := function(source, sink, count, nonblock)) < 0:
            if errno() != EINTR:  # a signal came first; os.splice asks again by itself
                raise OSError(errno(), "tee")
        return int(copied)

    return tee
