"""Kills at any moment of the runtime, a stage, the watchdog, invoke: no torn state, nothing left, the next run works.

`--trials 6.5 --log-cli-level INFO` makes 1,007 of them and shows how the runs ended.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from doubles.runtime_project import MARK, Project, marked, until
from doubles.terminal import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubles.checkout import Checkout
    from doubles.runtime_project import Finished, Running

pytestmark = pytest.mark.takes(60)

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
KILLS = (*STOPPING, signal.SIGKILL)
OLD, NEW = b"old\n" * 50_000, b"new\n" * 50_000
WRITER = "for i in 1 2 3 4 5; do { yes new || true; } | head -n 10000; sleep 0.04; done"
MARKED_WRITER = f"touch running; {WRITER}"
ENDLESS = f"{MARKED_WRITER}; sleep 60"
LONGEST = 0.42  # seconds of the writer
AT_ONCE = 5  # no divisor of the kinds, so that they mix in each project
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kill:
    """What is killed, by which signal, so many seconds after the run began, or after its stages did where it is endless."""

    target: str
    number: signal.Signals
    delay: float
    endless: bool
    stage: int

    @property
    def writer(self) -> str:
        """The first stage."""
        if self.target == "watchdog":
            return MARKED_WRITER
        return ENDLESS if self.endless else WRITER


def killed(project: Project, kill: Kill) -> str:
    """One run that is killed, and what became of it, in a word; what is no tidy end is described at length."""
    project.keep(OLD)
    project.path("running").unlink(missing_ok=True)
    before = (project.record() or {}).get("run_id")
    running = project.params(kill.writer, "cat", "cat").start(env={"STOP_TIMEOUT": "4"})
    if kill.endless:
        running.wait_for("running")
        until(lambda: len(stages_of(running)) == 3 or running.process.poll() is not None)
    time.sleep(kill.delay)
    if kill.target == "runtime":
        running.send(kill.number)
    else:
        pids = stages_of(running) if kill.target == "stage" else [watchdog_of(running)]
        if kill.number == signal.SIGINT:  # a shell that gets it alone waits for what it runs
            pids = pids[-2:]
        os.kill(pids[kill.stage % len(pids)], kill.number)
    done = running.finish()
    if kill.number == signal.SIGKILL:
        until(lambda: not running.left(), "the stages to end", 5)
    if left := running.left():
        return f"left {left}"
    new = done.record if (done.record or {}).get("run_id") != before else None
    return ending_of(kill, done, new or {})


def ending_of(kill: Kill, done: Finished, record: dict[str, object]) -> str:
    """The end of a run in a word, where it is one that its kill explains."""
    if done.state not in (OLD, NEW):
        return f"a state of {len(done.state or b'')} bytes"
    code = 128 + kill.number
    found = (done.exit, record.get("outcome"), record.get("exit"), done.state == NEW)
    words: dict[tuple[object, ...], str] = {(0, "succeeded", 0, True): "succeeded"}
    if kill.target == "stage":
        words = {(code, "failed", code, False): "failed"}
    elif kill.target == "runtime" and kill.number == signal.SIGKILL:
        words |= {(-9, word, None, new): "killed" for word in ("running", None) for new in (False, True)}
        words[-9, "succeeded", 0, True] = "killed"
    elif kill.target == "runtime":
        words |= {(code, "stopped", code, False): "stopped", (-kill.number, None, None, False): "ended early"}
        if done.stderr.rstrip(": \n").endswith("KeyboardInterrupt"):  # by Python, before a line of ours is run
            words[1, None, None, False] = "ended early"
    return words.get(found, f"{kill} {found} {done.stderr}")


def children_of(running: Running) -> list[int]:
    """The pids of the runtime's children."""
    pid = running.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as children:  # noqa: PTH123
        return [int(child) for child in children.read().split()]


def stages_of(running: Running) -> list[int]:
    """The processes of its stages: each leads a group, in the session of the runtime."""
    return [pid for pid in children_of(running) if os.getpgid(pid) == pid != os.getsid(pid)]


def watchdog_of(running: Running) -> int:
    """The process of its watchdog: it leads a session."""
    return next(pid for pid in children_of(running) if os.getsid(pid) == pid)


def lines_of(project: Project) -> list[tuple[str, str]]:
    """Runs and outcomes in the history, every line of which must be whole."""
    texts = [path.read_text() for path in sorted(project.path(".artifacts/history").glob("*"))]
    entries = [json.loads(line) for text in texts for line in text.splitlines()]
    return [(entry["run_id"], entry["outcome"]) for entry in entries]


@pytest.mark.parametrize(
    ("target", "most", "ends"),
    [
        pytest.param("runtime", 100, {"stopped", "succeeded", "killed", "ended early"}, id="runtime"),
        pytest.param("stage", 25, {"failed"}, id="stage"),
        pytest.param("watchdog", 20, {"succeeded"}, id="watchdog"),
    ],
)
def test_a_kill_at_any_moment_leaves_the_old_state_or_the_new(
    projects: Callable[[str], Project], target: str, most: int, ends: set[str], trials: float
) -> None:
    """Runs follow one another in a few projects, and each begins after one that was killed; the last is left alone."""
    count = round(trials * most)
    by_chance = random.Random(f"{target} {count}")
    kills = []
    for index in range(count):
        endless = target != "runtime" or index % 3 > 0
        longest = LONGEST / 2 if target == "watchdog" else LONGEST if endless else 2 * LONGEST  # with its start
        number, delay, stage = KILLS[index % len(KILLS)], by_chance.uniform(0, longest), by_chance.randrange(3)
        kills.append(Kill(target, number, delay, endless, stage))
    at_once = max(1, min(AT_ONCE, count // 3))

    def chain(first: int) -> list[str]:
        project = projects(f"chain-{first}")
        found = [killed(project, kill) for kill in kills[first::at_once]]
        last = project.params("echo last").run()
        runs = lines_of(project)
        assert (last.exit, last.state, runs[-1]) == (0, b"last\n", (last.record["run_id"], "succeeded"))
        assert len({run for run, _ in runs}) == len(runs)
        return found

    with ThreadPoolExecutor(at_once) as pool:
        found = Counter(end for ends_of_chain in pool.map(chain, range(at_once)) for end in ends_of_chain)
    LOG.info("%s: %s", target, dict(found))
    assert (set(found) - ends, sum(found.values())) == (set(), count)


PIPELINE = f"""
    state: all
    commands:
      - shell: "{ENDLESS}"
      - command: cat
"""


def killed_by_way_of_invoke(checkout: Checkout, project: Project, number: signal.Signals, delay: float) -> str:
    """One `run-local` that is sent a signal, or with a terminal gets a Ctrl-C there, and what became of it."""
    project.keep(OLD)
    project.path("running").unlink(missing_ok=True)
    mark = uuid.uuid4().hex
    shown = show(checkout, "run-local", env={MARK: mark})
    shown.read_until(project.path("running").exists)
    end = time.monotonic() + delay
    shown.read_until(lambda: time.monotonic() > end)
    if number == signal.SIGINT:
        shown.type(b"\x03")  # the terminal sends it to the process group in its foreground
    else:
        shown.process.send_signal(number)
    exit_code = shown.finish()
    until(lambda: not marked(mark), "all processes to end")
    record = project.record()
    sent = signal.SIGHUP if number == signal.SIGKILL else number  # so the runtime takes the end of its watcher
    expected = (-9 if number == signal.SIGKILL else 128 + number, "stopped", 128 + sent, OLD)
    found = (exit_code, record["outcome"], record["exit"], project.state())
    return "stopped" if found == expected else f"{signal.Signals(number).name} {found[:3]} {shown.text}"


def test_a_kill_of_invoke_at_any_moment_leaves_the_old_state(checkout: Checkout, trials: float) -> None:
    """SIGINT is a real Ctrl-C on a terminal."""
    count = round(trials * 10)
    by_chance = random.Random(f"invoke {count}")
    kills = [(KILLS[1 - index % len(KILLS)], by_chance.uniform(0, LONGEST)) for index in range(count)]
    project = Project(checkout.project("shop", PIPELINE))
    found = Counter(killed_by_way_of_invoke(checkout, project, number, delay) for number, delay in kills)
    LOG.info("invoke: %s", dict(found))
    assert found == {"stopped": count}
    checkout.project("shop", "commands:\n  - shell: echo last\n")
    assert (checkout.invoke("run-local").exit, project.state(), len(lines_of(project))) == (0, b"last\n", count + 1)
