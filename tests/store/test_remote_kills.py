"""The runtime killed at any moment: what lies in S3 is whole, the state old or new, and the next run works."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles.fault_proxy import Proxy
from doubles.runtime_project import Project

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubles.fault_proxy import Fault
    from doubles.stack_fixture import Stack

pytestmark = pytest.mark.takes(250)


COUNT = "read n < .artifacts/state || n=0; echo $((n+1)) > .artifacts/counter; echo $((n+1))"
SINGER = (
    "n=$(sed 's/[^0-9]//g' < .artifacts/state); for i in 1 2 3; do n=$((${n:-0}+1)); "
    """echo "{\\"at\\": $n}"; sleep 0.05; done"""
)
TRIALS, AT_ONCE = 200, 4


@dataclass
class Chain:
    """Runs of one stack, one after another, each in a workspace of its own; what each begins with is `at`."""

    stack: Stack
    directory: Path
    at: int = 0
    number: int = 0
    killed: int = 0

    def workspace(self) -> Path:
        self.number += 1
        made = self.directory / str(self.number)
        made.mkdir(parents=True)
        return made

    def run(
        self, until: Callable[[int], object] | None = None, step: int = 1, endpoint: str = "", settle: float = 0
    ) -> None:
        """One run, killed when `until` (told its pid) returns, if it has not ended by then; a look at what there is."""
        where = self.workspace()
        env = {"AWS_ENDPOINT_URL": endpoint or self.stack.moto_bucket.endpoint}
        python = self.stack.hurried(look=0.02, apart=0.02)
        with (where / "said").open("wb") as said:
            process = self.stack.start(project=Project(where), env=env, python=python, stdout=said, stderr=said).process
        if until:
            until(process.pid)
            os.kill(process.pid, signal.SIGKILL)
        code = process.wait()
        time.sleep(settle)
        if code:
            self.stack.expire_lease()
        self.end(code, where, step)

    def end(self, code: int, where: Path, step: int) -> None:
        said = (where / "said").read_text()
        assert code in (0, -signal.SIGKILL), said
        self.killed += code != 0
        now = self.counted()
        assert now in range(self.at, self.at + step + 1) if code else now == self.at + step, (now, self.at, code, said)
        self.at = now
        self.look()

    def counted(self) -> int:
        """The state, which must be whole."""
        found = json.loads(self.stack.state or b"0")
        return int(found["at"] if isinstance(found, dict) else found)

    def look(self) -> None:
        """Every object there is can be read as what it is."""
        assert (self.stack.get(".artifacts/counter") or b"0\n").endswith(b"\n")
        assert self.stack.lock is None or self.stack.lock["run_id"]


def chains(stack: Stack, shell: str, state: str) -> list[Stack]:
    """So many stacks, beside one another."""
    made = []
    for number in range(AT_ONCE):
        moto_bucket = replace(
            stack.moto_bucket, stack=f"{stack.moto_bucket.stack}-{number}", said=[], made=stack.moto_bucket.made
        )
        one = replace(stack, moto_bucket=moto_bucket)
        one.push(shell, state=state)
        made.append(one)
    return made


def slept(seconds: float, _pid: int) -> None:
    """Until it is that moment."""
    time.sleep(seconds)


def timed(chain: Chain, step: int) -> float:
    """A run that is left alone, and must work; its seconds."""
    began = time.monotonic()
    chain.run(step=step)
    return time.monotonic() - began


def killed_at_random(stack: Stack, directory: Path, trials: int, step: int) -> int:
    """So many runs killed at moments by chance; every twentieth is left alone and must work. How many were killed."""
    chain = Chain(stack, directory)
    chain.run(step=step)
    by_chance = random.Random(stack.moto_bucket.stack)
    usual = min(timed(chain, step) for _ in range(2))
    while chain.killed < trials:
        chain.run(partial(slept, by_chance.uniform(0, usual)), step)
        if chain.number % 20 == 0:
            usual = min(usual, timed(chain, step))
    chain.run(step=step)
    result = {path.split("/")[0] for path in stack.below("runs/") if path.endswith("/run.json")}
    lines = {line["run_id"]: line["outcome"] for line in stack.history()}
    assert {run: outcome for run, outcome in lines.items() if run not in result and outcome != "killed"} == {}
    assert {run: stack.record(run)["outcome"] for run in result} == {run: lines.get(run) for run in result}
    return chain.killed


def test_a_run_killed_at_any_moment(stack: Stack, tmp_path: Path, trials: float) -> None:
    stacks = chains(stack, COUNT, "all")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        each = max(1, round(trials * TRIALS / AT_ONCE))
        work = [
            pool.submit(killed_at_random, one, tmp_path / str(number), each, 1) for number, one in enumerate(stacks)
        ]
        assert [killed.result() for killed in work] == [each] * AT_ONCE


def test_a_singer_run_killed_at_any_moment(stack: Stack, tmp_path: Path, trials: float) -> None:
    stacks = chains(stack, SINGER, "singer")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        each = max(1, round(trials * 5))
        work = [
            pool.submit(killed_at_random, one, tmp_path / str(number), each, 3) for number, one in enumerate(stacks)
        ]
        assert [killed.result() for killed in work] == [each] * AT_ONCE


def kill_at(call: Fault, killed: threading.Event, pid: int) -> None:
    """Kill the run once the call is there, which goes on only then; or let it end without one."""
    while not call.done and running(pid):
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    killed.set()


def running(pid: int) -> bool:
    """Whether it has not ended; a zombie has."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_run_killed_while_any_one_call_is_under_way(stack: Stack, tmp_path: Path, trials: float) -> None:
    """The call arrives all the same, later: one after another (or every so many), from the first of a run to its last."""
    stack.push(COUNT)
    chain = Chain(stack, tmp_path / "runs")
    chain.run()
    for number in itertools.count(1, max(1, round(1 / trials))):
        before = chain.killed
        with Proxy.to(stack.moto_bucket.endpoint) as proxy:
            killed = threading.Event()
            call = proxy.fault("pass", every=number, times=1, then=killed.wait)
            chain.run(partial(kill_at, call, killed), endpoint=proxy.url, settle=0.1)
        if chain.killed == before:
            break
    chain.run()
    assert number > 12
