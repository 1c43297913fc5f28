"""One poll for everything: who is called, when, and who is not."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from handoff_runtime.supervisor.event_loop import ERR, IN, OUT, EventLoop

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipes() -> Iterator[list[tuple[int, int]]]:
    made = [os.pipe() for _ in range(2)]
    yield made
    for fd in {fd for pair in made for fd in pair}:
        try:
            os.close(fd)
        except OSError:
            continue


def test_who_is_ready_is_called(pipes: list[tuple[int, int]]) -> None:
    (read, write), (other, _) = pipes
    poller, called = EventLoop(), list[tuple[str, int]]()
    poller.watch(read, IN, lambda events: called.append(("read", events)))
    poller.watch(write, OUT, lambda events: called.append(("write", events)))
    poller.watch(other, IN, lambda events: called.append(("other", events)))
    os.write(write, b"x")
    poller.turn()
    assert called == [("read", IN), ("write", OUT)]
    poller.ignore(write)
    poller.ignore(write)
    poller.turn()
    assert called[2:] == [("read", IN)]


def test_an_error_comes_unasked(pipes: list[tuple[int, int]]) -> None:
    (read, write), _ = pipes
    poller, called = EventLoop(), list[int]()
    poller.watch(write, 0, called.append)
    os.close(read)
    poller.turn()
    assert called == [ERR]


def test_times_come_in_order_and_not_too_early() -> None:
    poller, called, begun = EventLoop(), list[str](), time.monotonic()
    poller.after(0.03, lambda: called.append("second"))
    poller.after(0.01, lambda: called.append("first"))
    poller.after(0.03, lambda: called.append("third"))
    while len(called) < 3:
        poller.turn()
    assert (called, 0.03 <= time.monotonic() - begun < 1) == (["first", "second", "third"], True)


def test_what_came_for_a_closed_descriptor_is_not_given_to_the_next_of_its_number(pipes: list[tuple[int, int]]) -> None:
    (first, first_write), (second, second_write) = pipes
    poller, called = EventLoop(), list[str]()
    for write in (first_write, second_write):
        os.write(write, b"x")

    def close_and_open(_events: int) -> None:
        poller.ignore(second)
        os.close(second)
        assert os.dup(0) == second
        poller.watch(second, 0, lambda _events: called.append("the wrong one"))
        poller.ignore(first)

    poller.watch(first, IN, close_and_open)
    poller.watch(second, IN, lambda _events: called.append("a closed one"))
    poller.after(0, lambda: called.append("due"))
    poller.turn()
    assert called == ["due"]
