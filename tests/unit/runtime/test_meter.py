"""Links: every mover moves the same bytes and counts the same, whoever is slow, whoever leaves."""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING

import pytest

from handoff_runtime.supervisor import syscalls
from handoff_runtime.supervisor.event_loop import EventLoop
from handoff_runtime.supervisor.line_count import INLINE_LIMIT
from handoff_runtime.supervisor.meter import Copy, Link, create_mover

if TYPE_CHECKING:
    from pathlib import Path

    from handoff_runtime.supervisor.syscalls import Calls

CALLS = syscalls.find_calls()
MOVERS = [
    pytest.param("rows", CALLS, id="tee and splice"),
    pytest.param("bytes", CALLS, id="splice"),
    pytest.param("rows", None, id="copy"),
    pytest.param("bytes", None, id="copy without rows"),
]


class Linked:
    """A link between two pipes whose other ends are ours."""

    def __init__(self, meter: str, calls: Calls | None, *, read_whole: bool = False) -> None:
        self.poller = EventLoop()
        self.source, self.write = syscalls.pipe()
        self.read, self.sink = syscalls.pipe()
        for fd in (self.write, self.read):
            os.set_blocking(fd, False)
        self.mover = create_mover(meter, self.source, self.sink, calls, self.poller)
        self.link = Link(self.mover, self.poller, read_whole=read_whole)

    def turn(self) -> None:
        """Let the link work, and come back soon whatever happens."""
        self.poller.after(0.002, lambda: None)
        self.poller.turn()

    def put(self, data: bytes) -> bytes:
        """Write what can be written now; what is left."""
        try:
            return data[os.write(self.write, data) :]
        except BlockingIOError:
            return data

    def get(self, size: int) -> bytes | None:
        """Read what can be read now; nothing at the end, None while there is none."""
        try:
            return os.read(self.read, size)
        except BlockingIOError:
            return None

    def close(self) -> None:
        """Close what is ours."""
        for fd in (self.write, self.read):
            try:
                os.close(fd)
            except OSError:
                continue


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_001, INLINE_LIMIT + 1_000_003])
@pytest.mark.parametrize(("meter", "calls"), MOVERS)
def test_every_byte_passes_and_every_row_is_counted(meter: str, calls: Calls | None, size: int) -> None:
    numbers = random.Random(size)
    data = numbers.randbytes(size)
    linked, got, left, ended = Linked(meter, calls), bytearray(), data, False
    while not ended:
        size_now = numbers.randrange(1, 1 << 20)
        if left:
            left = linked.put(left[:size_now]) + left[size_now:]
        elif linked.write >= 0:
            os.close(linked.write)
            linked.write = -1
        linked.turn()
        if numbers.random() < 0.7:
            part = linked.get(numbers.randrange(1, 1 << 20))
            got += part or b""
            ended = part == b""
    while not linked.link.done:
        linked.turn()
    rows = data.count(b"\n") + (data[-1:] not in (b"", b"\n"))
    assert (bytes(got) == data, linked.link.bytes, linked.link.reader_left_at) == (True, len(data), None)
    assert linked.link.rows == (rows if meter == "rows" else None)
    linked.close()


@pytest.mark.parametrize(("meter", "calls"), MOVERS)
def test_a_reader_that_leaves_is_noticed_though_nothing_is_written(meter: str, calls: Calls | None) -> None:
    linked = Linked(meter, calls)
    os.close(linked.read)
    linked.turn()
    assert (linked.link.reader_left_at is not None, linked.link.open) == (True, False)
    with pytest.raises(BrokenPipeError):
        os.write(linked.write, b"x")
    linked.close()


@pytest.mark.parametrize(("meter", "calls"), MOVERS)
def test_a_reader_that_leaves_while_the_link_is_full_is_noticed(meter: str, calls: Calls | None) -> None:
    linked = Linked(meter, calls)
    for _ in range(60):
        linked.put(b"x" * (1 << 16))
        linked.turn()
    assert (linked.link.open, linked.link.idle_since) == (True, None)
    os.close(linked.read)
    linked.turn()
    assert (linked.link.reader_left_at is not None, linked.link.open) == (True, False)
    while not linked.link.done:
        linked.turn()
    linked.close()


@pytest.mark.parametrize(("meter", "calls"), MOVERS)
def test_since_when_a_writer_is_silent_is_known(meter: str, calls: Calls | None) -> None:
    linked = Linked(meter, calls)
    first = linked.link.idle_since
    linked.turn()
    assert (linked.link.idle_since, first is not None) == (first, True)
    linked.put(b"x")
    while linked.get(10) is None:
        linked.turn()
    linked.turn()
    assert (linked.link.idle_since or 0) > (first or 0)
    linked.link.close()
    linked.close()


@pytest.mark.skipif(CALLS is None, reason="needs splice(2) and tee(2)")
def test_a_counter_that_is_waited_for_is_not_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started, go, wc = tmp_path / "started", tmp_path / "go", tmp_path / "bin/wc"
    wc.parent.mkdir()
    wait = f"while [ ! -e {go} ]; do /bin/sleep 0.01; done"
    wc.write_text(f"#!/bin/sh\necho x >> {started}\n{wait}\nPATH={os.environ['PATH']} exec wc -l\n")
    wc.chmod(0o755)
    monkeypatch.setenv("PATH", str(wc.parent))
    linked, left, got, idle = Linked("rows", CALLS), b"r\n" * INLINE_LIMIT, 0, 0
    while idle < 50 or not started.exists():  # until the counter's pipe is full, and nothing passes any more
        left = linked.put(left)
        linked.turn()
        part = linked.get(1 << 20) or b""
        got, idle = got + len(part), 0 if part else idle + 1
    for _ in range(5):
        linked.link.refresh()
    assert 0 < len(left) < 2 * INLINE_LIMIT
    go.touch()
    while left:
        left = linked.put(left)
        linked.turn()
        got += len(linked.get(1 << 20) or b"")
    os.close(linked.write)
    while not linked.link.done:
        linked.turn()
        got += len(linked.get(1 << 20) or b"")
    assert (started.read_text(), linked.link.rows, linked.link.bytes) == ("x\n", INLINE_LIMIT, 2 * INLINE_LIMIT)
    os.close(linked.read)


def test_where_the_calls_are_missing_a_copy_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "splice", raising=False)
    assert syscalls.find_calls() is None
    linked = Linked("rows", syscalls.find_calls())
    assert isinstance(linked.mover, Copy)
    linked.link.close()
    linked.close()


@pytest.mark.skipif(CALLS is None, reason="needs splice(2) and tee(2)")
def test_where_the_calls_are_forbidden_a_copy_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_given: object, **_named: object) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "splice", forbidden)
    assert syscalls.find_calls() is None


@pytest.mark.skipif(CALLS is None, reason="needs splice(2) and tee(2)")
def test_the_calls_never_block() -> None:
    assert CALLS is not None
    (read, write), (other, sink) = syscalls.pipe(), syscalls.pipe()
    for call in CALLS:
        with pytest.raises(BlockingIOError):
            call(read, sink, 1)
    os.close(write)
    assert [call(read, sink, 1) for call in CALLS] == [0, 0]
    for fd in (read, other, sink):
        os.close(fd)


@pytest.mark.skipif(CALLS is None, reason="needs splice(2) and tee(2)")
def test_a_signal_in_the_middle_of_a_call_is_no_error() -> None:
    assert CALLS is not None
    (read, write), (other, sink) = syscalls.pipe(), syscalls.pipe()
    heard: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _frame: heard.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    try:
        while len(heard) < 4000:
            for call in (CALLS.tee, CALLS.tee, CALLS.tee, CALLS.splice):
                with pytest.raises(BlockingIOError):
                    call(read, sink, 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        for fd in (read, write, other, sink):
            os.close(fd)


# a reader that is to read all


@pytest.mark.parametrize(
    ("written", "read", "ended_before", "then", "left"),
    [
        pytest.param(b"1\n2\n3\n", 6, True, b"", (b"", False), id="all, the writer had ended"),
        pytest.param(b"1\n2\n3\n", 6, False, b"", (b"", False), id="all, the writer ends later"),
        pytest.param(b"1\n2\n3\n", 6, False, b"4\n", (b"4\n", True), id="all, and the writer writes more"),
        pytest.param(b"1\n2\n3\n", 2, True, b"", (b"2\n3\n", False), id="one row, the writer had ended"),
        pytest.param(b"1\n2\n3\n", 2, False, b"", (b"2\n3\n", True), id="one row, the writer had not ended"),
        pytest.param(b"", 0, False, b"", (b"", False), id="nothing was there"),
    ],
)
@pytest.mark.parametrize(("meter", "calls"), MOVERS)
def test_what_a_reader_leaves_is_known(  # a table
    meter: str,
    calls: Calls | None,
    written: bytes,
    read: int,
    ended_before: bool,  # noqa: FBT001
    then: bytes,
    left: tuple[bytes, bool],
) -> None:
    linked = Linked(meter, calls, read_whole=True)
    linked.put(written)
    if ended_before:
        os.close(linked.write)
    for _ in range(5):
        linked.turn()
    assert not read or linked.get(read) == written[:read]
    os.close(linked.read)
    linked.turn()
    assert linked.link.open == (not ended_before and read == len(written))
    if then:
        linked.put(then)
        linked.turn()
    if not ended_before:
        os.close(linked.write)
        linked.turn()
    assert (linked.link.left_over(), linked.link.reader_left_at is not None) == left
    while not linked.link.done:
        linked.turn()


@pytest.mark.parametrize(("meter", "calls"), MOVERS)
def test_what_a_reader_leaves_of_a_full_link_is_cut_off(meter: str, calls: Calls | None) -> None:
    linked, total = Linked(meter, calls, read_whole=True), 0
    for _ in range(200):
        total += (1 << 16) - len(linked.put(b"x" * (1 << 16)))
        linked.turn()
    os.close(linked.read)
    linked.turn()
    assert (len(linked.link.left_over()), linked.link.open) == (total, False)
    with pytest.raises(BrokenPipeError):
        os.write(linked.write, b"x")
    linked.close()
