"""Every object that handoff itself stores, damaged in every way, and what is run next: nothing ends in a traceback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from doubles.damages import DAMAGES, DAY, RECORD, RUN, WHOLE, line_of
from doubles.runtime_project import PYTHON

from handoff_kit.aws.history import HistoryQuery, format_run, list_runs, runs_table, stored_history, stored_run
from handoff_kit.aws.state import lock_holder
from handoff_kit.aws.target import Target
from handoff_runtime import s3_keys
from handoff_runtime.aws import history, lease
from handoff_runtime.errors import HandoffError

if TYPE_CHECKING:
    from doubles.stack_fixture import Stack

ENTRY = {**line_of(RUN, 2), "outcome": "running"}
LOCK = {
    "run_id": RUN,
    "holder": "host:7:abcd",
    "entry": ENTRY,
    "heartbeat_seconds": 20.0,
    "lease_seconds": -60.0,
    "released": False,
    "beat": 3,
    "dead": [line_of("dead", 1)],
}
INDEX, STORED = f"history/{DAY}.jsonl", f"runs/{RUN}/run.json"
SOON = (PYTHON, "-c", "import sys; from handoff_runtime.aws import lease; lease.LEASE = -60.0; "
        "from handoff_runtime.__main__ import start; start()")  # fmt: skip
SEVERAL = (
    "empty",
    "half",
    "bytes",
    "null",
    "nested",
    "other stages",
    "numbers for texts",
    "huge numbers",
    "a path for an id",
)


def whole(stack: Stack) -> None:
    """What a run that was killed leaves, and one before it of which nobody told."""
    stack.put(".lock", json.dumps(LOCK).encode())
    for run in (RUN, "dead"):
        stack.put(f"runs/{run}/run.json", json.dumps({**RECORD, "run_id": run}).encode())
    stack.put(INDEX, f"{json.dumps(line_of('before', 1))}\n".encode())


def damaged(stack: Stack, name: str, damage: str) -> None:
    content = stack.get(name)
    assert content is not None
    stack.put(name, DAMAGES[damage](content))


def kit(stack: Stack) -> Target:
    """The stack as the tasks see it; its session take a while to make."""
    moto_bucket = stack.moto_bucket
    return Target("sample", "dev", moto_bucket.stack, moto_bucket.bucket, "--project sample", moto_bucket.session())


def test_a_damaged_lock_is_taken_over_when_it_is_old(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its age is the server's; what it says of its own length counts only where that can be."""
    found: dict[str, tuple[object, ...]] = {}
    seen = kit(stack)
    for damage in DAMAGES:
        whole(stack)
        damaged(stack, ".lock", damage)
        stack.moto_bucket.said.clear()
        found[damage] = taken_over(stack, seen, monkeypatch)
    assert found == {damage: (damage not in WHOLE, True, "new", []) for damage in DAMAGES}


def taken_over(stack: Stack, kit_stack: Target, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """Whether it was noted, whether another may have it only when it is old, whose it is then, and who is still dead."""
    moto_bucket, session = stack.moto_bucket, kit_stack.session
    lock_holder(kit_stack)
    says_length = b"lease_seconds" in (stack.get(".lock") or b"")
    monkeypatch.setattr(lease, "LEASE", 90.0)
    held = says_length or isinstance(
        lease.acquire(session, moto_bucket.bucket, moto_bucket.stack, "new"), lease.StoredLease
    )
    monkeypatch.setattr(lease, "LEASE", -60.0)
    taken = lease.acquire(session, moto_bucket.bucket, moto_bucket.stack, "new")
    assert isinstance(taken, lease.Lease)
    seen = lease.read_lease(session, moto_bucket.bucket, moto_bucket.stack)
    assert seen is not None
    assert seen.damage == ""
    history.record_killed_runs(session, moto_bucket.bucket, moto_bucket.stack, taken.claim["dead"])
    lease.release(session, taken, recorded_dead=True)
    noted = any(".lock: damaged (" in line for line in moto_bucket.said)
    return noted, held, seen.claim["run_id"], stack.lock["dead"]


def test_a_lock_that_says_it_lasts_for_ever_does_not(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.put(".lock", json.dumps({**LOCK, "lease_seconds": 1e12}).encode())
    monkeypatch.setattr(lease, "LEASE", -60.0)
    taken = lease.acquire(stack.moto_bucket.session(), stack.moto_bucket.bucket, stack.moto_bucket.stack, "new")
    assert isinstance(taken, lease.Lease)


def test_a_killed_run_whose_record_or_index_is_damaged_is_told(stack: Stack) -> None:
    seen = kit(stack)
    for damage in DAMAGES:
        whole(stack)
        damaged(stack, STORED, damage)
        damaged(stack, INDEX, damage)
        stack.moto_bucket.said.clear()
        told_of(stack, seen, damage)


def told_of(stack: Stack, kit_stack: Target, damage: str) -> None:
    moto_bucket, session = stack.moto_bucket, kit_stack.session
    history.record_killed_runs(session, moto_bucket.bucket, moto_bucket.stack, [line_of("dead", 1), ENTRY])
    noted = [
        line
        for line in moto_bucket.said
        if line.startswith(f"note: s3://{moto_bucket.bucket}/{moto_bucket.stack}/{STORED}: ")
    ]
    assert len(noted) == (damage not in WHOLE), damage
    lines = list_runs(stored_history(kit_stack, print), HistoryQuery())
    outcomes = {line["run_id"]: line["outcome"] for line in lines}
    assert (outcomes["dead"], outcomes[RUN]) == ("killed", "killed"), damage
    runs_table(lines)
    if damage in WHOLE:
        assert format_run(stored_run(kit_stack, RUN), 5).startswith(f"run       {RUN}\n")
        return
    with pytest.raises(HandoffError, match=rf"{STORED}: this record cannot be read \("):
        stored_run(kit_stack, RUN)


@pytest.mark.parametrize("damage", SEVERAL)
def test_a_run_after_all_was_damaged(stack: Stack, damage: str) -> None:
    whole(stack)
    stack.push("echo new")
    for name in (".lock", STORED, INDEX, "runs/dead/run.json"):
        damaged(stack, name, damage)
    done = stack.run("-d", '{"run_id": "new"}', python=SOON)
    assert (done.exit, stack.state, stack.record("new")["outcome"]) == (0, b"new\n", "succeeded"), done.stderr
    assert ("Traceback" in done.stderr, stack.lock["released"], stack.lock["dead"]) == (False, True, [])
    assert any(".lock: damaged (" in line for line in done.said("handoff"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("null", id="null"),
        pytest.param("[]", id="a list"),
        pytest.param('{"format": 1}', id="no pipeline"),
        pytest.param('{"format": 1, "pipeline": ' + "[" * 1500 + "]" * 1500 + "}", id="nested"),
        pytest.param("handoff:lzma:AAAA", id="compressed, cut"),
        pytest.param("handoff:zlib:é", id="compressed, no base64"),
    ],
)
def test_damaged_params_are_named(stack: Stack, text: str) -> None:
    name = s3_keys.parameter(stack.moto_bucket.stack)
    stack.moto_bucket.boto("ssm").put_parameter(Name=name, Value=text, Type="SecureString", Overwrite=True)
    done = stack.run()
    assert (done.exit, "Traceback" in done.stderr, done.stderr.startswith("error: ")) == (78, False, True), done.stderr
