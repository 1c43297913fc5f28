"""Runs of a deployed project, on parts that really run it: what the container did, what the kit tells of it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from doubles.account import Account
    from doubles.checkout import Team, Told

pytestmark = pytest.mark.takes(215)


OPTIONS = ("--project", "worker")
PROJECT = """\
vars: {what: "true"}
commands:
  - shell: "echo level ${LEVEL:-} >&2; {{ what }}"
deploy: {stop_timeout: 10}
"""


def invoke(team: Team, account: Account, *words: str) -> Told:
    return team.invoke(*words, *OPTIONS, env=account.environ)


def stable(text: str) -> str:
    text = re.sub(r"\d\d:\d\d:\d\d", "CLOCK", text)
    text = re.sub(r"[0-9a-f-]{32,36}", "TASK", text)
    return re.sub(r"after [0-9.]+ s", "after N s", text)


def last(told: Told, count: int) -> list[str]:
    return stable(told.stderr).splitlines()[-count:]


@pytest.mark.network
def test_runs(team: Team, account: Account) -> None:
    team.project("worker", PROJECT)
    assert invoke(team, account, "deploy", "--yes").exit == 0

    told = invoke(team, account, "run", "--env", "LEVEL=high")
    assert (told.exit, told.stdout) == (0, "")
    assert re.search(r"CLOCK \S+ +\| level high\n", stable(told.stderr)), told.stderr
    assert last(told, 3) == [
        "CLOCK handoff | succeeded after N s",
        "task TASK succeeded (exit 0)",
        "next: invoke artifacts.get --project worker",
    ]

    assert invoke(team, account, "run", "--var", "what=echo 7").exit == 0
    told = invoke(team, account, "run", "--var", "what=echo 8", "--no-state")
    assert '256 CPU units, 512 MiB; data {"what": "echo 8"}; without state)' in told.stderr
    assert (told.exit, invoke(team, account, "state.show").stdout) == (0, "7\n")

    told = invoke(team, account, "run", "--var", "what=exit 3")
    assert (told.exit, last(told, 3)[0]) == (3, "task TASK failed: stage echo ended with exit 3 (exit 3)")

    told = invoke(team, account, "run", "--var", "what=head -c 1000m /dev/zero | tail")
    assert (told.exit, last(told, 3)[:2]) == (
        137,
        [
            "task TASK ran out of memory: it needed more than its 512 MiB (exit 137)",
            "hint: for one run: invoke run --project worker --cpu 256 --memory 1024; for all: projects/worker/project.yml, "
            "deploy: {cpu: 256, memory: 1024}, then: invoke deploy --project worker",
        ],
    )
    told = invoke(team, account, "run", "--var", "what=head -c 600m /dev/zero | tail", "--memory", "2GB")
    assert told.exit == 0, told.stderr

    account.faults.fail_start("CannotPullContainerError: dial tcp 10.0.0.1:443: i/o timeout")
    account.faults.lack_capacity()
    told = invoke(team, account, "run")
    assert told.exit == 0, told.stderr
    assert "not started: Capacity is unavailable at this time." in told.stderr
    assert "starting it again (2 of 3)" in told.stderr


@pytest.mark.network
def test_a_run_that_is_left_found_read_and_stopped(team: Team, account: Account) -> None:
    team.project("worker", PROJECT)
    assert invoke(team, account, "deploy", "--yes").exit == 0
    assert "image      up to date: " in invoke(team, account, "status").stdout

    started = invoke(team, account, "run", "--detach", "--var", "what=sleep 600")
    task = started.stdout.strip()
    assert (started.exit, bool(re.fullmatch("[0-9a-f-]{32,36}", task))) == (0, True)
    with team.start(
        "logs", "--follow", *OPTIONS, "--run", task, env=account.environ, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        first = process.stdout.readline().decode()
        assert f"task       {task} RUNNING since" in invoke(team, account, "status").stdout
        told = invoke(team, account, "run")
        assert (told.exit, last(told, 3)[0]) == (
            75,
            "task TASK did nothing: another run of the project is under way (exit 75)",
        )
        told = invoke(team, account, "stop")
        assert (told.exit, last(told, 2)) == (
            0,
            ["task TASK was stopped by invoke (exit 143)", "next: invoke logs --project worker"],
        )
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopped after" in rest.decode().splitlines()[-1]
    assert " of worker: echo" in first
    run = re.findall(r"run (\S+) of worker", first)[0]
    found = [json.loads(line) for line in invoke(team, account, "logs", "--json", "--run", run).stdout.splitlines()]
    assert found[0]["message"] == f"run {run} of worker: echo"
    line = json.loads(invoke(team, account, "status", "--json").stdout)
    assert (line["last_run"]["outcome"], line["tasks"], line["params"]) == (
        "stopped",
        [],
        {"state": "up to date", "version": 1, "stored_only": []},
    )
