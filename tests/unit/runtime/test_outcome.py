"""The one rule: how all stages ended, and what that makes of the run."""

from __future__ import annotations

import pytest

from handoff_runtime.supervisor.outcome import Outcome, StageExit, UnreadInput, decide, describe, exit_code, signal_name

ROWS = UnreadInput(3, 30, more=True)


def end(status: int, at: float = 1.0, how: str = "") -> StageExit:
    return StageExit(status, at, "stopped" in how, "left" in how, ROWS if "unread" in how else None)


CASES = [
    pytest.param([end(0)], Outcome("succeeded", 0, ("ok",)), id="one"),
    pytest.param([end(0), end(0)], Outcome("succeeded", 0, ("ok", "ok")), id="all well"),
    pytest.param([end(3)], Outcome("failed", 3, ("failed",), 0), id="one failed"),
    pytest.param([end(-9)], Outcome("failed", 137, ("failed",), 0), id="killed"),
    pytest.param([end(-11), end(0)], Outcome("failed", 139, ("failed", "ok"), 0), id="crashed in the middle"),
    pytest.param([end(-13, how="left"), end(0)], Outcome("succeeded", 0, ("not needed", "ok")), id="reader had enough"),
    pytest.param([end(1, how="left"), end(0)], Outcome("succeeded", 0, ("not needed", "ok")), id="EPIPE told as 1"),
    pytest.param(
        [end(-15, how="stopped"), end(0)], Outcome("succeeded", 0, ("not needed", "ok")), id="stopped, unneeded"
    ),
    pytest.param([end(-13), end(0)], Outcome("failed", 141, ("failed", "ok"), 0), id="SIGPIPE with a reader there"),
    pytest.param(
        [end(-13, 1, "left"), end(1, 2)], Outcome("failed", 1, ("consequence", "failed"), 1), id="reader failed later"
    ),
    pytest.param(
        [end(-15, 3, "stopped"), end(2, 1), end(0, 2)],
        Outcome("failed", 2, ("stopped", "failed", "ok"), 1),
        id="middle",
    ),
    pytest.param(
        [end(5, 1), end(6, 2), end(7, 3)],
        Outcome("failed", 5, ("failed", "consequence", "consequence"), 0),
        id="first in time is first in line",
    ),
    pytest.param(
        [end(5, 3), end(6, 2), end(7, 1)],
        Outcome("failed", 7, ("consequence", "consequence", "failed"), 2),
        id="first in time is last in line",
    ),
    pytest.param(
        [end(5), end(6)], Outcome("failed", 6, ("consequence", "failed"), 1), id="at one time the last in line"
    ),
    pytest.param(
        [end(1, how="left"), end(1, how="left"), end(0)],
        Outcome("succeeded", 0, ("not needed", "not needed", "ok")),
        id="a chain nobody needs",
    ),
    pytest.param(
        [end(-13, 1, "left"), end(0, 1), end(1, 2)],
        Outcome("failed", 1, ("consequence", "ok", "failed"), 2),
        id="a reader that is fine before one that is not",
    ),
    pytest.param([end(0), end(1, how="left")], Outcome("failed", 1, ("ok", "failed"), 1), id="the last has no reader"),
    pytest.param(
        [end(-13, 2, "left"), end(0, 1, "unread")],
        Outcome("failed", 65, ("consequence", "failed"), 1),
        id="the last left some of its input",
    ),
    pytest.param([end(0, 1), end(0, 2, "unread")], Outcome("failed", 65, ("ok", "failed"), 1), id="and a small input"),
    pytest.param(
        [end(4, 1), end(0, 2, "unread")],
        Outcome("failed", 4, ("failed", "consequence"), 0),
        id="and its writer had failed before",
    ),
    pytest.param(
        [end(-15, 2, "left"), end(7, 1, "unread")],
        Outcome("failed", 7, ("consequence", "failed"), 1),
        id="and failed",
    ),
    pytest.param(
        [end(0, 1), end(0, 2, "stopped, unread")], Outcome("succeeded", 0, ("ok", "ok")), id="and was stopped"
    ),
    pytest.param([end(0), end(-15, how="stopped")], Outcome("succeeded", 0, ("ok", "stopped")), id="the last, stopped"),
]


@pytest.mark.parametrize(("endings", "expected"), CASES)
def test_a_run_is_judged_by_all_its_stages(endings: list[StageExit], expected: Outcome) -> None:
    assert decide(endings) == expected


@pytest.mark.parametrize(("signal", "code"), [(15, 143), (2, 130), (1, 129)])
@pytest.mark.parametrize("status", [0, 3, -9])
def test_a_run_that_was_told_to_stop_is_stopped_whatever_it_did(signal: int, code: int, status: int) -> None:
    found = decide([end(status, how="stopped"), end(0)], signal)
    assert (found.word, found.exit, found.culprit) == ("stopped", code, None)


def test_a_run_that_was_stopped_before_it_began_is_stopped() -> None:
    assert decide([], 15) == Outcome("stopped", 143, ())


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (0, 0, "ended with exit 0"),
        (255, 255, "ended with exit 255"),
        (-9, 137, "was ended by SIGKILL (out of memory?)"),
        (-15, 143, "was ended by SIGTERM"),
        (-50, 178, "was ended by signal 50"),
    ],
)
def test_a_status_has_a_code_and_words(status: int, code: int, words: str) -> None:
    assert (exit_code(status), describe(StageExit(status, 1.0))) == (code, words)


@pytest.mark.parametrize(
    ("unread", "words"),
    [
        (UnreadInput(198_647, 1_688_895, more=True), "at least 198,647 rows (1,688,895 bytes) were left unread"),
        (UnreadInput(1, 4, more=False), "1 row (4 bytes) were left unread"),
        (UnreadInput(None, 4, more=False), "4 bytes were left unread"),
        (UnreadInput(0, 0, more=True), "not all of it was read"),
        (UnreadInput(None, None, more=True), "not all of it was read"),
    ],
)
def test_what_was_left_unread_has_words(unread: UnreadInput, words: str) -> None:
    ending = StageExit(0, 1.0, unread=unread)
    assert describe(ending) == f"ended with exit 0 before its input was at its end: {words}"


def test_a_signal_has_a_name() -> None:
    assert (signal_name(11), signal_name(50)) == ("SIGSEGV", "signal 50")
