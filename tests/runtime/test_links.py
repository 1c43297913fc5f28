"""Links that a stage leaves among its artifacts: none is followed out of there, into S3 or into the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from doubles.runtime_project import Project
    from doubles.stack_fixture import Stack

CONFIG = '{"password": "hunter2-secret"}'
LEAVE = (
    "cd .artifacts; echo x > real; mkdir dir; ln -s real inside; ln -s ../.env/config/tap.json cfg;"
    " ln -s ../../.env/config dir/all; ln -s /etc/hostname host; ln -s loop loop; ln -s .. up; mkfifo pipe; echo 1"
)


def test_no_link_that_leads_out_is_stored(stack: Stack) -> None:
    done = stack.push(LEAVE, files={"tap.json": CONFIG}).run("-d", '{"run_id": "run-1"}')
    kept = ["inside", "real", "state"]
    own = ["run.json", "stderr.log", "stdout.log"]
    assert (done.exit, stack.below(".artifacts/"), stack.below("runs/run-1/artifacts/")) == (
        0,
        kept,
        sorted([*kept, *own]),
    )
    notes = {
        path: [line for line in done.said("handoff") if f" .artifacts/{path}: " in line]
        for path in ("cfg", "host", "up")
    }
    assert notes["cfg"] == [
        "note: .artifacts/cfg: a link to .env/config/tap.json, which is outside of .artifacts: left out"
    ]
    assert [len(lines) for lines in notes.values()] == [1, 1, 1]
    assert any("note: .artifacts/dir/all: a link to .env/config," in line for line in done.said("handoff"))
    everything = b"".join(stack.get(key) or b"" for key in stack.below())
    assert b"hunter2-secret" not in everything


@pytest.mark.parametrize(
    "shell",
    [
        pytest.param(
            "echo 1; rm .artifacts/stdout.log; ln -s ../.env/config/tap.json .artifacts/stdout.log", id="output"
        ),
        pytest.param("echo 1; rm .artifacts/stdout.log; mkfifo .artifacts/stdout.log", id="output as a pipe"),
        pytest.param("echo 1; rm -r .artifacts; ln -s .env/config .artifacts", id="the artifacts"),
    ],
)
def test_what_is_stored_is_never_another_file(stack: Stack, shell: str) -> None:
    done = stack.push(shell, files={"tap.json": CONFIG}).run("-d", '{"run_id": "run-1"}')
    everything = b"".join(stack.get(key) or b"" for key in stack.below())
    assert (done.exit, b"hunter2-secret" in everything, stack.state) == (69, False, None)
    assert "Traceback" not in done.stderr


def test_a_link_of_the_last_run_is_not_written_through(project: Project) -> None:
    project.write("precious", "{}")
    for name in ("state.new", "run.json", "run.json.new", ".run.json", "stdout.log", "stderr.log"):
        project.path(".artifacts").mkdir(exist_ok=True)
        project.path(f".artifacts/{name}").symlink_to("../precious")
    done = project.params("echo new").run()
    assert (done.exit, done.state, project.path("precious").read_text()) == (0, b"new\n", "{}")
    assert [path.name for path in project.path(".artifacts").iterdir() if path.is_symlink()] == []


@pytest.mark.parametrize("place", ["ln -s ../precious", "mkfifo", "mkdir", "true"])
def test_a_stage_that_replaces_the_space_of_its_record_changes_nothing(project: Project, place: str) -> None:
    project.write("precious", "{}")
    done = project.params(f"rm .artifacts/.run.json; {place} .artifacts/.run.json").run()
    found = (done.exit, done.record["outcome"], done.record["exit"], project.path("precious").read_text())
    assert found == (0, "succeeded", 0, "{}")
