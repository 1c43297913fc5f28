"""docs/deploy.md, followed: every command of the page in its order, in an account of the testbed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cloud import REGION
from team import ROOT

if TYPE_CHECKING:
    from account import Account
    from team import Team

pytestmark = [pytest.mark.network, pytest.mark.takes(100)]

PAGE = ROOT / "docs/deploy.md"
BLOCK = re.compile(
    r"^```\n(?P<transcript>\$ .*?)^```$|^<!-- the schedule (?P<fires>\S+) fires -->$", re.MULTILINE | re.DOTALL
)
COMMAND = re.compile(r"^\$ (?P<command>.*\n(?:> .*\n)*)(?P<said>(?:(?!\$ ).*\n)*)", re.MULTILINE)
LEAST = 30
ACCOUNT_IN_DOCS = "123456789012"
DIFFERS = (
    (r"sha256:[0-9a-f]{12,64}", "DIGEST"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", "TASK"),
    (r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b", "RUN"),
    (r"\b[0-9a-f]{12}\b", "TAG"),  # or an account
    (r"\b((Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?Z?)?", "TIME"),
    (r"\b\d\d:\d\d:\d\d\b", "CLOCK"),
    (r"\bCES?T( \(UTC\+0[12]:00\))?", "ZONE"),
    (r"\d+\.\d+", "FIGURE"),
    (r"\(in \d+ [dhm]\)", "(WAIT)"),
    (r"\b(in|after) \d+ s\b", r"\1 N s"),
    (r"\b\d+ times from", "N times from"),
    (r"[\d,]+ (bytes|files|objects|versions)\b", r"N \1"),
    (r"(would run docker build).*", r"\1"),  # as the builder wants it
)
PASSING = re.compile(r"(PROVISIONING|PENDING|ACTIVATING|RUNNING|DEPROVISIONING|STOPPED) after ")
"""States of a task: which of them are seen depends on when it is looked at."""


@dataclass(frozen=True)
class Reader:
    """Somebody who types what the page says, and sees whether the same comes of it."""

    team: Team
    account: Account

    def follow(self, page: str) -> str:
        """The page with what was really said."""
        return BLOCK.sub(self._block, page)

    def _block(self, found: re.Match[str]) -> str:
        if found["fires"]:
            self._fire(found["fires"])
            return found[0]
        typed = (self._type(each["command"], each["said"]) for each in COMMAND.finditer(found["transcript"]))
        return f"```\n{''.join(typed)}```"

    def _fire(self, schedule: str) -> None:
        fired = self.account.fire(schedule)
        assert fired.status == "SUCCEEDED", fired

    def _type(self, command: str, shown: str) -> str:
        done = subprocess.run(
            ["sh", "-c", _as_here(command)],
            cwd=self.team.root,
            env=self.team.environment({**self.account.environ, "AWS_DEFAULT_REGION": REGION}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        said = done.stdout.decode()
        if not os.environ.get("UPDATE_GOLDENS"):
            assert _same_every_time(said) == _same_every_time(shown), command
        return f"$ {command}{said.replace(self.account.number, ACCOUNT_IN_DOCS)}"


def _as_here(command: str) -> str:
    """What is typed, without the shell's own marks; `uv run` would look for a pyproject.toml."""
    typed = re.sub(r"^> ", "", command, flags=re.MULTILINE)
    return typed.replace("uv run python", sys.executable).replace("uv run invoke", f"{sys.executable} -m invoke")


def _same_every_time(text: str) -> list[str]:
    for pattern, name in DIFFERS:
        text = re.sub(pattern, name, text)
    return [" ".join(line.split()) for line in text.splitlines() if not PASSING.match(line)]


def test_the_page_shows_what_happens(team: Team, account: Account) -> None:
    """UPDATE_GOLDENS=1 writes its transcripts anew. The sample is made another one: its image is nobody else's."""
    (team.sample("word-count") / "account.txt").write_text(account.number, encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    followed = Reader(team, account).follow(page)
    if os.environ.get("UPDATE_GOLDENS"):
        PAGE.write_text(followed, encoding="utf-8")
    assert (account.stacks(), [each["Name"] for each in account.boto("s3").list_buckets()["Buckets"]]) == ({}, [])
    assert account.boto("ssm").describe_parameters()["Parameters"] == []


def test_every_command_of_the_page_is_followed() -> None:
    """None stands in a block that is no transcript."""
    page = PAGE.read_text(encoding="utf-8")
    transcripts = [found["transcript"] for found in BLOCK.finditer(page) if found["transcript"]]
    followed = [each["command"].splitlines()[0] for text in transcripts for each in COMMAND.finditer(text)]
    assert followed == re.findall(r"^\$ (.*)$", page, re.MULTILINE)
    assert len(followed) >= LEAST
