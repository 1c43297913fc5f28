"""Overlap: what becomes of a run while another one of its project is under way."""

from __future__ import annotations

import time
from collections.abc import Callable

from handoff_runtime.annotations import Any
from handoff_runtime.errors import BusyError
from handoff_runtime.supervisor import outcome
from handoff_runtime.supervisor.signals import STOPPING, Signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Lock = TypeVar("Lock")


FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between two looks


class RunDeclined(Exception):  # noqa: N818  # no error: `overlap: skip`, or a signal
    """The run was given up before it began: skipped, or stopped while it waited. `fields` complete its record."""

    def __init__(self, word: str, exit_code: int, reason: str) -> None:
        super().__init__(reason)
        self.exit_code = exit_code
        self.fields: dict[str, Any] = {"outcome": word, "exit": exit_code, "reason": reason}


def acquire(mode: str, lock: Callable[[], Lock], signals: Signals, say: Callable[[str], None]) -> Lock:
    """Take the lock; where another run has it: fail (BusyError), skip (RunDeclined), or wait for it."""
    pause = FIRST_PAUSE
    while True:
        try:
            return lock()
        except BusyError as busy:
            if mode == "fail":
                raise
            if mode == "skip":
                say(f"skipped: {busy.message}")
                raise RunDeclined("skipped", 0, busy.message) from None
            if pause == FIRST_PAUSE:
                say(f"waiting: {busy.message}")
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0:
            for number in signals.take():
                if number in STOPPING:
                    raise RunDeclined(
                        "stopped", 128 + number, f"stopped by {outcome.signal_name(number)} while it waited"
                    )
            time.sleep(min(left, FIRST_PAUSE))
        pause = min(LONGEST_PAUSE, 2 * pause)
