"""The lifeline: our standard input, which stays open as long as the process that started us lives.

In a container no descriptor but the standard ones leads outside, and the one who reads our output is the
container engine, which does not go when the caller goes. The end of standard input is what reaches us then.
"""

from __future__ import annotations

import os
import signal

from handoff_runtime.poller import IN, Poller
from handoff_runtime.signals import Signals

STDIN = 0
BLOCK = 4096


def watch(poller: Poller, signals: Signals) -> None:
    """Take its end as a hangup: the run is to stop."""

    def read(_events: int) -> None:
        try:
            alive = os.read(STDIN, BLOCK)
        except OSError:
            alive = b""
        if not alive:
            poller.ignore(STDIN)
            signals.note(signal.SIGHUP)

    poller.watch(STDIN, IN, read)
