"""Signals while a task is watched: Ctrl-C on a terminal asks whether to detach from the task or to stop it."""

from __future__ import annotations

import select
import signal
import sys
from dataclasses import dataclass, field
from typing import Literal, TextIO

from handoff_kit import console
from handoff_runtime.signals import STOPPING, Signals
from handoff_runtime.waits import shortened

Wanted = Literal["detach", "stop"]
QUESTION = "\ndetach and leave the task running (d), stop it (s), or keep watching (Enter)? "


@dataclass
class Attention:
    """Pauses that a signal ends; every signal but SIGINT on a terminal detaches. `number` is the signal received."""

    signals: Signals = field(default_factory=Signals)
    answers: TextIO | None = field(default_factory=lambda: sys.stdin)
    number: int = 0

    def pause(self, seconds: float) -> None:
        """Wait for so long, or until a signal comes."""
        if not self.number:
            select.select([self.signals.fd], [], [], shortened(seconds))

    def came(self) -> bool:
        """Whether a signal has come that is not answered yet."""
        self.number = next((number for number in self.signals.take() if number in STOPPING), self.number)
        return bool(self.number)

    def wanted(self) -> Wanted | None:
        """What to do; None where no signal has come, or the answer is to keep watching."""
        if not self.came():
            return None
        answers = self.answers
        is_terminal = answers is not None and not answers.closed and answers.isatty() and sys.stderr.isatty()
        if self.number != signal.SIGINT or answers is None or not is_terminal:
            return "detach"
        answer = self._ask(answers)
        self.number = self.number if answer else 0
        return answer

    @property
    def exit_code(self) -> int:
        """That of a program ended by the signal."""
        return 128 + self.number

    def _ask(self, answers: TextIO) -> Wanted | None:
        """The answer; a second signal, or the end of the input, detaches."""
        console.prompt(QUESTION)
        sources: list[int | TextIO] = [self.signals.fd, answers]
        ready = select.select(sources, [], [])[0]
        if self.signals.fd in ready:
            self.came()
            console.prompt("\n")
            return "detach"
        line = answers.readline()
        word = line.strip().lower()
        if not line or word in ("d", "detach"):
            return "detach"
        return "stop" if word in ("s", "stop") else None
