"""The log: blocks of bytes in, masked lines out, whatever the pieces they come in."""

from __future__ import annotations

import json
import os
import random
import re
from typing import TYPE_CHECKING

import pytest

from handoff_runtime.errors import mark_inserted
from handoff_runtime.log import LINE_LIMIT, PENDING_LIMIT, Log
from handoff_runtime.masking import Mask, build_mask
from handoff_runtime.params import ConfigFile

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = ["hunter22", "hunter22-longer", "22-lo"]


def hiding(*secrets: str) -> Mask:
    return build_mask([ConfigFile("a.json", json.dumps(secrets))], ())


class Written:
    """A log into a file, as text."""

    def __init__(self, directory: Path, hidden: Mask, form: str = "text", width: int = 0) -> None:
        self.path = directory / "log"
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        self.log = Log(self.fd, form, hidden, width)

    def lines(self, stage: str = "tap") -> list[str]:
        """What one stage said."""
        os.close(self.fd)
        found = [re.fullmatch(r"\d\d:\d\d:\d\d (\S+) +\| (.*)", line) for line in self.path.read_text().splitlines()]
        return [match.group(2) for match in found if match and match.group(1) == stage]


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        pytest.param([b"one\n"], ["one"], id="a line"),
        pytest.param([b"one\ntwo\nthr", b"ee\n"], ["one", "two", "three"], id="lines in pieces"),
        pytest.param([b"o", b"n", b"e"], ["one"], id="no newline"),
        pytest.param([b"\n\n"], ["", ""], id="empty lines"),
        pytest.param([b"one\r\ntwo\r\n"], ["one", "two"], id="CRLF"),
        pytest.param([b"my hunt", b"er22 is\n"], ["my *** is"], id="a secret in two"),
        pytest.param([b"hunter22-", b"longer\n"], ["***"], id="the longer one in two"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_lines_are_put_together(tmp_path: Path, pieces: list[bytes], lines: list[str]) -> None:
    written = Written(tmp_path, hiding(*SECRETS))
    for piece in pieces:
        written.log.feed("tap", piece)
    written.log.end("tap")
    assert written.lines() == lines


SHOW = None  # the time has come


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        pytest.param([b"Connecting ... ", SHOW], [], id="just begun"),
        pytest.param([b"Connecting ... ", SHOW, SHOW], ["Connecting ... "], id="a line that goes on"),
        pytest.param([b"x ... ", SHOW, SHOW, b"done\n"], ["x ... ", "done"], id="its end"),
        pytest.param([b"x\n", SHOW, b"y", SHOW, b"z\nx", SHOW], ["x", "yz"], id="lines that end in time"),
        pytest.param([b"10%\r", SHOW, b"20%\r", SHOW, b"30%\r"], ["10%^M20%"], id="progress"),
        pytest.param([b"\r10%", SHOW, SHOW, b"\r20%", SHOW, SHOW, b"\n"], ["10%", "20%"], id="progress that begins so"),
        pytest.param([b"10%", SHOW, SHOW, b"\r", b"\n", b"x\n"], ["10%", "x"], id="no empty line behind it"),
        pytest.param([b"10%", SHOW, SHOW, b"\n\nx\n"], ["10%", "", "x"], id="an empty line of the stage"),
        pytest.param([b"\r", SHOW, SHOW, b"x\n"], ["x"], id="nothing to see"),
        pytest.param([b"its hunt", SHOW, SHOW, b"er22 is\n"], ["its ", "*** is"], id="a secret that goes on"),
        pytest.param([b"hunter22", SHOW, SHOW, b"-longer\n"], ["***"], id="the longer one that goes on"),
        pytest.param([b"hunter22-longer", SHOW, SHOW, b"x\n"], ["***", "x"], id="a whole secret"),
        pytest.param([b"my hunter22-lo", SHOW, SHOW, b"st\n"], ["my ", "***-lost"], id="a secret in two that overlap"),
        pytest.param(
            [b"my hu\x1b[31mn", SHOW, SHOW, b"\x1b[0mter22\n"], ["my ", "***"], id="a secret that colours split"
        ),
        pytest.param(["caf\u00e9".encode()[:-1], SHOW, SHOW, b"\xa9\n"], ["caf", "\u00e9"], id="a character in two"),
        pytest.param(["\u00e9".encode(), SHOW, SHOW, b"\n"], ["\u00e9"], id="a whole character"),
    ],
)
def test_unfinished_lines_are_shown_in_time(tmp_path: Path, pieces: list[bytes | None], lines: list[str]) -> None:
    written = Written(tmp_path, hiding("hunter22", "hunter22-longer"))
    for piece in pieces:
        if piece is None:
            written.log.show_unfinished()
        else:
            written.log.feed("tap", piece)
    assert written.lines() == lines


@pytest.mark.parametrize("seed", range(20))
def test_no_unfinished_line_shows_a_secret(tmp_path: Path, seed: int) -> None:
    numbers = random.Random(seed)
    written = Written(tmp_path, hiding(*SECRETS))
    words = [b"hunter22", b"hunter22-longer", b"22-lo", b"hunter", b"2", b"\r", b"\x1b[1m", b" ", b"-"]
    line = b"".join(numbers.choice(words) for _ in range(300))
    while line:
        size = numbers.randrange(1, 30)
        written.log.feed("tap", line[:size])
        written.log.show_unfinished()
        line = line[size:]
    written.log.end("tap")
    pieces = written.lines()
    plain = re.sub(r"\x1b\[\d*m|\^M", "", "".join(pieces))
    assert (len(pieces) > 9, [secret for secret in SECRETS if secret in plain]) == (True, [])


def test_stages_pieces_are_kept_apart(tmp_path: Path) -> None:
    written = Written(tmp_path, hiding())
    for stage, piece in (("a", b"1"), ("b", b"2"), ("a", b"3\n"), ("b", b"4\n")):
        written.log.feed(stage, piece)
    assert (written.path.read_text().count("\n"), written.lines("a")) == (2, ["13"])


@pytest.mark.parametrize("seed", range(20))
def test_no_cut_of_an_endless_line_shows_a_secret(tmp_path: Path, seed: int) -> None:
    numbers = random.Random(seed)
    written = Written(tmp_path, hiding(*SECRETS))
    words = [b"hunter22", b"hunter22-longer", b"22-lo", b"hunter", b"2", b"." * 50]
    line = b"".join(numbers.choice(words) for _ in range(60_000))
    while line:
        size = numbers.randrange(1, 1 << 16)
        written.log.feed("tap", line[:size])
        line = line[size:]
    written.log.end("tap")
    pieces = written.lines()
    assert (len(pieces) > 2, max(map(len, pieces)) < 2 * LINE_LIMIT) == (True, True)
    assert [secret for secret in SECRETS if secret in "".join(pieces)] == []


def test_a_slow_reader_is_held_for_and_then_not_read_for() -> None:
    read, write = os.pipe()
    log = Log(write, "text", hiding())
    log.feed("tap", b"x" * 100 + b"\n")
    assert (log.waiting, log.full) == (False, False)
    while not log.full:
        log.feed("tap", (b"y" * 1000 + b"\n") * 64)
    assert log.waiting
    got = bytearray()
    while log.waiting:
        got += os.read(read, 1 << 16)
        log.flush()
    got += os.read(read, 1 << 16)
    assert (log.full, got.count(b"\n") % 64, len(got) > PENDING_LIMIT) == (False, 1, True)
    os.close(read)
    log.feed("tap", b"nobody reads\n")
    assert (log.waiting, log.full) == (False, False)
    os.close(write)


def test_draining_waits_no_longer_than_told() -> None:
    read, write = os.pipe()
    log = Log(write, "json", hiding())
    log.feed("tap", b"x\n" * 20_000)
    log.drain(0.05)
    assert log.waiting
    os.close(read)
    log.drain(60)
    assert not log.waiting
    os.close(write)


def test_the_copy_is_text_and_a_full_disk_ends_only_it(tmp_path: Path) -> None:
    copy = os.open(tmp_path / "copy", os.O_WRONLY | os.O_CREAT, 0o600)
    written = Written(tmp_path, hiding("secret-1"), "json")
    log = Log(written.fd, "json", hiding("secret-1"), 7, copy)
    log.say(f"my secret-1 {mark_inserted('secret-1')}")
    os.close(copy)
    log.say("again")
    assert re.fullmatch(r"\d\d:\d\d:\d\d handoff \| my secret-1 \*\*\*\n", (tmp_path / "copy").read_text())
    messages = [json.loads(line)["message"] for line in written.path.read_text().splitlines()]
    assert messages == ["my secret-1 ***", "again"]
    os.close(written.fd)


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    file = os.open(tmp_path / "stderr.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    log = Log(os.open(os.devnull, os.O_WRONLY), "text", hiding(), 0, file, file_limit=100)
    for number in range(1000):
        log.feed("tap", b"line %03d\n" % number)
    kept = (tmp_path / "stderr.log").read_text(encoding="utf-8").splitlines()
    assert [line.split("| ")[-1] for line in kept] == [
        *(f"line {number:03}" for number in range(4)),
        "... the log goes on; this file does not grow beyond 1 GiB",
    ]
