"""The rule that judges a run, as a table: how the stages ended, and what that means."""

from __future__ import annotations

import pytest

from handoff_runtime.outcome import Ending, Outcome, decide, exit_code, told

OK, FAILED, CONSEQUENCE, NOT_NEEDED, STOPPED = "ok", "failed", "consequence", "not needed", "stopped"
SIGPIPE, SIGKILL, SIGTERM = -13, -9, -15


@pytest.mark.parametrize(
    ("endings", "signal", "expected"),
    [
        pytest.param([Ending(0, 1.0)], None, Outcome("succeeded", 0, (OK,), None), id="one stage"),
        pytest.param([Ending(3, 1.0)], None, Outcome("failed", 3, (FAILED,), 0), id="one stage fails"),
        pytest.param(
            [Ending(1, 1.0), Ending(0, 2.0)],
            None,
            Outcome("failed", 1, (FAILED, OK), 0),
            id="the last one's 0 is not all",
        ),
        pytest.param(
            [Ending(5, 2.0), Ending(4, 1.0)],
            None,
            Outcome("failed", 4, (CONSEQUENCE, FAILED), 1),
            id="the first in time is the cause",
        ),
        pytest.param(
            [Ending(SIGPIPE, 1.0, left=True), Ending(0, 1.0)],
            None,
            Outcome("succeeded", 0, (NOT_NEEDED, OK), None),
            id="yes | head",
        ),
        pytest.param(
            [Ending(1, 1.0, left=True), Ending(0, 0.5)],
            None,
            Outcome("succeeded", 0, (NOT_NEEDED, OK), None),
            id="a Python writer told by EPIPE",
        ),
        pytest.param(
            [Ending(SIGPIPE, 1.0, left=True), Ending(7, 1.5)],
            None,
            Outcome("failed", 7, (CONSEQUENCE, FAILED), 1),
            id="the writer ends before its reader's exit is known",
        ),
        pytest.param(
            [Ending(SIGPIPE, 1.0, left=True), Ending(0, 1.0), Ending(2, 5.0)],
            None,
            Outcome("failed", 2, (CONSEQUENCE, OK, FAILED), 2),
            id="a later stage fails after an early end",
        ),
        pytest.param(
            [Ending(SIGPIPE, 1.0), Ending(0, 2.0)],
            None,
            Outcome("failed", 141, (FAILED, OK), 0),
            id="SIGPIPE from elsewhere, the reader still there",
        ),
        pytest.param(
            [Ending(0, 1.0), Ending(SIGPIPE, 1.0, left=True)],
            None,
            Outcome("failed", 141, (OK, FAILED), 1),
            id="nothing reads the last stage but us",
        ),
        pytest.param(
            [Ending(SIGTERM, 3.0, stopped=True), Ending(0, 1.0)],
            None,
            Outcome("succeeded", 0, (NOT_NEEDED, OK), None),
            id="stopped by us, not needed",
        ),
        pytest.param(
            [Ending(SIGTERM, 2.0, stopped=True), Ending(9, 1.0), Ending(0, 2.0)],
            None,
            Outcome("failed", 9, (STOPPED, FAILED, OK), 1),
            id="upstream of a failure is stopped",
        ),
        pytest.param(
            [Ending(SIGKILL, 1.0), Ending(0, 2.0)],
            None,
            Outcome("failed", 137, (FAILED, OK), 0),
            id="killed from outside",
        ),
        pytest.param(
            [Ending(SIGTERM, 1.0, stopped=True), Ending(0, 2.0)],
            15,
            Outcome("stopped", 143, (NOT_NEEDED, OK), None),
            id="SIGTERM, drained",
        ),
        pytest.param(
            [Ending(0, 1.0)], 2, Outcome("stopped", 130, (OK,), None), id="a stage that ends with 0 on SIGINT"
        ),
        pytest.param([], 15, Outcome("stopped", 143, (), None), id="before it began"),
    ],
)
def test_decide(endings: list[Ending], signal: int | None, expected: Outcome) -> None:
    assert decide(endings, signal) == expected


@pytest.mark.parametrize(("status", "code"), [(0, 0), (3, 3), (255, 255), (-9, 137), (-15, 143)])
def test_exit_code(status: int, code: int) -> None:
    assert exit_code(status) == code


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (3, "ended with exit 3"),
        (-11, "was ended by SIGSEGV"),
        (-9, "was ended by SIGKILL (out of memory?)"),
        (-63, "was ended by signal 63"),
    ],
)
def test_told(status: int, words: str) -> None:
    assert told(status) == words
