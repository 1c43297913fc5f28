"""Two containers of one stack, and others who write to it: one runs, nobody overwrites, whoever lost says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from doubles.runtime_project import Project, until

if TYPE_CHECKING:
    from pathlib import Path

    from doubles.fault_proxy import Proxy
    from doubles.runtime_project import Running
    from doubles.stack_fixture import Stack

pytestmark = pytest.mark.takes(80)


HOLDING = "touch started; until [ -e go ]; do sleep 0.02; done; echo done"
RUN_1 = ("-d", '{"run_id": "run-1"}')
COUNT = "read n < .artifacts/state || n=0; echo $((n+1))"


def first(stack: Stack, overlap: str = "fail", **start: Any) -> Running:
    """A run that goes on until `go` is there."""
    running = stack.push(HOLDING, overlap=overlap).start("-d", '{"run_id": "run-1"}', **start)
    running.wait_for("started")
    return running


def end(stack: Stack, running: Running) -> None:
    running.project.write("go", "")
    assert (running.finish().exit, stack.state, stack.lock["released"]) == (0, b"done\n", True)


def test_the_second_fails(stack: Stack) -> None:
    running = first(stack)
    done = stack.run()
    message = f"error: {stack.moto_bucket.stack}: another run of this project is under way: run run-1 holds it ("
    assert (done.exit, done.stderr.startswith(message), done.record) == (75, True, None)
    end(stack, running)
    assert stack.history_fields("outcome", "exit") == [("failed", 75), ("succeeded", 0)]


def test_the_second_is_skipped(stack: Stack) -> None:
    running = first(stack, "skip")
    done = stack.run()
    assert (done.exit, done.record) == (0, None)
    assert done.messages[0].startswith(f"handoff: skipped: {stack.moto_bucket.stack}: another run of this project")
    end(stack, running)
    assert stack.history_fields("outcome", "exit") == [("skipped", 0), ("succeeded", 0)]


def test_the_second_waits(stack: Stack) -> None:
    running = first(stack, "wait")
    waiting = stack.start()
    assert waiting.process.stderr
    assert b"waiting: " in waiting.process.stderr.readline()
    running.project.write("go", "")
    assert running.finish().exit == 0  # whether its lock is released no look can tell: the other one may have it by now
    waiting.project.write("go", "")
    assert (waiting.finish().exit, stack.history_fields("outcome")) == (0, [("succeeded",), ("succeeded",)])


def test_a_time_of_a_schedule_that_is_delivered_twice_is_run_once(stack: Stack, proxy: Proxy) -> None:
    """Each delivery is an execution of its own, whose restarts find their own claim; nobody else claims anything."""
    stack.push(COUNT)

    def deliver(execution: str, time: str = "04", schedule: str = "nightly", **more: str) -> tuple[int, list[str]]:
        data = json.dumps({"scheduled_at": f"2026-07-01T{time}:00:00Z", **more})
        env = {"HANDOFF_EXECUTION": execution, "HANDOFF_SCHEDULE": schedule, "AWS_ENDPOINT_URL_S3": proxy.url}
        done = stack.run("-d", data, env=env)
        return done.exit, [line for line in done.messages if "duplicate" in line]

    twice = "schedule nightly of 2026-07-01T04:00:00Z was delivered twice; execution one has run run-1"
    proxy.fault("lose", method="PUT", path="/occurrences/", times=1)
    assert deliver("one", run_id="run-1") == (0, [])  # a claim whose answer is lost is its own
    assert deliver("two") == (0, [f"handoff: duplicate: {twice}"])
    assert stack.state == b"1\n"
    assert deliver("one") == (0, [])
    assert deliver("two", time="05") == (0, [])
    assert deliver("two", schedule="hourly") == (0, [])
    assert (stack.run("-d", '{"scheduled_at": "2026-07-01T04:00:00Z"}').exit, stack.state) == (0, b"5\n")
    assert stack.history_fields("outcome", "exit", "reason")[:2] == [("succeeded", 0, None), ("duplicate", 0, twice)]
    assert [line["outcome"] for line in stack.history()].count("succeeded") == 5
    claims = ["hourly/2026-07-01T04:00:00Z", "nightly/2026-07-01T04:00:00Z", "nightly/2026-07-01T05:00:00Z"]
    assert stack.below("occurrences/") == claims
    stack.put("occurrences/nightly/2026-07-01T04:00:00Z", b"{")  # names nobody
    assert (deliver("two"), stack.state) == ((0, []), b"6\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"])
def test_who_waits_can_be_told_to_stop(stack: Stack, number: int, code: int) -> None:
    running = first(stack, "wait")
    waiting = stack.start("-d", '{"run_id": "run-2"}')
    assert waiting.process.stderr
    assert b"waiting: " in waiting.process.stderr.readline()
    waiting.send(number)
    done = waiting.finish()
    assert (done.exit, done.seconds < 5, stack.lock["run_id"]) == (code, True, "run-1")
    end(stack, running)
    assert stack.history_fields("run_id", "outcome") == [("run-2", "stopped"), ("run-1", "succeeded")]


@pytest.mark.parametrize("waits", [True, False], ids=["one waits for the other's end", "one does not"])
def test_of_fifty_races_each_has_one_winner(stack: Stack, tmp_path: Path, trials: float, *, waits: bool) -> None:
    """Two at the same moment; who loses is refused, or runs after the other has ended: then both count."""
    stack.push(f"until [ -e ../ended ]; do sleep 0.01; done; {COUNT}" if waits else COUNT, overlap="fail")
    expected = 0
    for trial in range(max(5, round(trials * 25))):
        ended = raced(stack, tmp_path / str(trial))
        expected += ended.count(0)
        assert sorted(ended) in ([[0, 75]] if waits else [[0, 75], [0, 0]])
        assert stack.state == f"{expected}\n".encode()
    outcomes = [outcome for (outcome,) in stack.history_fields("outcome")]
    assert (outcomes.count("succeeded"), outcomes.count("failed")) == (expected, 2 * (trial + 1) - expected)


def raced(stack: Stack, directory: Path) -> list[int]:
    def run(name: str) -> int:
        where = directory / name
        where.mkdir(parents=True)
        code = stack.start(project=Project(where), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).process.wait()
        (directory / "ended").touch()
        return code

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, "ab"))


@pytest.mark.parametrize("before", [None, b"7\n"], ids=["none before", "one before"])
def test_a_state_another_has_changed_is_not_overwritten(stack: Stack, before: bytes | None) -> None:
    if before:
        stack.put(".artifacts/state", before)
    running = first(stack)
    stack.put(".artifacts/state", b"newer\n")
    running.project.write("go", "")
    done = running.finish()
    assert (done.exit, stack.state, stack.lock["released"]) == (69, b"newer\n", True)
    record = stack.record("run-1")
    assert record == done.record
    assert (record["outcome"], record["exit"], record["state"]["replaced"]) == ("failed", 69, False)
    assert "another run stored a newer state since this one began" in record["reason"]
    assert stack.history_fields("outcome", "exit", "state_replaced") == [("failed", 69, False)]
    assert stack.get("runs/run-1/artifacts/state") == b"done\n"
    index = "".join(path.read_text() for path in running.project.path(".artifacts/history").iterdir())
    assert json.loads(index.splitlines()[-1])["exit"] == 69


def test_a_lost_lease_stops_the_run(stack: Stack) -> None:
    stack.put(".artifacts/state", b"7\n")
    stack.put(".artifacts/shared", b"another's\n")
    shell = "echo ours > .artifacts/shared; touch started; sleep 60"
    running = stack.push(shell).start("-d", '{"run_id": "run-1"}', python=stack.hurried(heartbeat=0.3, lease=60))
    running.wait_for("started")
    stack.put(".lock", b'{"run_id": "run-2"}')
    done = running.finish()
    assert (done.exit, done.seconds < 10, running.left()) == (69, True, [])
    record = stack.record("run-1")
    assert (record["outcome"], record["exit"], stack.state) == ("failed", 69, b"7\n")
    assert record["reason"].endswith("the lease of this run is lost: run run-2 has it")
    assert (stack.lock, stack.get(".artifacts/shared")) == ({"run_id": "run-2"}, b"another's\n")


def test_a_lease_lost_while_fetching_is_no_stop(stack: Stack, proxy: Proxy) -> None:
    stack.put(".env/files/f", b"a file")
    wait = proxy.fault("wait", method="GET", path=".env/files/f", seconds=3, times=1)
    python = stack.hurried(heartbeat=0.3, lease=60)
    running = stack.push("touch ran").start(*RUN_1, python=python, env={"AWS_ENDPOINT_URL": proxy.url})
    until(lambda: wait.done or running.process.poll() is not None)
    stack.put(".lock", b'{"run_id": "run-2"}')
    done = running.finish()
    assert (done.exit, running.project.path("ran").exists()) == (69, False)
    assert stack.record("run-1")["reason"].endswith("the lease of this run is lost: run run-2 has it")
    assert stack.history_fields("outcome") == [("failed",)]


def test_a_run_that_slept_too_long_stores_no_state(stack: Stack) -> None:
    """Halted, taken over, woken: what another has stored meanwhile stays."""
    running = first(stack, python=stack.hurried(heartbeat=0.3, lease=1))
    os.kill(running.process.pid, signal.SIGSTOP)
    stack.push("echo second")
    until(lambda: stack.run("-d", '{"run_id": "run-2"}').exit == 0, "the takeover")
    running.project.write("go", "")
    os.kill(running.process.pid, signal.SIGCONT)
    assert (running.finish().exit, stack.state) == (69, b"second\n")
    assert stack.record("run-1")["outcome"] == "failed"


def test_a_singer_state_meets_a_newer_one(stack: Stack) -> None:
    shell = "touch started; until [ -e go ]; do sleep 0.05; echo '{\"at\": 1}'; done"
    python = stack.hurried(look=0.1, apart=0.1)
    running = stack.push(shell, state="singer").start("-d", '{"run_id": "run-1"}', python=python)
    until(lambda: stack.state or running.process.poll() is not None)
    stack.put(".artifacts/state", b'{"at": 9}\n')
    running.project.write("go", "")
    assert (running.finish().exit, stack.state) == (69, b'{"at": 9}\n')
    assert stack.history_fields("outcome", "state_replaced") == [("failed", False)]
