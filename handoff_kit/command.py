"""One program, run to its end: its output goes to our stderr, its failure becomes a CommandError."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections import deque
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from handoff_kit.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["run"]

STDERR = 2
NOT_FOUND, NOT_EXECUTABLE = 127, 126
KEPT_LINES = 200


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    purpose: str,
    env: Mapping[str, str] | None = None,
    telling: Sequence[str] = (),
    given: str | None = None,
) -> None:
    """Run it, `given` on its stdin; raise CommandError when it cannot start or does not end with 0."""
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=STDERR,
            stderr=subprocess.PIPE if telling else None,
        )
    except OSError as error:
        raise _cannot_start(argv, cwd, purpose, error) from error
    with process:
        _give(process.stdin, given or "")
        tail = _pass_on(process.stderr) if process.stderr else ""
    if process.returncode:
        raise _failed(argv, cwd, purpose, process.returncode, _cause(telling, tail))


def _give(stream: IO[bytes] | None, text: str) -> None:
    """Hand a program its input; one that does not want it says so by its exit."""
    if stream:
        with suppress(BrokenPipeError), stream:
            stream.write(text.encode())


def _pass_on(stream: IO[bytes]) -> str:
    """Copy a program's stderr to ours as it comes; its end is given back."""
    kept: deque[bytes] = deque(maxlen=KEPT_LINES)
    for line in stream:
        os.write(STDERR, line)
        kept.append(line)
    return b"".join(kept).decode(errors="replace")


def _cause(telling: Sequence[str], tail: str) -> str:
    """What the first pattern that fits has found: its groups where it has some, else the whole."""
    found = next((match for pattern in telling if (match := re.search(pattern, tail))), None)
    return ": ".join(("", *(found.groups() or (found.group(),)))) if found else ""


def _cannot_start(argv: Sequence[str], cwd: Path, purpose: str, error: OSError) -> CommandError:
    if not cwd.is_dir():
        return CommandError(f"could not {purpose}: no directory {cwd}", NOT_FOUND)
    if isinstance(error, FileNotFoundError):
        message = f"could not {purpose}: found no program {argv[0]!r}"
        return CommandError(message, NOT_FOUND, f"install {argv[0]}, or put its directory on PATH")
    return CommandError(f"could not {purpose}: {argv[0]}: {error.strerror}", NOT_EXECUTABLE)


def _failed(argv: Sequence[str], cwd: Path, purpose: str, status: int, cause: str) -> CommandError:
    how = f"exit {status}" if status > 0 else f"signal {-status}"
    message = f"could not {purpose}: {argv[0]} ended with {how}{cause}"
    repeat = f"to repeat it: cd {shlex.quote(str(cwd))} && {shlex.join(argv)}"
    return CommandError(message, status if status > 0 else 128 - status, repeat)
