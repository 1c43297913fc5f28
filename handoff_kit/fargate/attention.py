"""What whoever started us wants while we wait: signals as events, and on a terminal the question what one means."""

from __future__ import annotations

import select
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from handoff_kit import streams
from handoff_runtime.signals import STOPPING, Signals
from handoff_runtime.waits import shortened

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["Attention", "Wanted"]

Wanted = Literal["detach", "stop"]
QUESTION = "\ndetach from the task, which goes on (d), stop it (s), or go on watching (Enter)? "


@dataclass
class Attention:
    """Pauses that end when a signal comes; SIGINT is a question where there is a terminal, all else means: detach."""

    signals: Signals = field(default_factory=Signals)
    answers: TextIO | None = field(default_factory=lambda: sys.stdin)
    number: int = 0

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until a signal comes."""
        if not self.number:
            select.select([self.signals.fd], [], [], shortened(seconds))

    def came(self) -> bool:
        """Whether a stopping signal has come since it was last answered."""
        self.number = next((number for number in self.signals.take() if number in STOPPING), self.number)
        return bool(self.number)

    def wanted(self) -> Wanted | None:
        """What is wanted; None where no signal has come, or it was a mistake."""
        if not self.came():
            return None
        if self.number != signal.SIGINT or not self._asks():
            return "detach"
        wanted = self._asked()
        self.number = self.number if wanted else 0
        return wanted

    @property
    def exit_code(self) -> int:
        """As of a program that the signal ended."""
        return 128 + self.number

    def _asks(self) -> bool:
        there = self.answers is not None and not self.answers.closed
        return bool(there and self.answers and self.answers.isatty() and sys.stderr.isatty())

    def _asked(self) -> Wanted | None:
        """The answer; a second signal, or a terminal that is gone, means: detach."""
        streams.prompt(QUESTION)
        answers = self.answers or sys.stdin
        ready = select.select([self.signals.fd, answers], [], [])[0]
        if self.signals.fd in ready:
            self.came()
            streams.prompt("\n")
            return "detach"
        line = answers.readline()
        word = line.strip().lower()
        if not line or word in ("d", "detach"):
            return "detach"
        return "stop" if word in ("s", "stop") else None
