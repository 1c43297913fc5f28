"""Two runs of one project: the second fails, is skipped, or waits, as the project says."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from doubles.runtime_project import until

if TYPE_CHECKING:
    from doubles.runtime_project import Project, Running

HOLDING = "touch started; until [ -e go ]; do sleep 0.05; done; echo done"


def first(project: Project, overlap: str) -> Running:
    """A run that goes on until `go` is there."""
    running = project.params(HOLDING, overlap=overlap).start()
    running.wait_for("started")
    return running


def history(project: Project) -> list[Any]:
    files = sorted(project.path(".artifacts/history").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def end(project: Project, running: Running) -> None:
    """Let the first run go, and see that nobody disturbed it."""
    project.write("go", "")
    done = running.finish()
    assert (done.exit, done.record["outcome"], done.state) == (0, "succeeded", b"done\n")


def test_the_second_fails_where_nothing_is_said(project: Project) -> None:
    running = first(project, "fail")
    done = project.start().finish()
    pid = running.process.pid
    assert (done.exit, done.stderr) == (
        75,
        f"error: .artifacts: another run of this project is under way (process {pid})\n"
        f"hint: wait for it, or stop it: kill {pid}\n",
    )
    end(project, running)
    assert [entry["outcome"] for entry in history(project)] == ["succeeded"]


def test_the_second_is_skipped(project: Project) -> None:
    running = first(project, "skip")
    done = project.start().finish()
    reason = f".artifacts: another run of this project is under way (process {running.process.pid})"
    assert (done.exit, done.messages) == (0, [f"handoff: skipped: {reason}"])
    assert done.record["outcome"] == "running"
    end(project, running)
    result = [(entry["outcome"], entry["exit"], entry["reason"]) for entry in history(project)]
    assert result == [("skipped", 0, reason), ("succeeded", 0, None)]


def test_the_second_waits(project: Project) -> None:
    running = first(project, "wait")
    waiting = project.start()
    assert waiting.process.stderr
    assert b"waiting: .artifacts: another run of this project is under way" in waiting.process.stderr.readline()
    project.write("go", "")
    done = waiting.finish()
    assert (running.finish().exit, done.exit, done.state) == (0, 0, b"done\n")
    assert [entry["outcome"] for entry in history(project)] == ["succeeded", "succeeded"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"])
def test_who_waits_can_be_told_to_stop(project: Project, number: int, code: int) -> None:
    running = first(project, "wait")
    waiting = project.start()
    assert waiting.process.stderr
    assert b"waiting" in waiting.process.stderr.readline()
    waiting.send(number)
    done = waiting.finish()
    assert (done.exit, done.seconds < 5) == (code, True)
    end(project, running)
    assert [entry["outcome"] for entry in history(project)] == ["stopped", "succeeded"]


def test_a_killed_run_is_in_the_history(project: Project) -> None:
    running = first(project, "fail")
    run_id = project.record()["run_id"]
    running.process.kill()
    running.process.wait()
    until(lambda: not running.left(), "the stages' end")
    project.write("go", "")
    assert project.start().finish().exit == 0
    result = [(entry["run_id"] == run_id, entry["outcome"], entry["exit"]) for entry in history(project)]
    assert result == [(True, "killed", None), (False, "succeeded", 0)]


@pytest.mark.parametrize("run_id", ["../x", "a/b", ".x", "a b", "x" * 101, "ä"])
def test_a_run_s_id_names_no_other_place(project: Project, run_id: str) -> None:
    done = project.params("true").run("-d", json.dumps({"run_id": run_id}))
    assert (done.exit, done.record) == (64, None)
    assert "data: run_id" in done.stderr
