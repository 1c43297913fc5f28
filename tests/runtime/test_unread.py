"""A Singer target that ends before its input does has failed, whatever its exit says; one that read all has not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from doubles.runtime_project import script

if TYPE_CHECKING:
    from doubles.runtime_project import Project

pytestmark = pytest.mark.takes(60)

METERS = ("rows", "bytes", "off")
EARLY = "ended with exit 0 before its input was at its end: "
NOT_ALL = "not all of it was read"


def target(size: int) -> list[str]:
    """Reads exactly so many bytes, prints a state, and ends."""
    return script(
        f"import os; size = {size}\nwhile size: size -= len(os.read(0, size))\n"
        """print('{"a": 1}', flush=True); os._exit(0)"""
    )


def many_rows(words: str) -> str:
    return re.sub(r"[0-9,]{5,}", "N", words)


@pytest.mark.parametrize(
    ("meter", "words"),
    [
        ("rows", "at least N rows (N bytes) were left unread"),
        ("bytes", "at least N bytes were left unread"),
        ("off", NOT_ALL),
    ],
)
def test_a_target_that_reads_one_row_of_many(project: Project, meter: str, words: str) -> None:
    done = project.params("seq 2000000", target(2), state="singer", meter=meter).run()
    name = done.record["culprit"]
    assert (done.exit, done.verdicts, done.state) == (65, ["consequence", "failed"], b'{"a": 1}\n')
    if meter == "off":
        assert done.record["reason"].startswith(f"stage {name} {EARLY}")
    else:
        assert many_rows(done.record["reason"]) == f"stage {name} {EARLY}{words}"
    hint = "hint: a target must read its input to the end; for one that need not, write `state: all`"
    assert hint in done.said("handoff")


@pytest.mark.parametrize(
    ("meter", "words"),
    [("rows", "2 rows (4 bytes) were left unread"), ("bytes", "4 bytes were left unread"), ("off", NOT_ALL)],
)
@pytest.mark.parametrize("attempt", range(5))
def test_a_target_that_reads_one_row_of_few(project: Project, meter: str, words: str, attempt: int) -> None:
    done = project.params(["printf", r"1\n2\n3\n"], target(2), state="singer", meter=meter).run()
    reason = f"stage {done.record['culprit']} {EARLY}{words}"
    assert (done.exit, done.verdicts[-1], done.record["reason"], attempt >= 0) == (65, "failed", reason, True)


@pytest.mark.parametrize("meter", METERS)
@pytest.mark.parametrize(
    "tap",
    [
        pytest.param("echo 1; echo 2; echo 3", id="ends at once"),
        pytest.param("echo 1; echo 2; echo 3; sleep 0.01", id="ends about then"),
        pytest.param("echo 1; echo 2; echo 3; sleep 0.1", id="ends a little later"),
        pytest.param("echo 1; echo 2; echo 3; exec >&-; sleep 0.1", id="closes, and ends later"),
    ],
)
def test_a_target_that_read_all_has_not_failed(project: Project, meter: str, tap: str) -> None:
    project.params(tap, target(6), state="singer", meter=meter)
    for _ in range(15):
        done = project.run()
        assert (done.exit, done.verdicts, done.record["reason"]) == (0, ["ok", "ok"], None)


@pytest.mark.parametrize("meter", METERS)
def test_a_tap_may_take_its_time_to_end(project: Project, meter: str) -> None:
    done = project.params("echo 1; sleep 2.5", target(2), state="singer", meter=meter).run()
    assert (done.exit, done.verdicts, done.record["reason"]) == (0, ["ok", "ok"], None)


@pytest.mark.parametrize("meter", METERS)
def test_a_tap_that_goes_on_though_its_target_has_ended_is_stopped(project: Project, meter: str) -> None:
    running = project.params("echo 1; exec sleep 60", target(2), state="singer", meter=meter)
    done = running.run(env={"STOP_TIMEOUT": "2"})
    reason = f"stage {done.record['culprit']} {EARLY}{NOT_ALL}"
    assert (done.exit, done.verdicts, done.record["reason"]) == (65, ["stopped", "failed"], reason)
    assert done.seconds < 10


@pytest.mark.parametrize("meter", METERS)
def test_a_tap_that_writes_more_when_its_target_has_ended(project: Project, meter: str) -> None:
    done = project.params("echo 1; sleep 0.5; echo 2; sleep 0.3; echo 3", target(2), state="singer", meter=meter).run()
    assert (done.exit, done.verdicts[-1], done.record["culprit"]) == (65, "failed", done.record["stages"][-1]["name"])


@pytest.mark.parametrize("meter", ["rows", "bytes"])
def test_a_tap_that_fails_when_its_target_has_ended_is_to_blame(project: Project, meter: str) -> None:
    done = project.params("echo 1; sleep 0.3; exit 4", target(2), state="singer", meter=meter).run()
    assert (done.exit, done.verdicts, done.record["culprit"]) == (4, ["failed", "ok"], "echo")


@pytest.mark.parametrize("meter", METERS)
@pytest.mark.parametrize(
    ("stages", "state"),
    [
        pytest.param(("seq 100000", "head -n 1"), "all", id="no Singer target"),
        pytest.param(("seq 100000", "head -n 5", "cat >/dev/null; echo '{}'"), "singer", id="a stage between"),
        pytest.param(("seq 100000", "sleep 0.2; cat >/dev/null"), "singer", id="one that begins late"),
        pytest.param(("true", "true"), "singer", id="nothing to read"),
    ],
)
def test_who_need_not_read_all(project: Project, meter: str, stages: tuple[str, ...], state: str) -> None:
    done = project.params(*stages, state=state, meter=meter).run()
    assert (done.exit, done.record["reason"]) == (0, None)
