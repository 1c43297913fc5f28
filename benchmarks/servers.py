"""Servers that play AWS while others are measured, each a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from side import SideError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOST = "127.0.0.1"
PATIENCE = 60.0
# A line a call is not what is measured; else it is moto_server as anybody starts it.
MOTO = """
import logging, sys
logging.getLogger("werkzeug").setLevel(logging.ERROR)
from moto.server import main
main(["--port", sys.argv[1]])
"""
# Not as a child of ours: whoever times a side waits for every child there is (side.run).
ORPHAN = 'log=$1; shift; "$@" > "$log" 2>&1 < /dev/null & echo $!'


@contextmanager
def moto(work: Path) -> Iterator[str]:
    """A moto server, which keeps what is large in files below `work`; its address."""
    with _served((sys.executable, "-c", MOTO), (), work, "moto") as address:
        yield address


@contextmanager
def ranges(work: Path, directory: Path) -> Iterator[str]:
    """The plain server of what lies in a directory; its address."""
    script = str(Path(__file__).with_name("ranges.py"))
    with _served((sys.executable, script), (str(directory),), work, "ranges") as address:
        yield address


@contextmanager
def _served(program: Sequence[str], words: Sequence[str], work: Path, name: str) -> Iterator[str]:
    port, log = _free_port(), work / f"{name}.log"
    environ = {**os.environ, "TMPDIR": str(work)}
    argv = ("sh", "-c", ORPHAN, "sh", str(log), *program, str(port), *words)
    started = subprocess.run(argv, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    pid = int(started.stdout)
    try:
        _wait(port, name, log)
        yield f"http://{HOST}:{port}"
    finally:
        os.kill(pid, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(port: int, name: str, log: Path) -> None:
    """Until it answers."""
    end = time.monotonic() + PATIENCE
    while not _answers(port):
        if time.monotonic() > end:
            raise SideError(f"{name}: no answer within {PATIENCE:.0f} s\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
