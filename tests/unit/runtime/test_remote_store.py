"""The store of one run in AWS, against a server that never answers: its names, and which signals end what."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from handoff_runtime.aws.store import AwsStore
from handoff_runtime.errors import StoreError, UsageError
from handoff_runtime.overlap import RunDeclined
from handoff_runtime.supervisor.signals import STOPPING, Signals

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = {"STACK_NAME": "stack", "S3_BUCKET_NAME": "bucket", "AWS_REGION": "eu-central-1", "STOP_TIMEOUT": "2"}
RECORD: dict[str, Any] = {
    **dict.fromkeys(("ended_at", "seconds", "exit", "culprit", "reason", "params_version", "image_digest")),
    "run_id": "run-1",
    "environment": "dev",
    "command": "run",
    "trigger": "local",
    "started_at": "2026-01-31T00:00:00.000Z",
    "outcome": "stopped",
    "attempt": 1,
    "stages": [],
    "state": {"replaced": False},
}


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in (*STOPPING, signal.SIGCHLD)}
    yield Signals()
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def store(signals: Signals, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStore]:
    with socket.create_server(("127.0.0.1", 0)) as server:  # connections wait for ever to be accepted
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield AwsStore(NAMES, signals, lambda _: None)


class Conflicts:
    """A bucket that answers a put by 409 while another one is under way, which comes to be after so many looks."""

    def __init__(self, looks: int, *, stored: bytes | None) -> None:
        self.looks, self.stored, self.puts = looks, stored, 0
        self.effects = SimpleNamespace(pause=lambda _: None)

    def call(self, *_: str, **_request: object) -> dict[str, str] | None:
        self.puts += 1
        return {"ETag": "e"} if self.looks <= 0 and self.stored is None else None

    def read(self, *_: str) -> tuple[bytes, Any] | None:
        self.looks -= 1
        return (self.stored, {}) if self.looks <= 0 and self.stored else None


@pytest.mark.parametrize(
    ("stored", "puts"),
    [
        pytest.param(b'{"execution": "other", "run_id": "run-0"}', 3, id="the other one has it"),
        pytest.param(None, 4, id="the other one gave up"),
    ],
)
def test_a_claim_while_another_one_is_under_way(
    signals: Signals, monkeypatch: pytest.MonkeyPatch, stored: bytes | None, puts: int
) -> None:
    """S3 refuses one of two puts at the same moment, and does not tell yet what comes of the other."""
    bucket = Conflicts(3, stored=stored)
    monkeypatch.setattr("handoff_runtime.aws.store.connect", lambda *_, **__: bucket)
    monkeypatch.setattr(Conflicts, "with_options", lambda self, **_: self, raising=False)
    store = AwsStore({**NAMES, "HANDOFF_SCHEDULE": "nightly", "HANDOFF_EXECUTION": "mine"}, signals, lambda _: None)
    record = {**RECORD, "data": {"scheduled_at": ""}, "scheduled_at": "2026-01-31T00:00:00.000Z"}
    declined = pytest.raises(RunDeclined, match="delivered twice") if stored else nullcontext()
    with declined:
        store.claim_occurrence(record, lambda _: None)
    assert bucket.puts == puts


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
        AwsStore({"AWS_REGION": "eu-central-1", **names}, signals, lambda _: None)


def test_the_short_name_of_the_bucket(signals: Signals) -> None:
    made = AwsStore({**NAMES, "S3_BUCKET_NAME": "", "S3_BUCKET": "short"}, signals, lambda _: None)
    assert (made.stack, made.bucket) == ("stack", "short")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_wait_that_has_no_end(store: AwsStore, number: int, code: int) -> None:
    began = time.monotonic()
    os.kill(os.getpid(), number)
    with pytest.raises(RunDeclined) as given:
        store.load_params()
    assert (given.value.exit_code, time.monotonic() - began < 5) == (code, True)
    with pytest.raises(RunDeclined):  # every later call is refused too
        store.load_params()


def test_signals_are_left_to_a_run_that_began(store: AwsStore, signals: Signals) -> None:
    store.begin_stages("all")
    os.kill(os.getpid(), signal.SIGTERM)
    assert (store.end_stages(), bytes(signals.take())) == (None, bytes([signal.SIGTERM]))


def test_what_a_run_leaves_is_given_up_when_the_grace_time_is_over(store: AwsStore) -> None:
    store.begin_stages("all")
    began = time.monotonic()
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(StoreError, match="before the time to stop was over"):
        store.append_history(RECORD)
    assert 1.5 < time.monotonic() - began < 10


def test_what_the_store_says_while_stages_run_waits(
    signals: Signals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # which nobody listens to from now on
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.chdir(tmp_path)
    Path(".artifacts").mkdir()
    Path(".artifacts/stdout.log").write_text('{"at": 1}\n')
    lines: list[str] = []
    store = AwsStore(NAMES, signals, lines.append)
    store.begin_stages("singer")
    until = time.monotonic() + 30
    while not Path(".artifacts/state.emitted").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1)
    before = list(lines)
    os.kill(os.getpid(), signal.SIGTERM)
    assert store.end_stages() is None
    assert (before, "S3 PutObject: EndpointConnectionError; attempt 2 of 8" in lines[0]) == ([], True)
    with pytest.raises(StoreError, match="before the time to stop was over"):  # which state is stored is not known
        store.store_state()
