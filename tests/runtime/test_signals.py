"""Real signals to real runs: what is stopped, in which order, and that nothing is left of it, ever."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from doubles.runtime_project import PYTHON, START, Project, Running, script, until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.takes(50)

TRICKLE = "touch running; i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"
DRAIN = "cat > got; echo committed >> got; sleep 0.3; echo end"
STUBBORN = script(
    "import signal, time\nfor number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)\n"
    "open('running', 'w').close()\ntime.sleep(60)"
)


@pytest.mark.parametrize("meter", ["rows", "off"])
@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
        pytest.param(signal.SIGINT, 130, id="SIGINT"),
        pytest.param(signal.SIGHUP, 129, id="SIGHUP"),
    ],
)
def test_a_stopped_run_lets_what_is_downstream_drain(project: Project, number: int, code: int, meter: str) -> None:
    project.keep(b"old")
    running = project.params(TRICKLE, "cat", DRAIN, meter=meter).start()
    running.wait_for("running")
    until(lambda: project.path("got").exists() and project.path("got").stat().st_size > 10)
    running.send(number)
    done = running.finish()
    assert (done.exit, running.left(), done.state) == (code, [], b"old")
    name = signal.Signals(number).name
    facts = [done.record[key] for key in ("outcome", "exit", "culprit", "reason")]
    assert facts == ["stopped", code, None, f"stopped by {name}"]
    assert done.verdicts == ["not needed", "ok", "ok"]
    assert done.figures("exit", "signal") == [(None, 15), (0, None), (0, None)]
    assert done.said("handoff")[1] == f"{name} received, stopping touch, cat, cat-2"
    *rows, last = project.path("got").read_text().splitlines()
    assert (last, rows) == ("committed", [str(number) for number in range(1, len(rows) + 1)])
    assert meter == "off" or done.record["stages"][0]["rows_out"] == len(rows)
    assert project.output() == b"end\n"
    assert done.seconds < 4


def test_a_state_that_was_committed_before_the_stop_is_kept(project: Project) -> None:
    running = project.params("touch running; sleep 60", """cat; echo '{"a": 1}'""", state="singer").start()
    running.wait_for("running")
    running.send(signal.SIGTERM)
    done = running.finish()
    assert (done.exit, done.state, done.record["state"]["replaced"]) == (143, b'{"a": 1}\n', True)


@pytest.mark.parametrize("stages", [(STUBBORN,), (STUBBORN, "cat"), ("yes", STUBBORN), ("cat", STUBBORN, "cat")])
def test_a_stage_that_ignores_it_is_killed_within_the_grace_time(
    project: Project, stages: tuple[str | list[str], ...]
) -> None:
    running = project.params(*stages).start(env={"STOP_TIMEOUT": "2"})
    running.wait_for("running")
    sent_at = time.monotonic()
    running.send(signal.SIGTERM)
    done = running.finish()
    assert (done.exit, running.left(), time.monotonic() - sent_at < 2.3) == (143, [], True)
    assert [signalled for (signalled,) in done.figures("signal")][stages.index(STUBBORN)] == 9


def test_a_second_signal_speeds_it_up(project: Project) -> None:
    running = project.params("cat", STUBBORN, "cat").start(env={"STOP_TIMEOUT": "120"})
    running.wait_for("running")
    sent_at = time.monotonic()
    running.send(signal.SIGINT)
    running.send(signal.SIGTERM)
    until(lambda: b"SIGTERM received" in project.path(".artifacts/stderr.log").read_bytes())
    done = running.finish()
    assert (done.exit in (130, 143), running.left(), time.monotonic() - sent_at < 3) == (True, [], True)


def test_many_signals_do_no_harm(project: Project) -> None:
    running = project.params(TRICKLE, "cat > /dev/null").start()
    running.wait_for("running")
    for _ in range(300):
        running.send(signal.SIGTERM)
    done = running.finish()
    assert (done.exit, done.record["outcome"], running.left()) == (143, "stopped", [])


def test_a_stage_that_was_halted_is_stopped_too(project: Project) -> None:
    running = project.params("touch running; kill -STOP $$; sleep 60", "cat").start()
    running.wait_for("running")
    running.send(signal.SIGTERM)
    done = running.finish()
    assert (done.exit, running.left(), done.seconds < 3) == (143, [], True)


def test_a_hangup_is_ignored_under_nohup(project: Project) -> None:
    shell = "touch running; until [ -e go ]; do sleep 0.02; done; echo new"
    running = project.params(shell).start(before='trap "" HUP; exec "$@"')
    running.wait_for("running")
    running.send(signal.SIGHUP)
    for group in {os.getpgid(pid) for pid in processes(running)} - {os.getpgid(0)}:
        os.killpg(group, signal.SIGHUP)
    project.write("go", "")
    done = running.finish()
    assert (done.exit, done.state) == (0, b"new\n")


def processes(running: Running) -> list[int]:
    """The pids of the runtime's children."""
    pid = running.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as children:  # noqa: PTH123
        return [int(child) for child in children.read().split()]


def test_who_waits_for_params_ends_when_told(project: Project) -> None:
    read, write = os.pipe()
    command = [PYTHON, START, "--params", "-"]
    with subprocess.Popen(command, cwd=project.directory, stdin=read, stderr=subprocess.DEVNULL) as process:
        until(lambda: waits_in_read(process.pid))
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT
    os.close(read)
    os.close(write)


def waits_in_read(pid: int) -> bool:
    """Whether a process sleeps in read(2) of its standard input."""
    with open(f"/proc/{pid}/syscall") as file:  # noqa: PTH123
        return file.read().split()[:2] == ["0", "0x0"]


# SIGKILL of the runtime


def test_a_killed_runtime_leaves_nothing_running(project: Project) -> None:
    project.keep(b"old")
    stages = (TRICKLE, "cat", STUBBORN)
    running = project.params(*stages).start()
    running.wait_for("running")
    until(lambda: len(running.left()) >= 5)
    running.send(signal.SIGKILL)
    running.process.wait()
    until(lambda: not running.left(), "the stages to end", 5)
    running.process.communicate()
    assert (project.state(), project.record()["outcome"]) == (b"old", "running")


@pytest.mark.parametrize(
    "daemon",
    [
        pytest.param("setsid sleep 60 &", id="a session of its own"),
        pytest.param("(setsid sleep 60 >/dev/null 2>&1 &)", id="adopted"),
        pytest.param("(setsid sh -c 'trap : TERM; sleep 60; sleep 60' >/dev/null 2>&1 &)", id="stubborn"),
        pytest.param(
            f"{PYTHON} {START} --params inner.json & until [ -e inner ]; do sleep 0.02; done", id="another run"
        ),
    ],
)
def test_a_killed_runtime_leaves_nothing_that_left_its_group(project: Project, daemon: str) -> None:
    inner = project.params("touch inner; (setsid sleep 60 >/dev/null 2>&1 &); sleep 60").params_file.read_text()
    project.write("elsewhere/inner.json", inner)
    shell = f"cd elsewhere; {daemon}\ntouch ../running; sleep 60"
    running = project.params(shell, "cat").start()
    running.wait_for("running")
    until(lambda: sum(line.startswith("sleep 60") for line in running.left()) >= 2)
    running.send(signal.SIGKILL)
    running.process.communicate()
    until(lambda: not running.left(), "the processes to end", 8)


def test_a_runtime_killed_in_the_middle_of_starting_leaves_nothing_running(
    projects: Callable[[str], Project], trials: float
) -> None:
    def killed(index: int) -> bool:
        running = projects(f"trial-{index}").params(*[STUBBORN] * 4).start()
        until(lambda: len(running.left()) >= 2 + index % 4)
        running.send(signal.SIGKILL)
        running.process.communicate()
        until(lambda: not running.left(), "the stages to end", 5)
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(killed, range(max(4, round(16 * trials)))))


def test_the_next_run_waits_until_a_killed_one_has_ended(project: Project) -> None:
    running = project.params(STUBBORN).start()
    running.wait_for("running")
    running.send(signal.SIGKILL)
    running.process.communicate()
    assert project.params("echo new").run().exit == 75
    until(lambda: not running.left(), "the stages to end", 5)
    assert project.run().state == b"new\n"


# what stages leave behind


COUNT = "for i in 1 2 3 4 5 6 7 8; do sleep 0.3; echo $i; done"


def test_processes_left_behind_are_waited_for_or_ended(projects: Callable[[str], Project]) -> None:
    """All at once, since each takes its time; every one with what was told, read, and how long it took."""
    stages: dict[str, tuple[tuple[str, ...], str, tuple[float, float], bytes]] = {
        "silent": (("echo 1; sleep 60 &", "cat"), "rows", (4.9, 7.5), b"1\n"),
        "silent in bytes": (("echo 1; sleep 60 &", "cat"), "bytes", (4.9, 7.5), b"1\n"),
        "silent unmetered": (("echo 1; sleep 60 &", "cat"), "off", (1.9, 6.0), b"1\n"),
        "of the last stage": (("cat", "echo 1; sleep 60 &"), "rows", (0.9, 3.5), b"1\n"),
        "in a session of its own": (("echo 1; setsid sleep 60 &", "cat"), "rows", (4.9, 7.5), b"1\n"),
        "still writing": ((f"({COUNT}) &", "cat"), "rows", (2.3, 4.5), b"1\n2\n3\n4\n5\n6\n7\n8\n"),
        "still telling": (("cat", f"({COUNT}) >&2 &"), "rows", (2.3, 4.5), b""),
        "a daemon": (("echo 1; setsid sh -c 'sleep 61; true' >/dev/null 2>&1 &", "cat"), "rows", (0, 4.0), b"1\n"),
        "a stubborn daemon": (
            ("echo 1; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' >/dev/null 2>&1 &", "cat"),
            "rows",
            (0, 4.0),
            b"1\n",
        ),
    }

    def tried(name: str) -> tuple[str, int, bytes, list[str], bool]:
        shells, meter, (least, most), _ = stages[name]
        running = projects(name).params(*shells, meter=meter).start(env={"STOP_TIMEOUT": "2"})
        done = running.finish()
        return name, done.exit, running.project.output(), running.left(), least < done.seconds < most

    with ThreadPoolExecutor(len(stages)) as pool:
        found = list(pool.map(tried, stages))
    assert found == [(name, 0, output, [], True) for name, (_, _, _, output) in stages.items()]


def test_what_was_left_behind_is_told(project: Project) -> None:
    done = project.params("echo 1; sleep 60 & echo 2 >&2").run()
    words = "stage echo has ended but left a process that keeps its output open; ending that"
    assert (done.exit, done.state, done.said("handoff")[1], done.said("echo")) == (0, b"1\n", words, ["2"])


def test_a_left_process_is_asked_once_before_it_is_killed(project: Project) -> None:
    daemon = script(
        "import os, signal, time\nif os.fork(): time.sleep(0.5); os._exit(0)\nos.setsid()\n"
        "def told(*_):\n    with open('told', 'a') as file: file.write('x')\n"
        "signal.signal(signal.SIGTERM, told)\n"
        "for fd in (0, 1, 2): os.close(fd)\nopen('ready', 'w').close()\nwhile True: time.sleep(1)"
    )
    running = project.params(daemon).start(env={"STOP_TIMEOUT": "5"})
    done = running.finish()
    assert (done.exit, running.left(), project.path("told").read_text()) == (0, [], "x")
