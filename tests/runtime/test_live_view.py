"""The live view on a real terminal: refreshed in place, the log whole above it, and plain lines elsewhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest
from doubles.runtime_project import MARK, marked, until
from doubles.terminal import Shown, show

if TYPE_CHECKING:
    from pathlib import Path

    from doubles.checkout import Checkout

STEADY = """
    commands:
      - shell: "for i in 1 2 3 4 5 6 7 8 9; do seq 1000; echo line $i >&2; sleep 0.15; done"
      - command: cat
      - command: wc
        args: -l
"""
ENDLESS = """
    commands:
      - shell: "touch .artifacts/begun; while :; do echo x; sleep 0.05; done"
      - command: cat
"""
ROWS = ("shell", "cat", "wc")
HEADER = re.compile(r"^stage +state\b")
CURSOR_UP = "\x1b[1A"


def table(lines: list[str]) -> list[list[str]]:
    """The live table that is seen, row by row; nothing may stand below it."""
    heads = [index for index, line in enumerate(lines) if HEADER.match(line)]
    assert len(heads) == 1
    return [re.split(r"  +", line.strip()) for line in lines[heads[0] :] if line]


def test_a_table_is_refreshed_in_place_below_the_log(checkout: Checkout) -> None:
    checkout.project("shop", STEADY)
    shown = show(checkout, "run-local")
    shown.read_until(lambda: "| line 7" in shown.text)
    shown.read_until(lambda: len([line for line in shown.lines[-4:] if " running " in line]) == len(ROWS))
    head, *rows = table(shown.lines)
    assert head == ["stage", "state", "rows", "rows/s", "bytes", "elapsed"]
    assert [row[:2] for row in rows] == [[name, "running"] for name in ROWS]
    assert all(re.fullmatch(r"[1-9],000", row[2]) for row in rows[:2])
    assert shown.finish() == 0
    assert shown.text.count(CURSOR_UP) > 4


def test_the_end_of_it_is_the_log_and_the_summary(checkout: Checkout) -> None:
    checkout.project("shop", STEADY)
    shown = show(checkout, "run-local")
    assert shown.finish() == 0
    lines = [re.sub(r"^\d\d:\d\d:\d\d", "TIME", line) for line in shown.lines if line]
    assert lines[1:10] == [f"TIME shell   | line {number}" for number in range(1, 10)]
    assert re.fullmatch(r"TIME handoff \| succeeded after \d+\.\d s", lines[10])
    assert [line.split()[0] for line in lines[11:]] == ["stage", *ROWS, "state:", "artifacts:", "next:"]
    assert "\x1b[?25h" in shown.text.rpartition("\x1b[?25l")[2]


COLOURS = r"\033[31mred\033[0m 10%%\r20%%\033[2K\033[1A\007 [bold]as it is[/bold] :smile: \377 end\n"


def coloured(checkout: Checkout, **env: str) -> Shown:
    checkout.project("shop", f"commands:\n  - shell: |\n      printf '{COLOURS}' >&2; sleep 0.4; echo\n")
    shown = show(checkout, "run-local", env=env)
    assert shown.finish() == 0
    return shown


SEEN = "red 10%^M20%^G [bold]as it is[/bold] :smile: \N{REPLACEMENT CHARACTER} end"


def test_colours_of_a_stage_pass_and_nothing_else_does(checkout: Checkout) -> None:
    shown = coloured(checkout)
    assert [line.partition(" | ")[2] for line in shown.lines if " printf " in line and "|" in line][:1] == [SEEN]
    assert "\x1b[31mred\x1b[0m" in shown.text
    assert "\x07" not in shown.text


def test_no_color_is_heeded(checkout: Checkout) -> None:
    shown = coloured(checkout, NO_COLOR="1")
    assert CURSOR_UP in shown.text
    assert SEEN in "\n".join(shown.lines)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown.text)


@pytest.mark.parametrize("env", [pytest.param({"CI": "1"}, id="CI"), pytest.param({"TERM": "dumb"}, id="dumb")])
def test_plain_lines_where_nothing_can_be_refreshed(checkout: Checkout, env: dict[str, str]) -> None:
    checkout.project("shop", STEADY)
    shown = show(checkout, "run-local", env=env)
    assert shown.finish() == 0
    assert CURSOR_UP not in shown.text
    assert not [line for line in shown.lines if HEADER.match(line)]
    assert [line for line in shown.lines if line.startswith("stage  exit ")]


@pytest.mark.parametrize(
    ("width", "live", "summary"),
    [
        pytest.param(140, "bytes  elapsed", "rows in  rows out  bytes in  bytes out", id="140"),
        pytest.param(70, "rows/s", "CPU s  peak memory  rows out  bytes out", id="70"),
        pytest.param(40, "elapsed", "stage  exit  seconds  rows out", id="40"),
    ],
)
def test_narrow_windows_show_fewer_columns_and_cut_none(
    checkout: Checkout, width: int, live: str, summary: str
) -> None:
    checkout.project("shop", STEADY)
    shown = show(checkout, "run-local", width=width)
    shown.read_until(lambda: any(HEADER.match(line) and live in line for line in shown.lines))
    assert shown.finish() == 0
    assert [line for line in shown.lines if line.endswith(summary)]
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown.text


def test_a_long_line_is_folded_by_the_terminal_and_leaves_the_table_whole(checkout: Checkout) -> None:
    checkout.project("shop", "commands: [{shell: 'sleep 0.4; printf %0300d 7 >&2; sleep 0.4; echo'}]")
    shown = show(checkout, "run-local", width=60)
    assert shown.finish() == 0
    seen = "".join(shown.lines)
    assert "0" * 299 + "7" in seen
    assert not [line for line in shown.lines if HEADER.match(line)]


def test_ten_thousand_lines_are_all_there(checkout: Checkout) -> None:
    checkout.project("shop", "commands: [{shell: \"sleep 0.3; seq 10000 | sed 's/^/no. /' >&2; sleep 0.3; echo\"}]")
    shown = show(checkout, "run-local")
    assert shown.finish() == 0
    assert re.findall(r"\| no\. (\d+)\r\n", shown.text) == [str(number) for number in range(1, 10_001)]


def test_ctrl_c_stops_once(checkout: Checkout) -> None:
    directory = checkout.project("shop", ENDLESS)
    mark = uuid.uuid4().hex
    shown = show(checkout, "run-local", env={MARK: mark})
    shown.read_until((directory / ".artifacts/begun").exists)
    shown.read_until(lambda: any(HEADER.match(line) for line in shown.lines))
    shown.type(b"\x03")
    assert shown.finish() == 130
    lines = [line.partition(" | ")[2] for line in shown.lines]
    assert [line for line in lines if "received" in line] == ["SIGINT received, stopping touch, cat"]
    assert marked(mark) == []
    record = json.loads((directory / ".artifacts/run.json").read_bytes())
    assert (record["outcome"], record["exit"]) == ("stopped", 130)
    assert [line for line in shown.lines if "SIGTERM (stopped)" in line]


def test_a_closed_window_stops_the_run(checkout: Checkout) -> None:

    directory = checkout.project("shop", ENDLESS)
    mark = uuid.uuid4().hex
    shown = show(checkout, "run-local", env={MARK: mark})
    shown.read_until((directory / ".artifacts/begun").exists)
    os.close(shown.master)
    shown.process.wait(20)
    until(lambda: not marked(mark), "the end of every process")
    assert json.loads((directory / ".artifacts/run.json").read_bytes())["outcome"] == "stopped"


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
def test_tmux_shows_the_same(checkout: Checkout, tmp_path: Path) -> None:
    """Against another one's idea of a terminal than our own."""

    checkout.project("shop", STEADY)
    tmux = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    window = ["new-session", "-d", "-x", "80", "-y", "30"]
    command = f"{shlex.join([sys.executable, '-m', 'invoke', 'run-local'])}; touch ended; sleep 60"
    subprocess.run([*tmux, *window, command], cwd=checkout.root, env=checkout.environment(), check=True)
    try:
        until((checkout.root / "ended").exists, "the end of the run")
        pane = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)
    lines = [line.partition(" | ")[2] or line.split()[0] for line in pane.splitlines() if line]
    assert lines[1:10] == [f"line {number}" for number in range(1, 10)]
    assert lines[11:] == ["stage", *ROWS, "state:", "artifacts:", "next:"]
