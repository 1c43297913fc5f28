"""The runtime started, watched and told of signals; here with a real one, and a view that notes what it is shown."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from handoff_kit.errors import CommandError
from handoff_kit.project.params_document import to_json
from handoff_kit.run.runtime_process import START, Container, LineBuffer, LocalRun, read_last_record, run_runtime
from handoff_runtime import exact_json
from handoff_runtime.placeholders import parse_data

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Noted:
    """A view that notes what it is shown; `loses_terminal` as one whose window was closed."""

    def __init__(self, *, loses_terminal: bool = False) -> None:
        self.lines: list[str] = []
        self.seen: list[Sequence[Any]] = []
        self._loses_terminal = loses_terminal

    def __enter__(self) -> Noted:  # noqa: PYI034  # typing.Self is of 3.11
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def log(self, text: str) -> None:
        if self._loses_terminal:
            raise OSError(5, "Input/output error")
        self.lines += text.split("\n")

    def update(self, items: Sequence[Any]) -> None:
        self.seen.append(items)


def asked(directory: Path, *shells: str, files: list[dict[str, str]] | None = None) -> LocalRun:
    stages: list[dict[str, Any]] = [
        {"name": f"s{number}", "shell": shell, "venv": None, "envs": {}} for number, shell in enumerate(shells)
    ]
    pipeline = {"format": 1, "project": "p", "environment": "dev", "vars": {}, "envs": {}, "stages": stages}
    params = {"format": 1, "pipeline": {**pipeline, "state": "all", "meter": "rows"}, "files": files or []}
    return LocalRun(directory, json.dumps(params), "run", {}, None, "text")


def test_a_run_is_watched_to_its_end(tmp_path: Path) -> None:
    view = Noted()
    assert (
        run_runtime(asked(tmp_path, "seq 3; echo oh >&2", "sleep 0.6; wc -l"), os.environ, lambda: view, piped=True)
        == 0
    )
    assert [line.partition(" | ")[2] for line in view.lines][1:-1] == ["oh"]
    assert [(stage["name"], stage["exit"]) for stage in view.seen[0]] == [("s0", None), ("s1", None)]
    last = [(stage["name"], stage["exit"], stage["rows"]) for stage in view.seen[-1]]
    assert last == [("s0", 0, 3), ("s1", 0, 3)]
    assert len(view.seen) >= 3


def test_params_larger_than_a_pipe_arrive(tmp_path: Path) -> None:
    files = [{"name": "big", "value": "x" * 300_000}]
    assert run_runtime(asked(tmp_path, "wc -c < .env/config/big", files=files), os.environ, Noted, piped=True) == 0
    assert (tmp_path / ".artifacts/state").read_text().strip() == "300000"


def test_a_view_that_fails_does_not_end_the_run(tmp_path: Path) -> None:
    view = Noted(loses_terminal=True)
    assert run_runtime(asked(tmp_path, "echo oh >&2; sleep 0.2; echo end"), os.environ, lambda: view, piped=True) == 0
    assert (tmp_path / ".artifacts/state").read_text() == "end\n"


def test_signals_before_the_runtime_is_there_reach_it(tmp_path: Path) -> None:
    """The view is made right after the start: what comes then is passed on, whatever state the child is in."""

    def interrupted() -> Noted:
        os.kill(os.getpid(), signal.SIGTERM)
        return Noted()

    before = signal.getsignal(signal.SIGTERM)
    try:
        assert run_runtime(asked(tmp_path, "sleep 20"), os.environ, interrupted, piped=True) == 143
    finally:
        signal.signal(signal.SIGTERM, before)


def test_handlers_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    run_runtime(asked(tmp_path, "true"), os.environ, Noted, piped=True)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_a_second_signal_does_not_cut_short_what_is_said(tmp_path: Path) -> None:
    """Whoever types Ctrl-C twice shall still read the summary."""
    before = signal.getsignal(signal.SIGTERM)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    try:
        assert run_runtime(asked(tmp_path, "sleep 20"), os.environ, Noted, piped=True) == 143
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        timer.join()
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        pytest.param([b"a\nb\n", b""], [[b"a", b"b"]], id="whole lines"),
        pytest.param([b"a", b"b", b"c\nd", b""], [[b"abc"], [b"d"]], id="pieces, and an end without newline"),
        pytest.param([b"a\n", b"\n", b""], [[b"a"], [b""]], id="an empty line"),
        pytest.param([b""], [], id="nothing"),
    ],
)
def test_lines(reads: list[bytes], expected: list[list[bytes]]) -> None:
    handed: list[list[bytes]] = []
    lines = LineBuffer(handed.append)
    for data in reads:
        lines.feed(data)
    assert handed == expected


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff"])
def test_no_record(tmp_path: Path, content: bytes | None) -> None:
    place = asked(tmp_path, "true")
    if content is not None:
        place.artifacts.mkdir()
        (place.artifacts / "run.json").write_bytes(content)
    identity, record = read_last_record(place)
    assert (identity is None, record) == (content is None, {})


def test_a_new_record_is_told_from_the_old(tmp_path: Path) -> None:
    place = asked(tmp_path, "true")
    run_runtime(place, os.environ, Noted, piped=True)
    first, _ = read_last_record(place)
    run_runtime(place, os.environ, Noted, piped=True)
    second, record = read_last_record(place)
    assert (first != second, record["outcome"]) == (True, "succeeded")


def test_data_reaches_the_runtime_by_its_standard_input(tmp_path: Path) -> None:
    """Arguments of a process are seen by everybody (ps), and are short."""
    run_ = replace(asked(tmp_path, "true"), data={"api_token": "hunter22", "long": "x" * 200_000})
    assert run_runtime(run_, os.environ, Noted, piped=True) == 0
    _, record = read_last_record(run_)
    assert "hunter22" not in " ".join(run_.argv(1))
    assert record["data"] == {"api_token": "***", "long": "x" * 200_000}


def test_the_numbers_of_data_keep_their_texts_in_command_and_record(tmp_path: Path) -> None:
    data = parse_data('{"rate": 1.10, "ids": [12345678901234567890.123, 1e400, -0]}')
    run_ = replace(asked(tmp_path, "echo '{{ rate }} {{ ids }}'"), data=data)
    assert run_runtime(run_, os.environ, Noted, piped=True) == 0
    _, record = read_last_record(run_)
    assert (run_.artifacts / "stdout.log").read_text() == "1.10 [12345678901234567890.123,1e400,-0]\n"
    assert exact_json.dumps(record["data"]) == '{"rate": 1.10, "ids": [12345678901234567890.123, 1e400, -0]}'
    assert '"rate": 1.10,' in to_json(record)


# in a container: here its words start the runtime without one


RUNTIME = (sys.executable, START)


def contained(run_: LocalRun, *argv: str) -> LocalRun:
    return replace(run_, container=Container("handoff-run-p-1", argv or RUNTIME))


def test_the_words_of_a_run_in_a_container(tmp_path: Path) -> None:
    run_ = contained(replace(asked(tmp_path, "true"), data={"a": "é"}, meter="off"), "docker", "run", "image")
    words = ("run", "--data", "-", "--params", "-", "--meter", "off", "--log-format", "text")
    assert run_.argv(1) == ("docker", "run", "image", *words, "--progress-fd", "1", "--lifeline")


def test_what_is_sent_to_a_container_is_a_line_for_data_and_one_for_params(tmp_path: Path) -> None:
    """More may follow on what stays open: the end of it is the end of us."""
    run_ = asked(tmp_path, "echo 'a\nb'", files=[{"name": "é", "value": "x\n"}])
    spaced = replace(run_, params=json.dumps(json.loads(run_.params), indent=2))
    sent = contained(spaced).stdin
    assert [json.loads(line) for line in sent.splitlines()] == [{}, json.loads(run_.params)]
    assert (sent[-1], spaced.stdin) == ("\n", f"{{}}\n{spaced.params}")


def test_a_run_in_a_container_is_watched_to_its_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Figures come by its standard output, which is the only way out; none of them is printed."""
    view = Noted()
    run_ = contained(asked(tmp_path, "seq 3; echo oh >&2", "sleep 0.6; wc -l"))
    assert run_runtime(run_, os.environ, lambda: view, piped=True) == 0
    assert [line.partition(" | ")[2] for line in view.lines][1:-1] == ["oh"]
    assert [(stage["name"], stage["exit"], stage["rows"]) for stage in view.seen[-1]] == [("s0", 0, 3), ("s1", 0, 3)]
    assert capfd.readouterr() == ("", "")


def test_what_prints_in_a_container_prints(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_ = contained(replace(asked(tmp_path, "seq 3"), command="show_commands"))
    assert (run_.reports_progress, run_runtime(run_, os.environ, Noted, piped=True)) == (False, 0)
    assert capfd.readouterr() == ("sh -c 'seq 3'\n", "")


def test_a_container_is_not_told_of_signals_before_it_has_begun(tmp_path: Path) -> None:
    """What starts it would end, and leave a container behind that nobody stops; the runtime in it is told after."""
    slow = "trap 'touch early' TERM; touch ready; sleep 1 & wait; trap - TERM; exec \"$@\""
    run_ = contained(asked(tmp_path, "sleep 20"), "sh", "-c", slow, "sh", *RUNTIME)

    def interrupted() -> Noted:
        while not (tmp_path / "ready").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        return Noted()

    before = signal.getsignal(signal.SIGTERM)
    try:
        assert run_runtime(run_, os.environ, interrupted, piped=True) == 143
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not (tmp_path / "early").exists()


def test_what_starts_a_container_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        run_runtime(contained(asked(tmp_path, "true"), "no-such-program"), os.environ, Noted, piped=True)
    assert str(caught.value) == "error: could not start no-such-program: No such file or directory"
    assert caught.value.exit_code == 126


def test_a_container_that_never_began_has_its_exit_code(tmp_path: Path) -> None:
    """125 is docker's own: the image is gone, a mount was refused."""
    run_ = contained(asked(tmp_path, "true"), "sh", "-c", "echo 'docker: no such image' >&2; exit 125")
    view = Noted()
    assert run_runtime(run_, os.environ, lambda: view, piped=True) == 125
    assert view.lines == ["docker: no such image"]
