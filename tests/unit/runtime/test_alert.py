"""The message of a run: in the bounds of what sends it, in whole lines, and with commands that can be pasted."""

from __future__ import annotations

from typing import Any

import pytest

from handoff_runtime import alert

RECORD: dict[str, Any] = {
    "project": "rates",
    "environment": "prod",
    "command": "run",
    "trigger": "schedule",
    "schedule": "nightly",
    "run_id": "run-1",
    "outcome": "failed",
    "exit": 1,
    "culprit": "tap",
    "reason": "stage tap ended with exit 1",
    "data": {},
}
OPTIONS = "--project rates --environment prod"


def failure(log: bytes = b"", **more: Any) -> dict[str, Any]:
    return alert.compose_failure({**RECORD, **more}, log)


def test_a_whole_message() -> None:
    text = (
        "project      rates\nenvironment  prod\njob          main\nschedule     nightly\nrun          run-1\n"
        "outcome      failed\nculprit      tap\nexit         1\nreason       stage tap ended with exit 1\n\n"
        "The last lines of its log:\n02:00:00 tap | one\n02:00:01 tap | two\n\n"
        f"To look at it:\n  invoke history.show --remote --run run-1 {OPTIONS}\n"
        f"To run it again:\n  invoke run {OPTIONS}\n"
    )
    subject = "handoff prod/rates: failed, stage tap ended with exit 1"
    log = b"02:00:00 tap | \x1b[31mone\x1b[0m\n02:00:01 tap | two\n"
    assert failure(log) == {"format": 1, "kind": "failed", "subject": subject, "text": text}


@pytest.mark.parametrize(
    ("more", "subject"),
    [
        pytest.param({"reason": None, "exit": 75}, "handoff prod/rates: failed, exit 75", id="no reason"),
        pytest.param({"reason": "a\n\tb\x07 c"}, "handoff prod/rates: failed, a b c", id="several lines"),
        pytest.param({"reason": "größer \udc80"}, "handoff prod/rates: failed, gr??er ?", id="not ASCII"),
        pytest.param({"reason": "x" * 200}, f"handoff prod/rates: failed, {'x' * 68}...", id="too long"),
    ],
)
def test_a_subject_is_one_short_line_of_ascii(more: dict[str, Any], subject: str) -> None:
    found = failure(**more)
    assert (found["subject"], len(found["subject"]) < 100, found["text"].isprintable()) == (subject, True, False)
    found["text"].encode()


@pytest.mark.parametrize(
    ("more", "command"),
    [
        pytest.param({"data": {"run_id": "a", "trigger": "schedule"}}, "", id="of that run alone"),
        pytest.param({"data": {"day": "it's"}}, """ --data '{"day": "it'"'"'s"}'""", id="a quote"),
        pytest.param({"command": "mine", "data": {"n": 1}}, """ --command mine --data '{"n": 1}'""", id="a function"),
        pytest.param({"data": {"password": "***"}}, None, id="masked"),
        pytest.param({"data": {"list": ["x" * 1000]}}, None, id="long"),
    ],
)
def test_the_command_to_run_it_again(more: dict[str, Any], command: str | None) -> None:
    before, again = failure(**more)["text"].splitlines()[-2:]
    assert (again, "with its --data" in before) == (f"  invoke run {OPTIONS}{command or ''}", command is None)


@pytest.mark.parametrize(
    ("log", "first", "count"),
    [
        pytest.param([f"line {number}" for number in range(30)], "line 10", 20, id="the last twenty"),
        pytest.param(["é" * 300] * 30, "é" * 300, 13, id="as many as there is space for"),
        pytest.param(["x" * 9000], f"{'x' * 397}...", 1, id="a long one is cut"),
    ],
)
def test_the_last_lines_of_the_log(log: list[str], first: str, count: int) -> None:
    text = failure("".join(f"{line}\n" for line in log).encode())["text"]
    shown = text.partition("The last lines of its log:\n")[2].partition("\n\n")[0].splitlines()
    assert (len(text.encode()) <= 8192, shown[0], len(shown)) == (True, first, count)
    assert text.endswith(f"invoke run {OPTIONS}\n")
