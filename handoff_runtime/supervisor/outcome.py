"""Whether a run succeeded, and which stage is to blame: one pure rule over how every stage ended.

POSIX shells look at the last exit only; `pipefail` at the last failing one. Here the first failure in time
is the cause and what follows from it is a consequence.
"""

from __future__ import annotations

import signal as signals
from collections.abc import Sequence

from handoff_runtime.namedtuple import NamedTuple

OK, FAILED, CONSEQUENCE, NOT_NEEDED, STOPPED = "ok", "failed", "consequence", "not needed", "stopped"
EXIT_KILLED = 128 + signals.SIGKILL
EXIT_UNREAD = EXIT_TOO_FEW_ROWS = 65  # sysexits.h EX_DATAERR


class UnreadInput(NamedTuple):
    """What a stage left of its input, as far as it was counted; `more` when its writer had not ended by then."""

    rows: int | None
    bytes: int | None
    more: bool


class StageExit(NamedTuple):
    """How one stage ended.

    `status` as in subprocess (negative: the signal); `ended` in seconds of one clock;
    `stopped` when we had stopped it before it ended; `reader_left` when its reader had gone before it ended;
    `unread` when it ended before its input did, of a stage that is to read all of it.
    """

    status: int
    ended: float
    stopped: bool = False
    reader_left: bool = False
    unread: UnreadInput | None = None


class Outcome(NamedTuple):
    """`word` is succeeded, failed or stopped; `verdicts` has one word a stage; `culprit` is an index."""

    word: str
    exit: int
    verdicts: tuple[str, ...]
    culprit: int | None = None


def decide(endings: Sequence[StageExit], signal: int | None = None) -> Outcome:
    """Judge a pipeline that has ended; `signal` is the one that made us stop it, if any."""
    verdicts: tuple[str, ...] = ()
    for ending in reversed(endings):  # since what a stage's end means depends on its readers'
        readers_fine = all(verdict in (OK, NOT_NEEDED) for verdict in verdicts)
        verdicts = (_verdict(ending, last=not verdicts, readers_fine=readers_fine), *verdicts)
    failed = [index for index, verdict in enumerate(verdicts) if verdict == FAILED]
    if signal is not None:
        return Outcome("stopped", 128 + signal, verdicts)
    if not failed:
        return Outcome("succeeded", 0, verdicts)
    first = min(failed, key=lambda index: (endings[index].ended, -index))
    blamed = tuple(
        CONSEQUENCE if verdict == FAILED and index != first else verdict for index, verdict in enumerate(verdicts)
    )
    return Outcome("failed", exit_code(endings[first].status) or EXIT_UNREAD, blamed, first)


def exit_code(status: int) -> int:
    """A status as the shell's `$?`: 128 + N for a death by signal N."""
    return status if status >= 0 else 128 - status


def describe(ending: StageExit, why_killed: str | None = None) -> str:
    """How a stage failed, in words; `why_killed` where the kernel killed it for memory."""
    status = ending.status
    if (unread := ending.unread) and status == 0:
        rows = None if unread.rows is None else f"{unread.rows:,} row{'' if unread.rows == 1 else 's'}"
        size = f"{unread.bytes:,} bytes" if unread.bytes else None
        counted = f"{rows} ({size})" if rows and size else size
        at_least = "at least " if unread.more else ""
        what = f"{at_least}{counted} were left unread" if counted else "not all of it was read"
        return f"ended with exit 0 before its input was at its end: {what}"
    if why_killed:
        return f"was killed for memory: {why_killed}"
    if status >= 0:
        return f"ended with exit {status}"
    return f"was ended by {signal_name(-status)}" + (" (out of memory?)" if status == -signals.SIGKILL else "")


def signal_name(number: int) -> str:
    """A signal's name, or its number where it has none."""
    return {signal.value: signal.name for signal in signals.Signals}.get(number, f"signal {number}")


def _verdict(ending: StageExit, *, last: bool, readers_fine: bool) -> str:
    if ending.status == 0:
        return FAILED if ending.unread and not ending.stopped else OK
    if ending.stopped:
        return NOT_NEEDED if readers_fine and not last else STOPPED
    if not last and ending.reader_left:
        return NOT_NEEDED if readers_fine else CONSEQUENCE
    return FAILED
