"""Figures for whoever watches: whole lines or none, and word of a watcher that has gone."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from handoff_runtime.supervisor.event_loop import EventLoop
from handoff_runtime.supervisor.outcome import StageExit
from handoff_runtime.supervisor.progress import Progress
from handoff_runtime.supervisor.supervisor import StageFigures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_runtime.supervisor.signals import Signals


class Noted:
    """Takes signals as they are noted."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def note(self, number: int) -> None:
        """Take it."""
        self.numbers.append(number)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    fcntl.fcntl(write, 1031, 4096)  # F_SETPIPE_SZ
    yield read, write
    os.close(write)


def progress(fd: int) -> tuple[Progress, EventLoop, Noted]:
    poller, noted = EventLoop(), Noted()
    signals: Signals = noted  # type: ignore[assignment]  # all that is used of it
    return Progress(fd, poller, signals), poller, noted


FIGURES = StageFigures("tap", 0.0, 2.5, StageExit(0, 2.5), None, 7, 70, None, None)


def test_a_line_tells_every_stage(pipe: tuple[int, int]) -> None:
    read, write = pipe
    result, _, _ = progress(write)
    result.write([FIGURES, FIGURES._replace(name="target", ending=None, rows_out=8, bytes_out=80, ended=4.25)])
    assert json.loads(os.read(read, 4096)) == {
        "stages": [
            {"name": "tap", "exit": 0, "seconds": 2.5, "rows": 7, "bytes": 70},
            {"name": "target", "exit": None, "seconds": 4.25, "rows": 8, "bytes": 80},
        ]
    }
    os.close(read)


def test_a_long_line_is_never_cut_in_two(pipe: tuple[int, int]) -> None:
    read, write = pipe
    result, _, _ = progress(write)
    got = bytearray()
    for size in (100, 3, 100, 50):
        result.write([FIGURES] * size)
        got += os.read(read, 3000)
    for _ in range(20):
        result.write([FIGURES])
        got += os.read(read, 4096)
    lines = got.split(b"\n")
    assert lines.pop() == b""
    assert [len(json.loads(line)["stages"]) for line in lines][:1] == [100]
    os.close(read)


def test_a_watcher_that_has_gone_is_told_of_once(pipe: tuple[int, int]) -> None:
    read, write = pipe
    result, poller, noted = progress(write)
    os.close(read)
    poller.turn()
    result.write([FIGURES])
    assert noted.numbers == [signal.SIGHUP]
