"""Two runs that want one project: over real HTTP, one winner, and whoever died is taken over by the server's clock."""

from __future__ import annotations

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from handoff_runtime.aws import lease as leases
from handoff_runtime.aws.history import append_line
from handoff_runtime.aws.lease import Heartbeat, Lease, StoredLease
from handoff_runtime.errors import StoreError

if TYPE_CHECKING:
    from doubles.fault_proxy import Proxy
    from doubles.moto_bucket import MotoBucket

    from handoff_runtime.aws.session import Session

pytestmark = pytest.mark.takes(30)


def acquired(moto_bucket: MotoBucket, session: Session, run_id: str, **times: Any) -> Lease:
    got = leases.acquire(session, moto_bucket.bucket, moto_bucket.stack, run_id, **times)
    assert isinstance(got, Lease)
    return got


def test_a_free_lease_is_ours_until_it_is_released(moto_bucket: MotoBucket) -> None:
    session = moto_bucket.session()
    first = acquired(moto_bucket, session, "run-1")
    held = leases.acquire(session, moto_bucket.bucket, moto_bucket.stack, "run-2")
    assert isinstance(held, StoredLease)
    assert (held.run_id, held.claim["holder"]) == ("run-1", first.claim["holder"])
    leases.release(session, leases.renew(session, first))
    assert acquired(moto_bucket, session, "run-2").claim["run_id"] == "run-2"
    assert moto_bucket.said == []


def test_what_the_lock_says(moto_bucket: MotoBucket) -> None:
    lease = acquired(moto_bucket, moto_bucket.session(), "run-1", heartbeat=5, lease=30)
    found = json.loads(moto_bucket.get(f"{moto_bucket.stack}/.lock"))
    expected = {"run_id": "run-1", "heartbeat_seconds": 5, "lease_seconds": 30, "released": False, "beat": 0}
    assert found == {**expected, "holder": lease.claim["holder"], "entry": None, "dead": []}


@pytest.mark.parametrize("before", ["nothing", "released", "dead"])
def test_of_two_that_race_one_wins(moto_bucket: MotoBucket, before: str, trials: float) -> None:
    """Fifty trials, four at a time, at the same moment."""
    session = moto_bucket.session()
    for trial in range(max(5, round(trials * (50 if before == "nothing" else 15)))):
        stack = f"{moto_bucket.stack}-{trial}"
        make(session, moto_bucket, stack, before)
        barrier = threading.Barrier(4)

        def race(number: int, stack: str = stack, barrier: threading.Barrier = barrier) -> Lease | StoredLease:
            barrier.wait()
            return leases.acquire(session, moto_bucket.bucket, stack, f"run-{number}")

        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(race, range(4)))
        winners = [one.claim["run_id"] for one in got if isinstance(one, Lease)]
        assert len(winners) == 1
        assert {one.run_id for one in got if isinstance(one, StoredLease)} == set(winners)


def make(session: Session, moto_bucket: MotoBucket, stack: str, before: str) -> None:
    if before == "nothing":
        return
    seconds = 0.0 if before == "released" else -60.0  # over before it began
    got = leases.acquire(session, moto_bucket.bucket, stack, "run-before", lease=seconds or 90)
    assert isinstance(got, Lease)
    if before == "released":
        leases.release(session, got)


@pytest.mark.parametrize("off", [0.0, 420.0, -420.0], ids=["same clock", "server ahead", "server behind"])
def test_a_dead_holder_is_taken_over_whatever_the_clocks(moto_bucket: MotoBucket, proxy: Proxy, off: float) -> None:
    session = moto_bucket.session(proxy)
    proxy.fault("clock", seconds=off)
    dead = acquired(moto_bucket, session, "run-1", lease=1)
    held = leases.acquire(session, moto_bucket.bucket, moto_bucket.stack, "run-2", lease=1)
    assert isinstance(held, StoredLease)
    assert held.left <= 2
    time.sleep(3.1)
    ours = acquired(moto_bucket, session, "run-2", lease=1)
    found = re.fullmatch(r"took over from run run-1, whose last heartbeat was (\d+) s ago", moto_bucket.said[0])
    assert found, moto_bucket.said
    assert int(found[1]) >= 3
    with pytest.raises(StoreError, match="the lease of this run is lost: run run-2 has it"):
        leases.renew(session, dead)
    assert leases.renew(session, ours).claim["beat"] == 1


def test_a_holder_that_beats_lives(moto_bucket: MotoBucket) -> None:
    session, lost = moto_bucket.session(), list[StoreError]()
    heart = Heartbeat(session, acquired(moto_bucket, session, "run-1", heartbeat=0.4, lease=2), lost.append)
    until = time.monotonic() + 4.5
    while time.monotonic() < until:
        assert isinstance(leases.acquire(session, moto_bucket.bucket, moto_bucket.stack, "run-2", lease=2), StoredLease)
        time.sleep(0.2)
    leases.release(session, heart.stop())
    assert lost == []
    acquired(moto_bucket, session, "run-2")


def test_a_takeover_is_refused_when_the_holder_has_beaten_meanwhile(moto_bucket: MotoBucket) -> None:
    session = moto_bucket.session()
    first = acquired(moto_bucket, session, "run-1")
    stale = leases.read_lease(session, moto_bucket.bucket, moto_bucket.stack)
    leases.renew(session, first)
    assert stale is not None
    refused = session.call(
        "s3",
        "put_object",
        allow=("412",),
        Bucket=moto_bucket.bucket,
        Key=f"{moto_bucket.stack}/.lock",
        Body=b"{}",
        IfMatch=stale.etag,
    )
    assert refused is None


def test_a_lease_that_was_taken_over_is_told_to_the_run(moto_bucket: MotoBucket) -> None:
    session, lost, reported = moto_bucket.session(), list[StoreError](), threading.Event()

    def end(error: StoreError) -> None:
        lost.append(error)
        reported.set()

    heart = Heartbeat(session, acquired(moto_bucket, session, "run-1", heartbeat=0.1, lease=60), end)
    moto_bucket.put(f"{moto_bucket.stack}/.lock", b'{"run_id": "run-2"}')
    assert reported.wait(5)
    heart.stop()
    assert [error.message for error in lost] == [
        f"s3://{moto_bucket.bucket}/{moto_bucket.stack}/.lock: the lease of this run is lost: run run-2 has it"
    ]


@pytest.mark.parametrize(
    ("fault", "patience", "heard"),
    [
        pytest.param({"kind": "answer", "status": 503}, 0.1, "S3 PutObject answered 503", id="refuses"),
        pytest.param({"kind": "answer", "status": 503}, 5, "no answer to the heartbeats", id="refuses for longer"),
        pytest.param({"kind": "wait", "seconds": 6}, 5, "no answer to the heartbeats", id="hangs"),
    ],
)
def test_a_store_that_stays_away_ends_the_run_before_its_lease_is_over(
    moto_bucket: MotoBucket, proxy: Proxy, fault: dict[str, Any], patience: float, heard: str
) -> None:
    """Also when one renewal takes longer than the lease lasts."""
    session, lost = moto_bucket.session(proxy, patience=patience, pause=time.sleep), list[tuple[float, StoreError]]()
    lease, reported = acquired(moto_bucket, session, "run-1", heartbeat=1.5, lease=4), threading.Event()
    proxy.fault(method="PUT", **fault)

    def end(error: StoreError) -> None:
        lost.append((lease.left, error))
        reported.set()

    heart = Heartbeat(session, lease, end)
    assert reported.wait(15)
    heart.stop()
    assert [(left > 0, heard in error.message) for left, error in lost] == [(True, True)]


@pytest.mark.parametrize("number", [1, 2, 3], ids=["acquire", "beat", "release"])
def test_a_put_whose_answer_was_lost_is_known_as_our_own(moto_bucket: MotoBucket, proxy: Proxy, number: int) -> None:
    session = moto_bucket.session(proxy)
    proxy.fault("lose", method="PUT", every=number, times=1)
    lease = leases.renew(session, acquired(moto_bucket, session, "run-1"))
    leases.release(session, lease)
    assert json.loads(moto_bucket.get(f"{moto_bucket.stack}/.lock"))["released"] is True
    assert [line.partition(";")[0] for line in moto_bucket.said] == ["S3 PutObject: ConnectionClosedError"]


def test_a_lease_that_is_another_s_is_not_released(moto_bucket: MotoBucket) -> None:
    session = moto_bucket.session()
    lease = acquired(moto_bucket, session, "run-1")
    moto_bucket.put(f"{moto_bucket.stack}/.lock", b'{"run_id": "run-2"}')
    leases.release(session, lease)
    assert moto_bucket.get(f"{moto_bucket.stack}/.lock") == b'{"run_id": "run-2"}'
    assert [line.partition("is lost: ")[2].partition("\n")[0] for line in moto_bucket.said] == [
        "run run-2 has it; the lease is not given back"
    ]


@pytest.mark.parametrize("content", [b"", b"junk", b"[]", b'{"lease_seconds": "x"}'])
def test_a_lock_that_says_nothing_lives_as_long_as_ours_would(moto_bucket: MotoBucket, content: bytes) -> None:
    moto_bucket.put(f"{moto_bucket.stack}/.lock", content)
    held = leases.acquire(moto_bucket.session(), moto_bucket.bucket, moto_bucket.stack, "run-1")
    assert isinstance(held, StoredLease)
    assert (held.run_id, 80 < held.left <= 91) == ("?", True)


def test_a_lock_that_is_cut_while_it_is_read(moto_bucket: MotoBucket, proxy: Proxy) -> None:
    acquired(moto_bucket, moto_bucket.session(), "run-1")
    proxy.fault("cut", method="GET", after=10, times=2)
    assert isinstance(
        leases.acquire(moto_bucket.session(proxy), moto_bucket.bucket, moto_bucket.stack, "run-2"), StoredLease
    )
    assert len(moto_bucket.said) == 2


def test_lines_of_several_runs_are_all_there(moto_bucket: MotoBucket, proxy: Proxy) -> None:
    session, key = moto_bucket.session(proxy, pause=time.sleep), f"{moto_bucket.stack}/history/2026-01-31.jsonl"
    proxy.fault("lose", method="PUT", every=3)
    lines = [f'{{"run_id": "run-{number}"}}\n'.encode() for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda line: append_line(session, moto_bucket.bucket, key, line), lines))
    assert sorted(moto_bucket.get(key).splitlines(keepends=True)) == lines


def test_a_bucket_that_is_missing_is_told(moto_bucket: MotoBucket) -> None:
    with pytest.raises(StoreError, match="bucket no-such-bucket: no such bucket found"):
        leases.acquire(moto_bucket.session(), "no-such-bucket", moto_bucket.stack, "run-1")


def test_a_lock_that_is_denied_names_the_permission(moto_bucket: MotoBucket, proxy: Proxy) -> None:
    proxy.fault("answer", method="PUT", status=403, code="AccessDenied")
    expected = f"the permission s3:PutObject on arn:aws:s3:::{moto_bucket.bucket}/{moto_bucket.stack}/.lock expected"
    with pytest.raises(StoreError, match=expected):
        leases.acquire(moto_bucket.session(proxy), moto_bucket.bucket, moto_bucket.stack, "run-1")
