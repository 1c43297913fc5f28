"""Asking a person before what is not easily undone; never waiting where there is none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from handoff_kit import streams
from handoff_kit.errors import HandoffError, ProjectError

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["ask"]


def ask(question: str, command: str, *, yes: bool, answers: TextIO | None = None, shown: TextIO | None = None) -> None:
    """Go on only with a yes; `command` is what would need no asking."""
    if yes:
        return
    answers = answers or sys.stdin
    if answers is None or answers.closed or not answers.isatty():
        message = f"{command.split()[1]}: {question}: found no terminal to ask on, expected --yes"
        raise ProjectError(message, f"{command} --yes")
    streams.prompt(f"{question}? [y/N] ", shown)
    try:
        answer = answers.readline()
    except KeyboardInterrupt:
        streams.prompt("\n", shown)  # what is said next begins a line of its own
        raise
    if answer.strip().lower() not in ("y", "yes"):
        raise HandoffError("not done: the answer was no")
