"""Measure the AWS store against `aws s3 sync` and bare boto3, in turns: `uv run python benchmarks/remote.py`.

AWS is played by one moto server, and for figures that it would falsify by a plain server of files (ranges.py); each is
a process of its own. Prints Markdown: first every aim with what was measured, then the figures they come from.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import asking
import fetching
import machine
import others
import peaks
import servers
import side
import starting
import table
from bench import Bench, Told, joined, say
from others import Tool
from remote_account import Account

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = Path("/dev/shm")  # noqa: S108  # data in memory, if there is room
ROOM = 5 * 10**9
SETTINGS = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds of each comparison (default: 5)")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be given many times")
    parser.add_argument("--tools", type=Path, metavar="DIR", help="where awscli is installed; default: for this once")
    return parser


def main(asked: argparse.Namespace) -> None:
    """Measure what is asked, print it, leave nothing."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with ExitStack() as stack:
        work = _directory(stack, None)
        data = _directory(stack, MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None)
        aws, version = _aws((asked.tools or work / "tools").resolve())
        print(f"{machine.described()}; {version}; load at the start {machine.load()}\n", flush=True)
        base = {**side.environment(os.environ, work), **SETTINGS}
        cloud = Account(stack.enter_context(servers.moto(work)), base)
        cloud.open()
        made = Bench(cloud, aws, data, work, asked.rounds)
        told = joined(*(part(made) for name, part in PARTS.items() if name in (asked.only or PARTS)))
        aims = (table.targets(told.verdicts),) if told.verdicts else ()
        print("\n\n".join((*aims, told.figures, f"load at the end {machine.load()}")))


def _directory(stack: ExitStack, inside: Path | None) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="handoff-benchmark-", dir=inside)))


def _aws(directory: Path) -> tuple[str, str]:
    """The aws command line in a venv of its own, and what it is."""
    say("installing awscli")
    installed = others.install(Tool("awscli", _unused), directory, sys.executable, os.environ)
    if installed.reason:
        raise side.SideError(f"awscli: not installed: {installed.reason}")
    return str(installed.venv / "bin" / "aws"), f"awscli {installed.version}"


def _unused(directory: Path, _programs: Path, _file: Path) -> side.Side:
    """It counts no lines."""
    raise side.SideError(f"{directory}: awscli runs no pipeline")


PARTS: dict[str, Callable[[Bench], Told]] = {
    "small": fetching.small,
    "large": fetching.large,
    "start": starting.start,
    "memory": peaks.memory,
    "history": asking.history,
    "push": asking.push,
}

if __name__ == "__main__":
    main(arguments().parse_args())
