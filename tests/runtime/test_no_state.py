"""Runs without state: a stage that is given the file sees an empty object, and what is stored stays as it was."""

from __future__ import annotations

import signal
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from doubles.runtime_project import until

if TYPE_CHECKING:
    from doubles.runtime_project import Project

TAP = ["sh", "-c", 'cat "$2" >&2', "tap", "--state", ".artifacts/state"]
EMIT = """cat; echo '{"new": 1}'"""
OLD = b'{"old": 1}'
WAYS: list[Any] = [
    pytest.param(("--no-state",), {}, id="by flag"),
    pytest.param((), {"HANDOFF_NO_STATE": "1"}, id="by environment"),
]


@pytest.mark.parametrize("mode", ["all", "singer", "none"])
@pytest.mark.parametrize("old", [OLD, None], ids=["one stored", "none stored"])
@pytest.mark.parametrize(("argv", "env"), WAYS)
def test_the_stored_state_is_neither_read_nor_replaced(
    project: Project, argv: tuple[str, ...], env: dict[str, str], old: bytes | None, mode: str
) -> None:
    if old:
        project.keep(old)
    done = project.params(TAP, EMIT, state=mode).run(*argv, env=env)
    kept_as = {"bytes": 10, "crc32": f"{zlib.crc32(OLD):08x}"} if old else None
    assert (done.exit, done.said("sh"), done.state) == (0, ["{}"], old)
    assert done.record["state"] == {"mode": "none", "before": kept_as, "after": kept_as, "replaced": False}
    kept = sorted(path.name for path in project.path(".artifacts").iterdir())
    assert [name for name in kept if name.startswith("state")] == (["state"] if old else [])


@pytest.mark.parametrize("value", ["", "0"])
def test_a_variable_that_says_no_is_none(project: Project, value: str) -> None:
    assert project.params(EMIT.removeprefix("cat; ")).run(env={"HANDOFF_NO_STATE": value}).state == b'{"new": 1}\n'


def test_a_variable_that_says_something_else_is_refused(project: Project) -> None:
    done = project.params("true").run(env={"HANDOFF_NO_STATE": "yes"})
    assert (done.exit, done.stderr) == (64, "error: HANDOFF_NO_STATE: 'yes' found, 1 or 0 expected\n")


@pytest.mark.parametrize(
    ("shell", "code"),
    [
        pytest.param("exit 3", 3, id="fails"),
        pytest.param("echo mine > .artifacts/state", 0, id="writes its own"),
        pytest.param("rm -f .artifacts/state", 0, id="removes it"),
    ],
)
@pytest.mark.parametrize("old", [OLD, None], ids=["one stored", "none stored"])
def test_whatever_a_stage_does_the_state_comes_back(project: Project, shell: str, code: int, old: bytes | None) -> None:
    if old:
        project.keep(old)
    done = project.params(TAP, f"cat; {shell}", state="singer").run("--no-state")
    assert (done.exit, done.state) == (code, old)


@pytest.mark.parametrize("old", [OLD, None], ids=["one stored", "none stored"])
@pytest.mark.parametrize("again", [(), ("--no-state",)], ids=["with state", "without"])
def test_a_run_that_was_killed_gives_the_state_back_to_the_next(
    project: Project, old: bytes | None, again: tuple[str, ...]
) -> None:
    if old:
        project.keep(old)
    tap = [*TAP[:2], 'cat "$2" >&2; touch there; exec sleep 60', *TAP[3:]]
    running = project.params(tap, "cat", state="singer").start("--no-state")
    running.wait_for("there")
    running.send(signal.SIGKILL)
    running.finish()
    until(lambda: not running.left(), "the guard, which holds the lock")
    assert project.state() == b"{}\n"
    done = project.params(TAP, "cat", state="singer").run(*again)
    assert done.said("sh") == ["{}" if again or not old else OLD.decode()]
    assert done.state == old


def test_a_target_is_still_to_read_all(project: Project) -> None:
    done = project.params("seq 1000000", "read first; echo '{}'", state="singer").run("--no-state")
    assert (done.exit, done.record["state"]["mode"]) == (65, "none")


def test_a_run_that_is_stopped_leaves_the_state(project: Project) -> None:
    project.keep(OLD)
    running = project.params("touch there; exec sleep 60", """cat; echo '{"a": 1}'""", state="singer").start(
        "--no-state"
    )
    running.wait_for("there")
    running.send(signal.SIGTERM)
    done = running.finish()
    assert (done.exit, done.state, done.record["state"]["replaced"]) == (143, OLD, False)
