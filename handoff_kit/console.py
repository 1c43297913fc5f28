"""Standard output, standard error and the terminal: data to stdout, progress and questions to stderr.

Everything written to a terminal passes handoff_runtime.terminal, which removes escape sequences.
"""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TextIO, TypeVar

from handoff_kit.errors import ProjectError
from handoff_runtime.errors import HandoffError
from handoff_runtime.terminal import safe_bytes, safe_text

Say = Callable[[str], None]
"""Prints a line of progress; print_progress, or the double of a test."""
Items_contra = TypeVar("Items_contra", contravariant=True)

STDERR = 2
DUMB = ("", "dumb", "unknown")


class View(Protocol[Items_contra]):
    """Shows something in progress: as a table that is redrawn on a terminal, as lines elsewhere."""

    def update(self, items: Items_contra) -> None:
        """Show the current state, or what is new."""


def print_progress(text: str) -> None:
    """Write a line to stderr: progress, notes, hints, the next command."""
    try:
        print(safe_text(text), file=sys.stderr, flush=True)  # noqa: T201  # progress goes to stderr
    except BrokenPipeError:
        redirect_to_devnull(sys.stderr)


def print_output(text: str) -> None:
    """Write text for a person to stdout: a table, a listing, lines of a log."""
    _write(safe_text(text))


def print_data(text: str) -> None:
    """Write stored data to stdout: unchanged, unless stdout is a terminal."""
    _write(safe_text(text) if sys.stdout.isatty() else text)


def _write(text: str) -> None:
    """Write UTF-8 in every locale; exit with 141, as a shell reports SIGPIPE, if the reader has closed stdout."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair, from a record for example
        data = text.encode("utf-8", "backslashreplace")
    try:
        while data:  # with PYTHONUNBUFFERED one write takes a part of it
            data = data[sys.stdout.buffer.write(data) :]
        sys.stdout.flush()
    except BrokenPipeError:
        redirect_to_devnull(sys.stdout)
        raise SystemExit(128 + signal.SIGPIPE) from None


def copy_to_stderr(data: bytes) -> None:
    """Copy another program's output to stderr."""
    os.write(STDERR, safe_bytes(data))


def prompt(text: str, stream: TextIO | None = None) -> None:
    """Write a question to stderr; the cursor stays behind it."""
    stream = stream or sys.stderr
    stream.write(safe_text(text))
    stream.flush()


def discard_typed_ahead(answers: TextIO) -> None:
    """Discard what was typed on a terminal before a question is printed: it cannot be the answer."""
    with suppress(OSError, termios.error):  # no file, or the terminal was closed
        termios.tcflush(answers, termios.TCIFLUSH)


def confirm(
    question: str, command: str, *, yes: bool, answers: TextIO | None = None, stream: TextIO | None = None
) -> None:
    """Ask a question; HandoffError unless the answer is yes. `command` is what the hint appends --yes to."""
    if yes:
        return
    if not has_terminal(answers):
        message = f"{command.split()[1]}: {question}: needs --yes without a terminal"
        raise ProjectError(message, f"{command} --yes")
    if _ask(f"{question}? [y/N] ", answers, stream) not in ("y", "yes"):
        raise HandoffError("not done: the answer was no")


def choose(question: str, choices: Sequence[str], answers: TextIO | None = None, stream: TextIO | None = None) -> str:
    """The choice that a terminal answers with, by its name or its beginning; the last one for any other answer."""
    *others, last = choices
    answer = _ask(f"{question}? [{'/'.join(others)}/{last.upper()}] ", answers, stream)
    return next((choice for choice in others if answer and choice.startswith(answer)), last)


def has_terminal(answers: TextIO | None = None) -> bool:
    """Whether somebody can answer."""
    answers = answers or sys.stdin
    return answers is not None and not answers.closed and answers.isatty()


def _ask(text: str, answers: TextIO | None, stream: TextIO | None) -> str:
    answers = answers or sys.stdin
    discard_typed_ahead(answers)
    prompt(text, stream)
    try:
        return answers.readline().strip().lower()
    except KeyboardInterrupt:
        prompt("\n", stream)  # so that the next message starts on a new line
        raise


def can_refresh(environ: Mapping[str, str]) -> bool:
    """Whether the terminal can redraw lines, outside of CI."""
    in_ci = environ.get("CI", "").lower() not in ("", "0", "false")
    return not in_ci and environ.get("TERM", "").lower() not in DUMB


def redirect_to_devnull(stream: TextIO) -> None:
    """Send further and buffered output to /dev/null.

    Otherwise Python would flush into the closed pipe at exit, print a traceback and exit with 120.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
