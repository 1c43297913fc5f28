"""Counting rows: here, and by `wc` where there is much; or nothing rather than something wrong."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from handoff_runtime.supervisor import syscalls
from handoff_runtime.supervisor.event_loop import EventLoop
from handoff_runtime.supervisor.line_count import INLINE_LIMIT, LineCounter

if TYPE_CHECKING:
    from pathlib import Path

CALLS = syscalls.find_calls()
pytestmark = pytest.mark.skipif(CALLS is None, reason="needs splice(2) and tee(2)")
CHUNK = b"row\n" * (1 << 14)


class Fed:
    """Rows that are fed as a link feeds them."""

    def __init__(self) -> None:
        assert CALLS is not None
        self.poller = EventLoop()
        self.poller.after(60, lambda: pytest.fail("waited a minute"))
        self.rows = LineCounter(self.poller, CALLS.tee)
        self._read, self._write = syscalls.pipe()

    def feed(self, data: bytes) -> None:
        """Show it, and look at its last byte."""
        assert CALLS is not None
        while data:
            part, data = data[:65536], data[65536:]
            os.write(self._write, part)
            shown = 0
            while not shown:
                try:
                    shown = CALLS.tee(self._read, self.rows.fd, len(part))
                except BlockingIOError:
                    continue
            assert shown == len(part)
            self.rows.count_teed(shown)
            os.read(self._read, len(part) - 1)
            if self.rows.external:
                self.rows.tee_last_byte(self._read)
            os.read(self._read, 1)

    def total(self) -> int | None:
        """The count in the end."""
        self.rows.finish()
        while not self.rows.done:
            self.poller.turn()
        os.close(self._read)
        os.close(self._write)
        return self.rows.count


@pytest.mark.parametrize(
    ("data", "count"), [(b"", 0), (b"a", 1), (b"\n", 1), (b"a\nb", 2), (b"a\nb\n", 2), (b"\n" * 1000 + b"\0", 1001)]
)
def test_a_little_is_counted_here(data: bytes, count: int) -> None:
    fed = Fed()
    fed.feed(data)
    assert (fed.rows.external, fed.total()) == (False, count)


@pytest.mark.parametrize("tail", [b"", b"x", b"\n", b"x\ny"])
def test_much_is_counted_by_wc(tail: bytes) -> None:
    fed = Fed()
    chunks = INLINE_LIMIT // len(CHUNK) + 3
    for _ in range(chunks):
        fed.feed(CHUNK)
    fed.feed(tail)
    expected = chunks * (1 << 14) + tail.count(b"\n") + (tail not in (b"", b"\n"))
    assert (fed.rows.external, fed.total()) == (True, expected)


def test_the_count_is_brought_up_to_date_again_and_again() -> None:
    fed, chunks = Fed(), INLINE_LIMIT // len(CHUNK)
    for _ in range(chunks):
        fed.feed(CHUNK)
    counted = chunks * (1 << 14)
    for _ in range(5):
        fed.feed(b"a\nb\nc")
        counted += 2
        fed.rows.refresh()
        while (fed.rows.count or 0) < counted:
            fed.poller.turn()
        assert fed.rows.count == counted
    assert fed.total() == counted + 1


@pytest.mark.parametrize("tail", [b"", b"x", b"x\n"])
def test_without_wc_it_is_counted_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tail: bytes) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fed, chunks = Fed(), 2 * INLINE_LIMIT // len(CHUNK) + 1
    for _ in range(chunks):
        fed.feed(CHUNK)
    fed.feed(tail)
    assert (fed.rows.external, fed.total()) == (False, chunks * (1 << 14) + bool(tail))


@pytest.mark.parametrize("tail", [b"", b"x"])
def test_a_wc_that_goes_away_is_done_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tail: bytes) -> None:
    fed, chunks = Fed(), INLINE_LIMIT // len(CHUNK)
    for _ in range(chunks):
        fed.feed(CHUNK)
    fed.feed(b"x")
    assert fed.rows.external
    monkeypatch.setenv("PATH", str(tmp_path))
    fed.rows.refresh()
    assert not fed.rows.external
    fed.feed(tail)
    for _ in range(40 * bool(tail)):  # more than a pipe holds
        fed.feed(CHUNK)
    expected = chunks * (1 << 14) + (40 * (1 << 14) if tail else 1)
    assert fed.total() == expected


@pytest.mark.parametrize("expected", ["", "many", "-1", "3 4"])
def test_a_wrong_answer_is_no_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, expected: str) -> None:
    wc = tmp_path / "wc"
    wc.write_text(f"#!/bin/sh\n/bin/cat > /dev/null\necho '{expected}'\n")
    wc.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    fed = Fed()
    for _ in range(INLINE_LIMIT // len(CHUNK) + 1):
        fed.feed(CHUNK)
    assert (fed.rows.external, fed.total()) == (True, None)
