"""The samples and starters, as their first reader would try them: each runs for real, and twice."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from doubles.checkout import ROOT, Checkout

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.takes(60)

MADE = shutil.ignore_patterns("venv", ".env", ".artifacts")


def sample(checkout: Checkout, name: str) -> Path:
    """A copy of a sample of ours, as a fresh clone has it."""
    return shutil.copytree(ROOT / "projects" / name, checkout.root / "projects" / name, ignore=MADE)


def done(checkout: Checkout, *words: str) -> str:
    """What a task that must succeed says to go on with."""
    result = checkout.invoke(*words)
    assert result.exit == 0, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1].removeprefix("next: ")


def collected(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / ".artifacts/collector_stats.json").read_bytes())
    return found


def test_word_count(checkout: Checkout) -> None:
    directory = sample(checkout, "word-count")
    lines = (directory / "requirements.txt").read_text().count("\n")
    for _ in range(2):
        assert done(checkout, "run-local", "--project", "word-count") == "cat projects/word-count/.artifacts/state"
        assert (directory / ".artifacts/state").read_text().split() == [str(lines)]


@pytest.mark.network
def test_the_elements_are_sent_once(checkout: Checkout) -> None:
    directory = sample(checkout, "elements")
    assert done(checkout, "check") == "invoke install --project elements"
    assert done(checkout, "install") == "invoke run-local --project elements"
    assert "2 virtual environments up to date\n" in checkout.invoke("install").stderr
    counts, states = [], []
    for _ in range(2):
        done(checkout, "run-local")
        counts.append(collected(directory))
        states.append((directory / ".artifacts/state").read_bytes())
    assert counts == [{"rows_read": 118, "streams": {"elements": 118}}, {"rows_read": 0, "streams": {}}]
    assert states[0] == states[1]
    assert len((directory / ".artifacts/elements.jsonl").read_text().splitlines()) == 118


@pytest.mark.parametrize("starter", [pytest.param("shell", id="shell"), pytest.param("python", id="python")])
def test_a_starter_runs_by_following_what_is_said(checkout: Checkout, starter: str) -> None:
    following = done(checkout, "new", "--project", "mine", "--starter", starter)
    result = [following]
    while following.startswith("invoke "):
        following = done(checkout, *following.split()[1:])
        result.append(following)
    assert result == [
        "invoke check --project mine",
        "invoke run-local --project mine",
        "cat projects/mine/.artifacts/state",
    ]
    assert (checkout.root / "projects/mine/.artifacts/state").stat().st_size > 0


@pytest.mark.network
def test_the_singer_starter_runs_by_following_what_is_said(checkout: Checkout) -> None:
    following = done(checkout, "new", "--project", "mine", "--starter", "singer")
    result = [following]
    while following.startswith("invoke "):
        following = done(checkout, *following.split()[1:])
        result.append(following.split()[1])
    assert result == ["invoke check --project mine", "install", "run-local", "projects/mine/.artifacts/state"]
    assert collected(checkout.root / "projects/mine") == {"rows_read": 3, "streams": {"cities": 3}}
    done(checkout, "run-local")
    assert collected(checkout.root / "projects/mine") == {"rows_read": 0, "streams": {}}


def test_the_python_starter_s_function(checkout: Checkout) -> None:
    done(checkout, "new", "--project", "mine", "--starter", "python")
    result = done(checkout, "run-local", "--command", "describe", "--var", "name=you")
    assert result == "cat projects/mine/.artifacts/stdout.log"
    assert (checkout.root / "projects/mine/.artifacts/stdout.log").read_text().startswith("hello, you\n")
