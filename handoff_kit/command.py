"""One program, run to its end: its output goes to our stderr, its failure becomes a CommandError."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from handoff_kit import console
from handoff_kit.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Saying", "run"]

NOT_FOUND, NOT_EXECUTABLE = 127, 126
KEPT_LINES = 200
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # ECMA-48, select graphic rendition


@dataclass(frozen=True)
class Saying:
    """What of a program's words is worth repeating: patterns of the cause, of the part that failed, of remedies."""

    causes: Sequence[str] = ()
    where: Sequence[str] = ()
    hints: Sequence[tuple[str, str]] = ()

    def of(self, tail: str) -> str:
        """The part and the cause that the words name, as they end an error's message."""
        return _first(self.where, tail) + _first(self.causes, tail)

    def hint(self, tail: str) -> str | None:
        """The first remedy whose pattern is found."""
        return next((hint for pattern, hint in self.hints if re.search(pattern, tail)), None)


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    purpose: str,
    env: Mapping[str, str] | None = None,
    saying: Saying | None = None,
    given: str | None = None,
) -> None:
    """Run it, `given` on its stdin; raise CommandError when it cannot start or does not end with 0."""
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise _cannot_start(argv, cwd, purpose, error) from error
    with process:
        _give(process.stdin, given or "")
        tail = _pass_on(process.stdout) if process.stdout else ""
    if process.returncode:
        raise _failed(argv, cwd, purpose, process.returncode, saying or Saying(), tail)


def _give(stream: IO[bytes] | None, text: str) -> None:
    """Hand a program its input; one that does not want it says so by its exit."""
    if stream:
        with suppress(BrokenPipeError), stream:
            stream.write(text.encode())


def _pass_on(stream: IO[bytes]) -> str:
    """Copy what a program says to our stderr as it comes; its end is given back, without its colours."""
    kept: deque[bytes] = deque(maxlen=KEPT_LINES)
    for line in stream:
        console.pass_on(line)
        kept.append(line)
    return COLOUR.sub("", b"".join(kept).decode(errors="replace"))


def _first(telling: Sequence[str], tail: str) -> str:
    """What the first pattern that fits has found: its groups where it has some, else the whole."""
    found = next((match for pattern in telling if (match := re.search(pattern, tail))), None)
    return ": ".join(" ".join(text.split()) for text in ("", *(found.groups() or (found.group(),)))) if found else ""


def _cannot_start(argv: Sequence[str], cwd: Path, purpose: str, error: OSError) -> CommandError:
    if not cwd.is_dir():
        return CommandError(f"could not {purpose}: no directory {cwd}", NOT_FOUND)
    if isinstance(error, FileNotFoundError):
        message = f"could not {purpose}: found no program {argv[0]!r}"
        return CommandError(message, NOT_FOUND, f"install {argv[0]}, or put its directory on PATH")
    return CommandError(f"could not {purpose}: {argv[0]}: {error.strerror}", NOT_EXECUTABLE)


def _failed(  # noqa: PLR0917  # what was run, and how it went
    argv: Sequence[str], cwd: Path, purpose: str, status: int, saying: Saying, tail: str
) -> CommandError:
    how = f"exit {status}" if status > 0 else f"signal {-status}"
    message = f"could not {purpose}: {argv[0]} ended with {how}{saying.of(tail)}"
    repeat = f"to repeat it: cd {shlex.quote(str(cwd))} && {shlex.join(argv)}"
    return CommandError(message, status if status > 0 else 128 - status, saying.hint(tail) or repeat)
