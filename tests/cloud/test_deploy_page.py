"""deploy.md, deploy-from-ci.md, when-a-run-fails.md and operate.md of docs/guide, followed: every command in its order, in one account."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from doubles import transcript
from doubles.checkout import ROOT
from doubles.moto_bucket import REGION
from doubles.runtime_project import until

if TYPE_CHECKING:
    from doubles.account import Account
    from doubles.checkout import Checkout

pytestmark = [pytest.mark.network, pytest.mark.takes(150)]

PAGES = [ROOT / f"docs/guide/{name}.md" for name in ("deploy", "deploy-from-ci", "when-a-run-fails", "operate")]
LEAST = 30
ACCOUNT_IN_DOCS = "123456789012"
DIFFERS = (
    (r"sha256:[0-9a-f]{12,64}", "DIGEST"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", "TASK"),
    (r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b", "RUN"),
    (r"\b[0-9a-f]{12}\b", "TAG"),  # or an account
    (r"\b((Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?Z?)?", "TIME"),
    (r"TIME\.\d+Z", "TIME"),
    (r"\b(subnet|sg)-[0-9a-f]+", r"\1-ID"),
    (r"\b\d\d:\d\d:\d\d\b", "CLOCK"),
    (r"\bCES?T( \(UTC\+0[12]:00\))?", "ZONE"),
    (r"\d+\.\d+", "FIGURE"),
    (r"\(in \d+ [dhm]\)", "(WAIT)"),
    (r"\(\d+ days? old\)", "(AGE)"),
    (r"\b(in|after) \d+ s\b", r"\1 N s"),
    (r"\b\d+ times from", "N times from"),
    (r"[\d,]+ (bytes|files|objects|versions)\b", r"N \1"),
    (r"(would run docker build).*", r"\1"),  # as the builder wants it
)
PASSING = re.compile(r"(PROVISIONING|PENDING|ACTIVATING|RUNNING|DEPROVISIONING|STOPPED) after ")
"""States of a task: which of them are seen depends on when it is looked at."""


def test_the_pages_show_what_happens(checkout: Checkout, account: Account) -> None:
    """UPDATE_GOLDENS=1 rewrites their output. The sample gets a file of this test, so that no other test has its image."""
    (checkout.sample("word-count") / "account.txt").write_text(account.number, encoding="utf-8")

    def run(command: str, _shown: str) -> str:
        done = subprocess.run(
            ["sh", "-c", without_uv(command)],
            cwd=checkout.root,
            env=checkout.environment({**account.environ, "AWS_DEFAULT_REGION": REGION}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.stdout.decode().replace(account.number, ACCOUNT_IN_DOCS)

    read_before = 0

    def on_event(event: str) -> str | None:
        nonlocal read_before
        match event.split():
            case ["the", "mail"]:
                until(lambda: len(account.mails("handoff-dev-word-count")) > read_before, "a mail", 30)
                ((subject, text),) = account.mails("handoff-dev-word-count")[read_before:]
                read_before += 1
                return f"Subject: {subject}\n\n{text}".replace(account.number, ACCOUNT_IN_DOCS)
            case ["the", "schedule", name, verb]:
                fired = account.fire(name)
                assert fired.status == {"fires": "SUCCEEDED", "fails": "FAILED"}[verb], fired
        return None

    for page in PAGES:
        transcript.follow(page, run, stable, on_event)
    assert (account.stacks(), [each["Name"] for each in account.boto("s3").list_buckets()["Buckets"]]) == ({}, [])
    assert account.boto("ssm").describe_parameters()["Parameters"] == []


def without_uv(command: str) -> str:
    """`uv run` would look for a pyproject.toml."""
    return command.replace("uv run python", sys.executable).replace("uv run invoke", f"{sys.executable} -m invoke")


def stable(text: str) -> list[str]:
    lines = "".join(line for line in text.splitlines(keepends=True) if not PASSING.match(line))
    return transcript.without(DIFFERS, lines)


def test_every_command_of_the_pages_is_followed() -> None:
    """No block is anything but a transcript."""
    for page in PAGES:
        followed = [command.splitlines()[0] for command, _ in transcript.commands(page)]
        assert followed == re.findall(r"^\$ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert sum(len(transcript.commands(page)) for page in PAGES) >= LEAST
