"""Run a program to its end: its output goes to stderr, its failure becomes a CommandError."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from handoff_kit import console
from handoff_kit.errors import CommandError

NOT_FOUND, NOT_EXECUTABLE = 127, 126
KEPT_LINES, SHOWN_LINES = 200, 20
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # ECMA-48, select graphic rendition


@dataclass(frozen=True)
class OutputPatterns:
    """Patterns of a program's output that name the cause of a failure and the part that failed.

    The error repeats the first match of each. `hints` are pairs of a pattern and the hint for a match.
    """

    causes: Sequence[str] = ()
    failed_parts: Sequence[str] = ()
    hints: Sequence[tuple[str, str]] = ()

    def failure(self, output: str) -> str:
        """The failed part and the cause, each after a colon, as the end of a message."""
        return _first_match(self.failed_parts, output) + _first_match(self.causes, output)

    def hint(self, output: str) -> str | None:
        """The hint of the first pattern that matches."""
        return next((hint for pattern, hint in self.hints if re.search(pattern, output)), None)


def _first_match(patterns: Sequence[str], output: str) -> str:
    """The groups of the first pattern that matches, else the whole match, each after a colon."""
    match = next((match for pattern in patterns if (match := re.search(pattern, output))), None)
    texts = (match.groups() or (match.group(),)) if match else ()
    return "".join(f": {' '.join(text.split())}" for text in texts)


def run_command(
    argv: Sequence[str],
    *,
    cwd: Path,
    purpose: str,
    patterns: OutputPatterns,
    stdin: str | None = None,
    environ: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> None:
    """Run a program with its output copied to stderr; CommandError if it cannot start or does not exit with 0.

    With `log` the output goes to that file too, and a terminal shows a line of progress instead of it.
    """
    is_folded = log is not None and sys.stderr.isatty() and console.can_refresh(os.environ)
    last_lines: deque[bytes] = deque(maxlen=KEPT_LINES)
    with ExitStack() as opened:
        outputs = [last_lines.append, *([_open_log(log, purpose, opened)] if log else [])]
        if is_folded:
            from handoff_kit.live import OutputLine, create_console  # noqa: PLC0415  # rich takes long to import

            view = OutputLine(create_console(os.environ, terminal=True), purpose)
            outputs.append(opened.enter_context(view).update)
        else:
            outputs.append(console.copy_to_stderr)
        process = opened.enter_context(_start(argv, cwd, purpose, environ, has_input=stdin is not None))
        if process.stdin:
            with suppress(BrokenPipeError), process.stdin:  # a program that does not read it says so by its exit
                process.stdin.write((stdin or "").encode())
        for line in process.stdout or ():
            for write in outputs:
                write(line)
    if process.returncode:
        output = COLOUR.sub("", b"".join(last_lines).decode(errors="replace"))
        status = process.returncode
        ended = f"exit {status}" if status > 0 else f"signal {-status}"
        message = f"could not {purpose}: {argv[0]} ended with {ended}{patterns.failure(output)}"
        hint = patterns.hint(output) or f"to repeat it: cd {shlex.quote(str(cwd))} && {shlex.join(argv)}"
        if is_folded:
            console.copy_to_stderr(b"".join([*last_lines][-SHOWN_LINES:]))
            hint += f"; the whole output: less {log}"
        raise CommandError(message, status if status > 0 else 128 - status, hint)


def _start(
    argv: Sequence[str], cwd: Path, purpose: str, environ: Mapping[str, str] | None, *, has_input: bool
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise _start_error(argv, cwd, purpose, error) from error


def _open_log(log: Path, purpose: str, opened: ExitStack) -> Callable[[bytes], object]:
    """What writes a line to a log; a full disk, which the program reports itself, ends it early."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = opened.enter_context(log.open("wb", buffering=0))
    except OSError as error:
        raise CommandError(f"could not {purpose}: {log}: {error.strerror}", NOT_EXECUTABLE) from None

    def write(line: bytes) -> None:
        with suppress(OSError):
            file.write(line)

    return write


def _start_error(argv: Sequence[str], cwd: Path, purpose: str, error: OSError) -> CommandError:
    if not cwd.is_dir():
        return CommandError(f"could not {purpose}: no directory {cwd}", NOT_FOUND)
    if isinstance(error, FileNotFoundError):
        message = f"could not {purpose}: found no program {argv[0]!r}"
        return CommandError(message, NOT_FOUND, f"install {argv[0]}, or put its directory on PATH")
    return CommandError(f"could not {purpose}: {argv[0]}: {error.strerror}", NOT_EXECUTABLE)
