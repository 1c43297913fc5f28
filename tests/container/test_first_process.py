"""The runtime as the first process of a container (PID 1): signals it would not get, orphans it must wait for.

A PID namespace of its own is what makes it the first; no container is needed for that.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles.runtime_project import PYTHON, START, Project, Running, script, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.takes(60)

UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
RUNTIME = (PYTHON, START)
FIRST = (*UNSHARE, *RUNTIME)
SECOND = (*UNSHARE, "sh", "-c", '"$@" & wait $!; echo $? > code; exec sleep 30', "sh", *RUNTIME)
STOPS = [
    pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
    pytest.param(signal.SIGINT, 130, id="SIGINT"),
    pytest.param(signal.SIGHUP, 129, id="SIGHUP"),
]
STUBBORN = script(
    "import signal, time\nfor number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)\n"
    "open('running', 'w').close()\ntime.sleep(60)"
)


@pytest.fixture(scope="module", autouse=True)
def _allowed() -> None:
    """A namespace of our own, or a skip."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare(1) here, which makes a process the first of its namespace")
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no PID namespace of our own here: {tried.stderr.strip()}")


def children(pid: int) -> list[int]:
    """The pids of a process's children."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def first(process: subprocess.Popen[bytes]) -> int:
    """The pid, as we see it, of the first process of the namespace that unshare made."""
    until(lambda: children(process.pid) or process.poll() is not None, "the first process")
    return children(process.pid)[0]


def words(pid: int) -> list[str]:
    """A process's command line."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def watchdog(runtime: int) -> int:
    """The watchdog of a runtime: it runs the same command."""
    return next(pid for pid in children(runtime) if words(pid)[1] == START)


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal (proc(5), SigCgt)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def waits_in_read(pid: int) -> bool:
    """Whether a process sleeps in read(2) of its standard input."""
    return Path(f"/proc/{pid}/syscall").read_text().split()[:2] == ["0", "0x0"]


@pytest.fixture
def waiting(project: Project) -> Iterator[subprocess.Popen[bytes]]:
    """The runtime as first process, waiting for params that do not come."""
    command = [*FIRST, "--params", "-"]
    with subprocess.Popen(
        command, cwd=project.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


# signals


@pytest.mark.parametrize(("number", "code"), STOPS)
def test_who_waits_for_params_ends_when_told(waiting: subprocess.Popen[bytes], number: int, code: int) -> None:
    pid = first(waiting)
    until(lambda: words(pid)[0] == PYTHON and waits_in_read(pid))
    os.kill(pid, number)
    assert (waiting.wait(10), waiting.communicate()) == (code, (b"", b""))


@pytest.mark.parametrize(("number", "code"), STOPS)
def test_a_signal_just_after_the_start_ends_it(project: Project, number: int, code: int) -> None:
    """As soon as it can be caught; what comes before that, while Python itself starts, the kernel drops."""
    running = project.params("sleep 60").start(python=FIRST)
    pid = first(running.process)
    until(lambda: catches(pid, signal.SIGTERM))
    os.kill(pid, number)
    done = running.finish()
    assert (done.exit, running.left(), done.seconds < 5) == (code, [], True)
    assert done.record is None or done.record["outcome"] == "stopped"
    assert "Traceback" not in done.stderr


def test_signals_from_the_first_moment_on_end_it(project: Project) -> None:
    running = project.params("sleep 60").start(python=FIRST)
    pid = first(running.process)
    while running.process.poll() is None:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            break
        time.sleep(0.001)
    done = running.finish()
    assert (done.exit, running.left(), done.seconds < 5) == (143, [], True)


def test_a_hangup_is_ignored_under_nohup(project: Project) -> None:
    shell = "touch running; until [ -e go ]; do sleep 0.02; done; echo new"
    running = project.params(shell).start(before='trap "" HUP; exec "$@"', python=FIRST)
    running.wait_for("running")
    os.kill(first(running.process), signal.SIGHUP)
    project.write("go", "")
    done = running.finish()
    assert (done.exit, done.state) == (0, b"new\n")


@pytest.mark.parametrize(("number", "code"), STOPS)
def test_a_run_that_is_stopped_drains_and_leaves_its_record(project: Project, number: int, code: int) -> None:
    project.keep(b"old")
    trickle = "touch running; i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"
    running = project.params(trickle, "cat > got; echo committed >> got").start(python=FIRST)
    running.wait_for("running")
    os.kill(first(running.process), number)
    done = running.finish()
    facts = [done.record[key] for key in ("outcome", "exit", "reason")]
    assert facts == ["stopped", code, f"stopped by {signal.Signals(number).name}"]
    assert (done.exit, done.verdicts, done.state) == (code, ["not needed", "ok"], b"old")
    assert project.path("got").read_text().splitlines()[-1] == "committed"
    assert (running.left(), done.seconds < 4) == ([], True)


def test_a_stage_that_ignores_it_is_killed_within_the_grace_time(project: Project) -> None:
    running = project.params(STUBBORN, "cat").start(python=FIRST, env={"STOP_TIMEOUT": "2"})
    running.wait_for("running")
    sent_at = time.monotonic()
    os.kill(first(running.process), signal.SIGTERM)
    done = running.finish()
    assert (done.exit, running.left(), time.monotonic() - sent_at < 2.3) == (143, [], True)
    assert done.figures("signal") == [(9,), (15,)]


# orphans


DAEMONS = 200
FORKS = script(f"""
import os, time
for number in range({DAEMONS}):
    child = os.fork()
    if child == 0:
        parent = os.getpid()
        if os.fork() == 0:
            while os.getppid() == parent:
                time.sleep(0.001)
            os.write(1, b"%d\\n" % os.getppid())
            time.sleep(number % 10 / 100)
        os._exit(0)
    os.waitpid(child, 0)
os.write(1, b"end\\n")
while not os.path.exists("seen"):
    time.sleep(0.01)
""")
WATCHES = script("""
import json, os, select, time
def zombies():
    found = set()
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    found.add(name)
        except OSError:
            pass
    return found
since, longest, heard, ended = {}, 0.0, b"", None
while ended is None or time.monotonic() < ended + 0.5:
    if select.select([0], [], [], 0.01)[0]:
        heard += os.read(0, 65536)
        ended = ended or (time.monotonic() if b"end" in heard else None)
    now, there = time.monotonic(), zombies()
    since = {pid: since.get(pid, now) for pid in there}
    longest = max([longest, *(now - begun for begun in since.values())])
parents = heard.replace(b"end", b"").decode().split()
print(json.dumps({"adopted": parents.count("1"), "daemons": len(parents), "left": len(zombies()), "longest": longest}))
open("seen", "w").close()
""")


@pytest.mark.parametrize("meter", ["rows", "off"])
def test_orphans_are_waited_for_while_the_run_goes_on(project: Project, meter: str) -> None:
    running = project.params(FORKS, WATCHES, meter=meter).start(python=FIRST)
    done = running.finish()
    seen = json.loads(project.output())
    longest = seen.pop("longest")
    assert (done.exit, seen) == (0, {"adopted": DAEMONS, "daemons": DAEMONS, "left": 0})
    assert longest < 0.5
    assert running.left() == []


def test_a_daemon_left_behind_is_ended(project: Project) -> None:
    shell = "echo 1; setsid sh -c 'trap \"\" TERM; touch there; while :; do sleep 1; done' >/dev/null 2>&1 &"
    waits = "until [ -e there ]; do sleep 0.01; done; cat"
    running = project.params(shell, waits).start(python=FIRST, env={"STOP_TIMEOUT": "2"})
    done = running.finish()
    assert (done.exit, project.output(), running.left(), done.seconds < 4) == (0, b"1\n", [], True)


# the watchdog


def test_a_killed_first_process_takes_everything_with_it(project: Project) -> None:
    """The kernel ends the namespace, the watchdog included: the next run has the place to itself."""
    running = project.params(STUBBORN, "cat").start(python=FIRST)
    running.wait_for("running")
    os.kill(first(running.process), signal.SIGKILL)
    done = running.finish()
    assert (running.left(), done.record["outcome"]) == ([], "running")
    assert project.params("echo new").run(python=FIRST).state == b"new\n"


def runtime_under_init(running: Running) -> int:
    """The runtime where something else is the first process."""
    return next(pid for pid in children(first(running.process)) if words(pid)[1] == START)


def test_the_watchdog_ends_the_stages_of_a_killed_runtime_under_an_init(project: Project) -> None:
    running = project.params(STUBBORN, "cat", "sleep 50").start(python=SECOND)
    running.wait_for("running")
    runtime = runtime_under_init(running)
    until(lambda: len(children(runtime)) == 4)
    os.kill(runtime, signal.SIGKILL)
    until(lambda: project.path("code").exists(), "the init to see it")
    until(lambda: len(running.left()) == 2, "the stages and the watchdog to end", 5)
    assert sorted(line.split()[0] for line in running.left()) == ["sleep", "unshare"]
    assert (project.path("code").read_text(), project.record()["outcome"]) == ("137\n", "running")
    running.end()


@pytest.mark.parametrize("before", [pytest.param(FIRST, id="first"), pytest.param(RUNTIME, id="not first")])
def test_a_run_goes_on_without_its_watchdog(project: Project, before: tuple[str, ...]) -> None:
    shell = "touch running; until [ -e go ]; do sleep 0.02; done; echo new"
    running = project.params(shell, "cat").start(python=before)
    running.wait_for("running")
    runtime = first(running.process) if before == FIRST else running.process.pid
    os.kill(watchdog(runtime), signal.SIGKILL)
    until(lambda: len(children(runtime)) == 2, "the watchdog to be waited for")
    project.write("go", "")
    done = running.finish()
    assert (done.exit, done.state, done.verdicts, running.left()) == (0, b"new\n", ["ok", "ok"], [])
