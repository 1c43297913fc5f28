"""The lifeline: in a container, the end of standard input is how the runtime learns that its caller is gone."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from doubles.runtime_project import Project, Running

SLOW = "touch started; exec sleep 60"


def begun(project: Project, *flags: str) -> Running:
    """The runtime, its params sent in a line and its standard input left open."""
    line = json.dumps(json.loads(project.params_file.read_text())) + "\n"
    running = project.start(*flags, source=("--params", "-"), stdin=subprocess.PIPE)
    assert running.process.stdin
    running.process.stdin.write(line.encode())
    running.process.stdin.flush()
    return running


def test_a_run_ends_well_with_its_caller_alive(project: Project) -> None:
    running = begun(project.params("cat; echo x", "cat"), "--lifeline")
    running.process.wait(20)
    assert (running.process.returncode, project.path(".artifacts/state").read_bytes()) == (0, b"x\n")
    running.end()


def test_a_run_is_stopped_when_its_caller_is_gone(project: Project) -> None:
    project.keep(b"old")
    running = begun(project.params(SLOW, "cat"), "--lifeline")
    running.wait_for("started")
    done = running.finish()
    assert (done.exit, done.record["outcome"], done.record["reason"]) == (129, "stopped", "stopped by SIGHUP")
    assert (done.state, running.left()) == (b"old", [])


def test_a_caller_gone_before_the_run_began_stops_it_too(project: Project) -> None:
    done = begun(project.params(SLOW, "cat"), "--lifeline").finish()
    assert (done.exit, done.record["outcome"], done.seconds < 20) == (129, "stopped", True)


def test_what_follows_the_params_is_no_end(project: Project) -> None:
    running = begun(project.params("sleep 1; echo x"), "--lifeline")
    assert running.process.stdin
    running.process.stdin.write(b"more\n" * 1000)
    running.process.stdin.flush()
    running.process.wait(20)
    assert running.process.returncode == 0
    running.end()


@pytest.mark.parametrize("params", [(), ("--params", "params.json")], ids=["no params", "a file"])
def test_it_belongs_to_standard_input(project: Project, params: tuple[str, ...]) -> None:
    running = project.params("true").start("--lifeline", source=params)
    done = running.finish()
    assert (done.exit, done.stderr) == (
        64,
        "error: argument --lifeline: found without `--params -`, whose standard input it watches\n",
    )
