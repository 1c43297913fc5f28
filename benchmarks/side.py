"""A side of a comparison: one command line, and what one run of it took."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
TAIL = 2000


@dataclass(frozen=True)
class Side:
    """A whole process to be timed; `answer` is the file its result lies in, None where that is stdout."""

    name: str
    argv: tuple[str, ...]
    directory: Path
    answer: Path | None = None


@dataclass(frozen=True)
class Sample:
    """One run: wall clock, CPU of the process and all its descendants, and the number it found."""

    seconds: float
    cpu_seconds: float
    answer: str


class SideError(Exception):
    """A side that did not do what it was measured for."""


def environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """The same for every side: bytecode may be cached, nobody looks for an account, bytes are bytes."""
    ours = {name: value for name, value in environ.items() if not name.startswith(("PYTHON", "AWS_", "VIRTUAL_ENV"))}
    quiet = {"MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false", "AWS_EC2_METADATA_DISABLED": "true"}
    return {**ours, **quiet, "LC_ALL": "C", "HOME": str(home)}


def adopt_orphans() -> None:
    """Become the parent of whatever a side leaves behind, so that its CPU time is counted (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(side: Side, environ: Mapping[str, str], scratch: Path) -> Sample:
    """Run a side once, to its end; SideError with the last of its stderr when it fails."""
    out, err = scratch / "stdout", scratch / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        begun = time.perf_counter()
        process = subprocess.Popen(
            side.argv, cwd=side.directory, env=environ, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu_seconds = usage.ru_utime + usage.ru_stime + _adopted()
    if process.returncode:
        last = err.read_text(errors="replace")[-TAIL:]
        raise SideError(f"{side.name}: exit {process.returncode}\n{last}")
    return Sample(seconds, cpu_seconds, (side.answer or out).read_text().strip())


def _adopted() -> float:
    """Wait for what the side left behind, after the clock was stopped; its CPU seconds."""
    total = 0.0
    while True:
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return total
        total += usage.ru_utime + usage.ru_stime
