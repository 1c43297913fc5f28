"""The watchdog against a stage that writes into every descriptor of its ancestors: each case in a PID namespace of its own."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from doubles.runtime_project import PYTHON, START, environment

from handoff_runtime.supervisor import watchdog

if TYPE_CHECKING:
    from doubles.runtime_project import Project

UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "timeout", "-s", "KILL", "40")
ATTACK = """
import os, sys, time

def children(pid):
    return [int(pid) for pid in open(f"/proc/{pid}/task/{pid}/children").read().split()]

runtime = os.getppid()
others = [pid for pid in children(runtime) if pid != os.getpid()]
strangers = open("strangers").read().split()
lines = ["+1", "+0", "+-1", "-2", "?1", "no number", *(f"+{number}" for number in strangers)]
junk = "".join(f"{line}\\n" for line in lines).encode() + bytes([1, 2, 15, 255]) * 8
held = []
for pid in (runtime, *others):
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            place = f"/proc/{pid}/fd/{name}"
            if os.readlink(place).startswith(("/", "socket")):
                continue
            fd = os.open(place, os.O_WRONLY | os.O_NONBLOCK)
            os.write(fd, junk)
            held.append(fd)
        except OSError:
            continue
open("attacked", "w").write(str(len(held)))
while not os.path.exists("go"):
    time.sleep(0.02)
"""
SCENE = """
import json, os, signal, subprocess, sys, time

python, start, params, killed = sys.argv[1:]

def until(true, seconds=15):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()

def sleepers():
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if open(f"/proc/{name}/cmdline").read().startswith("sleep\\0") and "Z" not in open(f"/proc/{name}/stat").read():
                found.append(int(name))
        except OSError:
            pass
    return found

strangers = [
    subprocess.Popen(["sleep", "61"], start_new_session=True),
    subprocess.Popen(["sleep", "62"], preexec_fn=lambda: os.setpgid(0, 0)),
    subprocess.Popen(["sleep", "63"]),
]
open("strangers", "w").write(" ".join(str(each.pid) for each in strangers))
log = open("log", "w")
runtime = subprocess.Popen([python, start, "--params", params], stdin=subprocess.DEVNULL, stderr=log, start_new_session=True)
told = {"attacked": until(lambda: os.path.exists("attacked") and int(open("attacked").read() or 0) > 2)}
time.sleep(0.3)
told["running"] = runtime.poll() is None and len(sleepers()) == 4
if killed == "killed":
    runtime.kill()
else:
    open("go", "w").close()
told["exit"] = runtime.wait(20)
told["only strangers are left"] = until(lambda: sorted(sleepers()) == sorted(each.pid for each in strangers), 8)
told["strangers"] = [each.poll() for each in strangers]
json.dump(told, open("told", "w"))
"""


def scene(project: Project, *, killed: bool) -> Any:
    """What became of a run whose first stage attacks, of its stages, and of who has nothing to do with it."""
    project.write("scene.py", SCENE)
    argv = (
        *UNSHARE,
        PYTHON,
        str(project.path("scene.py")),
        PYTHON,
        START,
        str(project.params_file),
        "killed" if killed else "",
    )
    subprocess.run(argv, cwd=project.directory, env=environment(), check=False, timeout=60)
    result = project.path("told")
    return json.loads(result.read_text()) if result.exists() else "everything in the namespace was killed"


def test_a_killed_runtime_whose_stage_wrote_into_all_its_descriptors(project: Project) -> None:
    project.params([PYTHON, "-c", ATTACK], ["sleep", "64"])
    result = scene(project, killed=True)
    expected = {"attacked": True, "running": True, "exit": -9, "only strangers are left": True}
    assert result == {**expected, "strangers": [None, None, None]}


def test_a_run_ends_as_ever_after_a_stage_wrote_into_all_its_descriptors(project: Project) -> None:
    project.params([PYTHON, "-c", ATTACK], "sleep 64 & pid=$!; cat >/dev/null; kill $pid", meter="off")
    result = scene(project, killed=False)
    expected = {"attacked": True, "running": True, "exit": 0, "only strangers are left": True}
    assert result == {**expected, "strangers": [None, None, None]}


@pytest.mark.parametrize("group", [-1, 0, 1])
def test_no_number_that_means_many_is_a_group_of_ours(group: int) -> None:
    assert watchdog.is_ours(group, os.getsid(0)) is False


def test_a_group_is_known_by_its_session() -> None:
    with subprocess.Popen(["sleep", "20"], start_new_session=True) as sleep:
        assert (watchdog.is_ours(sleep.pid, os.getsid(0)), watchdog.is_ours(sleep.pid, sleep.pid)) == (False, True)
        sleep.kill()
