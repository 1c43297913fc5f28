"""Runs of a deployed project, on parts that really run it: what the container did, what the kit tells of it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from doubles.account import Account
    from doubles.checkout import Checkout, InvokeResult

pytestmark = pytest.mark.takes(215)


OPTIONS = ("--project", "worker")
PROJECT = """\
vars: {what: "true"}
commands:
  - shell: "echo level ${LEVEL:-} >&2; {{ what }}"
deploy: {stop_timeout: 10}
"""


def invoke(checkout: Checkout, account: Account, *words: str) -> InvokeResult:
    return checkout.invoke(*words, *OPTIONS, env=account.environ)


def stable(text: str) -> str:
    text = re.sub(r"\d\d:\d\d:\d\d", "CLOCK", text)
    text = re.sub(r"[0-9a-f-]{32,36}", "TASK", text)
    return re.sub(r"after [0-9.]+ s", "after N s", text)


def last(result: InvokeResult, count: int) -> list[str]:
    """The last lines without states of the task, which may come before or after the last lines of its log."""
    lines = stable(result.stderr).splitlines()
    return [line for line in lines if not line.startswith(("DEPROVISIONING ", "STOPPED "))][-count:]


@pytest.mark.network
def test_runs(checkout: Checkout, account: Account) -> None:
    checkout.project("worker", PROJECT)
    assert invoke(checkout, account, "deploy", "--yes").exit == 0

    result = invoke(checkout, account, "run", "--env", "LEVEL=high")
    assert (result.exit, result.stdout) == (0, "")
    assert re.search(r"CLOCK \S+ +\| level high\n", stable(result.stderr)), result.stderr
    assert last(result, 3) == [
        "CLOCK handoff | succeeded after N s",
        "task TASK succeeded (exit 0)",
        "next: invoke artifacts.get --project worker",
    ]

    assert invoke(checkout, account, "run", "--var", "what=echo 7").exit == 0
    result = invoke(checkout, account, "run", "--var", "what=echo 8", "--no-state")
    assert '256 CPU units, 512 MiB; data {"what": "echo 8"}; without state)' in result.stderr
    assert (result.exit, invoke(checkout, account, "state.show").stdout) == (0, "7\n")

    result = invoke(checkout, account, "run", "--var", "what=exit 3")
    assert (result.exit, last(result, 3)[0]) == (3, "task TASK failed: stage echo ended with exit 3 (exit 3)")

    result = invoke(checkout, account, "run", "--var", "what=head -c 1000m /dev/zero | tail")
    assert (result.exit, last(result, 3)[:2]) == (
        137,
        [
            "task TASK ran out of memory: it needed more than its 512 MiB (exit 137)",
            "hint: for one run: invoke run --project worker --cpu 256 --memory 1024; for all: projects/worker/project.yml, "
            "deploy: {cpu: 256, memory: 1024}, then: invoke deploy --project worker",
        ],
    )
    result = invoke(checkout, account, "run", "--var", "what=head -c 600m /dev/zero | tail", "--memory", "2GB")
    assert result.exit == 0, result.stderr

    account.faults.fail_start("CannotPullContainerError: dial tcp 10.0.0.1:443: i/o timeout")
    account.faults.lack_capacity()
    result = invoke(checkout, account, "run")
    assert result.exit == 0, result.stderr
    again = r"starting it again in \d+ s \(attempt {}\)\n"
    assert re.search(rf"not started: Capacity is unavailable at this time\..*\n{again.format(2)}", result.stderr)
    assert re.search(rf"never started: its subnet cannot reach .*\n{again.format(3)}", result.stderr)


@pytest.mark.network
def test_a_run_that_is_left_found_read_and_stopped(checkout: Checkout, account: Account) -> None:
    checkout.project("worker", PROJECT)
    assert invoke(checkout, account, "deploy", "--yes").exit == 0
    assert "image      up to date: " in invoke(checkout, account, "status").stdout

    started = invoke(checkout, account, "run", "--detach", "--var", "what=sleep 600")
    task = started.stdout.strip()
    assert (started.exit, bool(re.fullmatch("[0-9a-f-]{32,36}", task))) == (0, True)
    with checkout.start(
        "logs", "--follow", *OPTIONS, "--run", task, env=account.environ, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        first = process.stdout.readline().decode()
        assert f"task       {task} RUNNING since" in invoke(checkout, account, "status").stdout
        result = invoke(checkout, account, "run")
        assert (result.exit, last(result, 3)[0]) == (
            75,
            "task TASK did nothing: another run of the project is under way (exit 75)",
        )
        result = invoke(checkout, account, "stop")
        assert (result.exit, last(result, 2)) == (
            0,
            ["task TASK was stopped by invoke (exit 143)", "next: invoke logs --project worker"],
        )
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopped after" in rest.decode().splitlines()[-1]
    assert " of worker: echo" in first
    run = re.findall(r"run (\S+) of worker", first)[0]
    found = [json.loads(line) for line in invoke(checkout, account, "logs", "--json", "--run", run).stdout.splitlines()]
    assert found[0]["message"] == f"run {run} of worker: echo"
    line = json.loads(invoke(checkout, account, "status", "--json").stdout)
    assert (line["last_run"]["exit"], line["tasks"], line["params"]) == (
        75,  # of the run that began last
        [],
        {"state": "up to date", "version": 1, "stored_only": []},
    )
