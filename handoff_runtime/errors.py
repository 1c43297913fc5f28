"""Every error a user can cause, one class a kind; each carries the exit code it ends the program with."""

from __future__ import annotations

import errno
import os
import re

OPEN, CLOSE = "\x02", "\x03"
MARKED = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")


def mark_inserted(text: object) -> str:
    """A text from outside, marked as such in a message of ours: `Mask.mask_message` looks at nothing else of it."""
    return f"{OPEN}{str(text).replace(OPEN, '').replace(CLOSE, '')}{CLOSE}"


class HandoffError(Exception):
    """An error for the user: what is wrong, in one line, and a hint with the fix.

    `marked` is the message with its values marked; of one that marks none, all of it. The hint may mark values too.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message = MARKED.sub(r"\1", message)
        super().__init__(self.message)
        self.marked = message if message != self.message else mark_inserted(message)
        self._marked_hint = hint
        self.hint = hint and MARKED.sub(r"\1", hint)

    def for_log(self) -> str:
        """The lines for a log, which masks what is marked in them."""
        return _lines(self.marked, self._marked_hint)

    def __str__(self) -> str:
        return _lines(self.message, self.hint)


def _lines(message: str, hint: str | None) -> str:
    return f"error: {message}" + (f"\nhint: {hint}" if hint else "")


class UsageError(HandoffError):
    """The command line or the environment asks for what does not exist (sysexits.h EX_USAGE)."""

    exit_code = 64


class ResourceError(HandoffError):
    """The system has no descriptor, process or memory left for a run (sysexits.h EX_OSERR)."""

    exit_code = 71


class PipelineError(HandoffError):
    """The pipeline document is not one we can run (sysexits.h EX_CONFIG)."""

    exit_code = 78


class StoreError(HandoffError):
    """Params, files or state cannot be read or written (sysexits.h EX_UNAVAILABLE).

    `passing`: AWS gave no answer, or was too busy for one, so nothing is known of what was called.
    """

    exit_code = 69
    passing = False


class BusyError(HandoffError):
    """Another run of the project is under way (sysexits.h EX_TEMPFAIL)."""

    exit_code = 75


class StartError(HandoffError):
    """A stage's command or its interpreter is not there (127) or not executable (126), as POSIX shells tell it."""

    def __init__(self, stage: str, exit_code: int, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.stage = stage
        self.exit_code = exit_code


SYSTEM_HINTS = {
    errno.EMFILE: "allow more open files: `ulimit -n 4096`",
    errno.ENFILE: "all processes together have too many files open: `cat /proc/sys/fs/file-nr`",
    errno.EAGAIN: "see how many processes and threads are allowed: `ulimit -u`; in a container, its limit of pids",
    errno.ENOMEM: "see how much memory is free: `free -m`; and how much is allowed: `ulimit -v`",
    errno.ENOSPC: "free some space, or some inodes: `df -h .; df -i .`",
    errno.EDQUOT: "free some space, or raise your quota: `quota -s`",
    errno.EFBIG: "allow larger files: `ulimit -f unlimited`",
    errno.EROFS: "the file system is mounted read-only: `findmnt -T .`",
}


def resource_error(error: OSError | MemoryError) -> ResourceError:
    """What the system refused a run in the middle of it, as an error for the user."""
    number = getattr(error, "errno", None) or errno.ENOMEM
    place = getattr(error, "filename", None)
    message = f"the system refused what the run needs: {os.strerror(number)}"
    return ResourceError(f"{message} ({mark_inserted(place)})" if place else message, SYSTEM_HINTS.get(number))
