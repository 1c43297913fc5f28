"""The store of one run in AWS, as far as it goes without one: its names, and whom it heeds when."""
# ruff: noqa: SLF001  # whom it heeds is seen from inside only

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from handoff_runtime.aws.remote import Remote
from handoff_runtime.errors import StoreError, UsageError
from handoff_runtime.overlap import Given
from handoff_runtime.signals import STOPPING, Signals

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = {"STACK_NAME": "stack", "S3_BUCKET_NAME": "bucket", "AWS_REGION": "eu-central-1"}


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in (*STOPPING, signal.SIGCHLD)}
    made = Signals()
    yield made
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def remote(signals: Signals) -> Remote:
    return Remote(NAMES, signals, lambda _: None)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param({}, "STACK_NAME: not set", id="nothing"),
        pytest.param({"STACK_NAME": "stack"}, "S3_BUCKET_NAME: not set", id="no bucket"),
        pytest.param({"S3_BUCKET": "bucket"}, "STACK_NAME: not set", id="no stack"),
    ],
)
def test_names_that_are_missing(signals: Signals, names: dict[str, str], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        Remote({"AWS_REGION": "eu-central-1", **names}, signals, lambda _: None)


def test_the_short_name_of_the_bucket(signals: Signals) -> None:
    made = Remote({**NAMES, "S3_BUCKET_NAME": "", "S3_BUCKET": "short"}, signals, lambda _: None)
    assert (made.stack, made.bucket) == ("stack", "short")


def test_what_is_waited_for_comes_back(remote: Remote) -> None:
    assert remote._heeding(lambda: threading.current_thread().name) == "store"
    with pytest.raises(StoreError, match="away"):
        remote._heeding(away)


def away() -> None:
    raise StoreError("away")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_wait_that_has_no_end(remote: Remote, number: int, code: int) -> None:
    began, never = time.monotonic(), threading.Event()
    os.kill(os.getpid(), number)
    with pytest.raises(Given) as given:
        remote._heeding(never.wait)
    assert (given.value.exit, time.monotonic() - began < 2) == (code, True)
    with pytest.raises(Given):  # whoever was left behind is told too
        remote._clients.effects.check()
    remote._steady().effects.check()
    never.set()


def test_a_lost_lease_is_told_rather_than_the_stop_it_causes(remote: Remote) -> None:
    remote._lost(StoreError("lost"))
    with pytest.raises(StoreError, match="lost"):
        remote._clients.effects.check()


def test_once_it_watches_signals_are_the_run_s(remote: Remote, signals: Signals) -> None:
    remote.watch("all")
    os.kill(os.getpid(), signal.SIGTERM)
    remote._clients.effects.check()
    assert (bytes(signals.take()), remote._steady()) == (bytes([signal.SIGTERM]), remote._clients)


def test_what_is_said_while_a_run_goes_on_waits(signals: Signals) -> None:
    first: list[str] = []
    later: list[str] = []
    remote = Remote(NAMES, signals, first.append)
    remote._said("before")
    remote.watch("all")
    remote._said("meanwhile")
    remote.rest(later.append)
    remote._said("after")
    assert (first, later) == (["before"], ["meanwhile", "after"])
