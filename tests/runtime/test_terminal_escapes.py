"""Escape sequences from stages, records, builders and file names, as they reach the terminal of a user."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from doubles.checkout import Checkout, InvokeResult
from doubles.terminal import show

if TYPE_CHECKING:
    from pathlib import Path

CLIPBOARD, TITLE, CLEAR, SCREEN = "\x1b]52;c;cm0gLXJmIC8=\x07", "\x1b]2;root\x1b\\", "\x1b[2J", "\x1b[?1049h"
ATTACK = f"{CLIPBOARD}{TITLE}{CLEAR}{SCREEN}"
NOISY = r"""
    commands:
      - shell: printf '\033]52;c;cm0=\007\033]2;root\033\\\033[2J\033[?1049h\302\233\bfailed\rgood \033[32mgreen\033[0m\n' >&2
"""
# What rich itself writes: colours, and moves for the table that is refreshed in place.
OF_A_LIVE_VIEW = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|1A|2K)")


def test_the_live_view_passes_colours_alone(checkout: Checkout) -> None:
    checkout.project("shop", NOISY)
    shown = show(checkout, "run-local")
    assert shown.finish() == 0
    left = OF_A_LIVE_VIEW.sub("", shown.text)
    assert "printf  | M-^[^Hfailed^Mgood green" in left
    assert "\x1b[32mgreen" in shown.text
    assert re.search(r"\x1b|\x07|\x08|\ufffd", left) is None


def test_a_record_fakes_no_line(checkout: Checkout) -> None:
    directory = checkout.project("shop", NOISY)
    line = {
        "run_id": "R1",
        "started_at": "2026-01-01T00:00:00.000Z",
        "outcome": f"failed\r{CLEAR}succeeded",
        "culprit": "a\nb",
        "trigger": "\x9b2Jcli",
        "exit": 1,
        "seconds": 1.0,
        "environment": "dev",
    }
    kept = directory / ".artifacts/history"
    kept.mkdir(parents=True)
    content = json.dumps(line, ensure_ascii=False)
    odd = json.dumps({**line, "run_id": f"R1{ATTACK}\nfake"}, ensure_ascii=False)
    (kept / "2026-01-01.jsonl").write_text(f"{content}\n", encoding="utf-8")
    assert checkout.invoke("history") == InvokeResult(
        0,
        "START                 TRIGGER  OUTCOME                CULPRIT  DURATION  ROWS  ATTEMPT  STATE      RUN\n"
        "2026-01-01T00:00:00Z  cli      failed^Msucceeded (1)  a^Jb        1.0 s     -        -  unchanged  R1\n",
        "next: invoke history.show --run R1 --project shop\n",
    )
    assert checkout.invoke("history", "--json").stdout == f"{content}\n"  # a program reads it
    (kept / "2026-01-01.jsonl").write_text(f"{odd}\n", encoding="utf-8")
    skipped = checkout.invoke("history")
    assert (skipped.stdout, re.search(r"[^ -~\n]", skipped.stderr)) == ("", None)
    assert "2026-01-01.jsonl: line 1 cannot be read (an odd value of run_id found): skipped" in skipped.stderr


def test_a_log_of_the_past_is_shown_without_escapes(checkout: Checkout) -> None:
    directory = checkout.project("shop", NOISY)
    assert checkout.invoke("run-local").exit == 0
    log = f"00:00:00 printf | {ATTACK}a\r\n00:00:01 printf | b\x0c\x85c\rd \x1b[31mred\x1b[0m\n"
    (directory / ".artifacts/stderr.log").write_bytes(log.encode())
    record = directory / ".artifacts/run.json"
    changed = json.loads(record.read_text()) | {"reason": f"{TITLE}why\nstate     replaced"}
    record.write_text(json.dumps(changed))
    result = checkout.invoke("history.show", "--run", changed["run_id"])
    assert ": why^Jstate     replaced\n" in result.stdout
    assert result.stdout.endswith(
        "the last 2 lines of its log:\n00:00:00 printf | a\n00:00:01 printf | b^LM-^Ec^Md \x1b[31mred\x1b[0m\n"
    )


def test_data_is_filtered_on_a_terminal_and_nowhere_else(checkout: Checkout) -> None:
    directory = checkout.project("shop", NOISY)
    (directory / ".local").mkdir()
    (directory / ".local/a.txt").write_text("\x9b2J\x7f", encoding="utf-8")
    assert '"value": "\x9b2J\x7f"' in checkout.invoke("params").stdout
    shown = show(checkout, "params")
    assert shown.finish() == 0
    assert '"value": "^?"' in shown.text


def test_an_error_names_a_file_without_its_escapes(checkout: Checkout) -> None:
    checkout.project("shop", NOISY)
    result = checkout.invoke("run-local", "--params", f"{ATTACK}a\rb")
    assert result.stderr.startswith("error: --params: a^Mb: No such file or directory")
    assert "\x1b" not in result.stderr


def test_what_a_builder_says_is_filtered(checkout: Checkout, tmp_path: Path) -> None:
    checkout.project("shop", "commands: [{command: cat}]\n")
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(
        "#!/bin/sh\n"
        'case "$1" in version) echo linux/amd64;; image) exit 1;;'
        r" build) printf '\033]0;x\007\033[2Jstep 1\r\n\033[31mfailed\033[0m\n'; exit 3;; esac"
    )
    docker.chmod(0o755)
    result = checkout.invoke("build", env={"PATH": f"{docker.parent}:/usr/bin:/bin"})
    assert result.exit == 3
    assert "\nstep 1\n\x1b[31mfailed\x1b[0m\n" in result.stderr
    assert "\x1b[2J" not in result.stderr
    assert "\x1b]" not in result.stderr
