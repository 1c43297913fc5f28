"""Whole runs on bad days of the store: what can be mended by another try is, what cannot is told and changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from doubles.runtime_project import Project, until

if TYPE_CHECKING:
    from pathlib import Path

    from doubles.fault_proxy import Proxy
    from doubles.stack_fixture import Stack


COUNT = "read n < .artifacts/state || n=0; echo $((n+1)) > .artifacts/counter; echo $((n+1))"
HOLDING = "echo x > .artifacts/kept; touch started; until [ -e go ]; do sleep 0.02; done; echo new"
RUN_1 = ("-d", '{"run_id": "run-1"}')


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        pytest.param("answer", {"every": 3, "status": 500, "code": "InternalError"}, id="500"),
        pytest.param("answer", {"every": 6, "status": 503, "code": "ServiceUnavailable"}, id="503"),
        pytest.param("answer", {"every": 7, "status": 503, "code": "SlowDown"}, id="SlowDown"),
        pytest.param("lose", {"every": 4}, id="answers lost"),
        pytest.param("cut", {"every": 4, "after": 1}, id="answers cut"),
        pytest.param("cut-upload", {"every": 4, "after": 1}, id="requests cut"),
        pytest.param("spoil", {"times": 2, "method": "GET", "path": ".artifacts/counter"}, id="spoilt"),
    ],
)
def test_every_nth_call_fails(stack: Stack, proxy: Proxy, kind: str, fields: dict[str, object]) -> None:
    stack.push(COUNT)
    assert stack.run().exit == 0
    fault = proxy.fault(kind, **fields)
    done = stack.run(*RUN_1, env={"AWS_ENDPOINT_URL": proxy.url})
    assert (done.exit, stack.state, stack.get(".artifacts/counter")) == (0, b"2\n", b"2\n"), done.stderr
    assert (stack.record("run-1"), stack.lock["released"]) == (done.record, True)
    assert stack.history_fields("outcome", "state_replaced") == [("succeeded", True)] * 2
    assert fault.done > 0


@pytest.mark.parametrize(
    ("path", "key"),
    [
        pytest.param("runs/run-1/artifacts/", "runs/run-1/artifacts/", id="the run's artifacts"),
        pytest.param(".artifacts/kept", ".artifacts/kept", id="the current ones"),
        pytest.param("run-1/run.json", "runs/run-1/run.json", id="the record"),
        pytest.param("history/", "history/", id="the index"),
        pytest.param(".artifacts/state", ".artifacts/state", id="the state"),
        pytest.param("/", "runs/run-1/artifacts/", id="everything"),
    ],
)
@pytest.mark.parametrize("answer", ["403 AccessDenied", "503 ServiceUnavailable"])
def test_what_can_no_longer_be_stored(stack: Stack, proxy: Proxy, path: str, key: str, answer: str) -> None:
    stack.put(".artifacts/state", b"old\n")
    python = stack.hurried(attempts=2)
    running = stack.push(HOLDING).start(*RUN_1, python=python, env={"AWS_ENDPOINT_URL": proxy.url})
    running.wait_for("started")
    status, code = answer.split()
    proxy.fault(
        "answer",
        method="PUT",
        path=path if path != ".artifacts/state" else f"{stack.moto_bucket.stack}/{path}",
        status=int(status),
        code=code,
    )
    running.project.write("go", "")
    done = running.finish()
    assert (done.exit, stack.state) == (69, b"old\n"), done.stderr
    facts = [done.record[name] for name in ("outcome", "exit")] + [done.record["state"]["replaced"]]
    assert facts == ["failed", 69, False]
    place = f"{stack.moto_bucket.bucket}/{stack.moto_bucket.stack}/{key}"
    expected = f"the permission s3:PutObject on arn:aws:s3:::{place}" if status == "403" else f"s3://{place}"
    assert (expected in done.record["reason"], expected in done.stderr) == (True, True), done.record["reason"]
    local = "".join(each.read_text() for each in running.project.path(".artifacts/history").iterdir())
    assert json.loads(local.splitlines()[-1])["exit"] == 69
    kept = json.loads(running.project.path(".artifacts/runs/run-1/run.json").read_text())
    assert (kept["exit"], "Traceback" in done.stderr) == (69, False)
    if path in (".artifacts/kept", "runs/run-1/artifacts/", ".artifacts/state"):
        assert (stack.record("run-1"), stack.history_fields("outcome", "exit")) == (done.record, [("failed", 69)])


def test_keys_that_are_not_there_are_refused_to_who_may_not_list_the_bucket(stack: Stack, proxy: Proxy) -> None:
    stack.push(COUNT)
    fault = proxy.fault("hide")
    runs = [stack.run(env={"AWS_ENDPOINT_URL": proxy.url}) for _ in range(2)]
    assert ([run.exit for run in runs], stack.state) == ([0, 0], b"2\n"), runs[0].stderr
    assert stack.history_fields("outcome", "state_replaced") == [("succeeded", True)] * 2
    assert fault.hidden >= 2  # the lease and the day's history


def test_credentials_that_expire_in_the_middle(stack: Stack, proxy: Proxy) -> None:
    running = stack.push(HOLDING).start(*RUN_1, env={"AWS_ENDPOINT_URL": proxy.url})
    running.wait_for("started")
    proxy.fault("answer", status=400, code="ExpiredToken")
    running.project.write("go", "")
    done = running.finish()
    assert (done.exit, stack.state, done.record["exit"]) == (69, None, 69)
    assert "the credentials have expired (ExpiredToken), valid ones expected" in done.record["reason"]
    assert "sign in again (aws sso login)" in done.stderr
    assert "the store's record of this run is not up to date" in done.stderr


def test_one_artifact_that_may_not_be_read(stack: Stack, proxy: Proxy) -> None:
    for number in range(20):
        stack.put(f".artifacts/a{number}", b"x")
    stack.put(".artifacts/state", b"old\n")
    proxy.fault("answer", method="GET", path=".artifacts/a7", status=403, code="AccessDenied")
    done = stack.push("touch ran; echo new").run(*RUN_1, env={"AWS_ENDPOINT_URL": proxy.url})
    place = f"{stack.moto_bucket.bucket}/{stack.moto_bucket.stack}/.artifacts/a7"
    assert (done.exit, f"the permission s3:GetObject on arn:aws:s3:::{place} expected" in done.stderr) == (69, True)
    assert (stack.record("run-1")["outcome"], stack.lock["released"], stack.state) == ("failed", True, b"old\n")
    assert (stack.get(".artifacts/a7"), stack.made[-1].path("ran").exists()) == (b"x", False)


@pytest.mark.parametrize("operation", ["bucket", "parameter"])
def test_what_is_missing(stack: Stack, operation: str) -> None:
    if operation == "bucket":
        stack.push("true")
    done = stack.run(env={"S3_BUCKET_NAME": "no-such-bucket-of-ours"} if operation == "bucket" else {})
    expected = {
        "bucket": "error: bucket no-such-bucket-of-ours: no such bucket found",
        "parameter": f"error: parameter {stack.moto_bucket.stack}__params: no such parameter found in region eu-central-1",
    }
    assert (done.exit, done.stderr.splitlines()[0]) == (69, expected[operation])


@pytest.mark.parametrize(
    ("name", "code", "error"),
    [("S3_BUCKET_NAME", 64, "error: S3_BUCKET_NAME: "), ("AWS_REGION", 69, "error: no AWS region configured\n")],
)
def test_what_is_not_set(stack: Stack, name: str, code: int, error: str) -> None:
    done = stack.run(env={name: ""})
    assert (done.exit, done.stderr.startswith(error)) == (code, True)


def test_a_disk_that_is_full_while_fetching(stack: Stack, small_disk: Path) -> None:
    for number in range(6):
        stack.put(f".env/files/f{number}", bytes(1_000_000))
    stack.put(".artifacts/state", b"old\n")
    done = stack.push("touch ran; echo new").run(*RUN_1, project=Project(small_disk))
    assert (done.exit, "No space left on device" in done.stderr, "make room" in done.stderr) == (69, True, True)
    assert (stack.state, stack.lock["released"], (small_disk / "ran").exists()) == (b"old\n", True, False)
    assert stack.record("run-1")["outcome"] == "failed", done.stderr
    assert stack.history_fields("outcome", "exit") == [("failed", 69)]


def test_a_store_that_is_away_while_a_run_goes_on_is_no_matter(stack: Stack, proxy: Proxy) -> None:
    python = stack.hurried(heartbeat=0.2, lease=60)
    running = stack.push(HOLDING).start(*RUN_1, python=python, env={"AWS_ENDPOINT_URL": proxy.url})
    running.wait_for("started")
    away = proxy.fault("answer", status=503, code="ServiceUnavailable")
    until(lambda: away.done > 2)
    proxy.faults.clear()
    running.project.write("go", "")
    assert (running.finish().exit, stack.state, stack.lock["released"]) == (0, b"new\n", True)
