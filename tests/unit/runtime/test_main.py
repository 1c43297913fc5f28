"""The command line, completed by the environment; and the end of a run, in its words."""

from __future__ import annotations

import os
from typing import Any

import pytest

from handoff_runtime.__main__ import USAGE, CommandLine, main, parse_command_line
from handoff_runtime.errors import UsageError
from handoff_runtime.supervisor.shutdown import grace_seconds

DEFAULT = CommandLine("run", "", None, None, "json", None)


@pytest.mark.parametrize(
    ("argv", "environ", "changed"),
    [
        pytest.param([], {}, {}, id="nothing"),
        pytest.param(["own"], {}, {"command": "own"}, id="command"),
        pytest.param(["default"], {}, {}, id="default"),
        pytest.param(
            [],
            {"COMMAND": "own", "DATA": '{"a": 1}', "LOG_FORMAT": "text"},
            {"command": "own", "data": '{"a": 1}', "log_format": "text"},
            id="environment",
        ),
        pytest.param([], {"COMMAND": "", "LOG_FORMAT": ""}, {}, id="empty environment"),
        pytest.param(
            ["run", "-d", "1", "--log-format", "text"],
            {"COMMAND": "own", "DATA": "2", "LOG_FORMAT": "json"},
            {"data": "1", "log_format": "text"},
            id="flags win",
        ),
        pytest.param(["-d", ""], {"DATA": "2"}, {}, id="empty data win too"),
        pytest.param(["--no-state"], {}, {"no_state": True}, id="without state"),
        pytest.param([], {"HANDOFF_NO_STATE": "1"}, {"no_state": True}, id="without state, by environment"),
        pytest.param(["--no-state"], {"HANDOFF_NO_STATE": "0"}, {"no_state": True}, id="the flag wins"),
        pytest.param(
            ["--data={}", "--params=-", "--meter=off"], {}, {"data": "{}", "params": "-", "meter": "off"}, id="="
        ),
        pytest.param(["--data", "a=b", "x"], {}, {"data": "a=b", "command": "x"}, id="a value with ="),
        pytest.param(["-d", "--params"], {}, {"data": "--params"}, id="a value like a flag"),
        pytest.param(["--params", "-"], {}, {"params": "-"}, id="standard input"),
        pytest.param(["--progress-fd", "1"], {}, {"progress_fd": 1}, id="descriptor"),
    ],
)
def test_what_is_asked(argv: list[str], environ: dict[str, str], changed: dict[str, Any]) -> None:
    assert parse_command_line(argv, environ, terminal=False) == DEFAULT._replace(**changed)


def test_a_terminal_is_told_in_text() -> None:
    assert parse_command_line([], {}, terminal=True).log_format == "text"
    assert parse_command_line(["--log-format=json"], {}, terminal=True).log_format == "json"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["-x"], "argument '-x': not understood"),
        (["--data={}", "-d", "{}"], "argument '-d': not understood"),
        (["--"], "argument '--': not understood"),
        (["-"], "argument '-': not understood"),
        (["a", "b"], "argument 'b': not understood"),
        (["--params"], "argument --params: a value expected"),
        (["--meter", "x"], "argument --meter: 'x' found, one of rows, bytes, off expected"),
        (["--progress-fd", "x"], "argument --progress-fd: x found, an open descriptor expected"),
        (["--progress-fd", "-1"], "argument --progress-fd: -1 found, an open descriptor expected"),
        (["--progress-fd", "9" * 30], f"argument --progress-fd: {'9' * 30} found, an open descriptor expected"),
    ],
)
def test_what_is_not_understood_is_named(argv: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_command_line(argv, {}, terminal=False)
    assert (caught.value.message, caught.value.exit_code) == (message, 64)


@pytest.mark.parametrize("argv", [["-h"], ["--help"], ["run", "--help"]])
def test_help_is_given(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert (main(argv, {}), capsys.readouterr()) == (0, (USAGE, ""))


def test_every_flag_is_in_the_help() -> None:
    flags = ("-d", "--data", "--params", "--meter", "--log-format", "--progress-fd", "--lifeline")
    assert [flag for flag in flags if flag not in USAGE] == []


def test_an_error_is_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    message = "error: argument '-x': not understood\nhint: see `python -m handoff_runtime --help`\n"
    assert (main(["-x"], {}), capsys.readouterr()) == (64, ("", message))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 30.0),
        ("", 30.0),
        ("2", 2.0),
        ("1", 2.0),
        ("-5", 2.0),
        ("7.5", 7.5),
        ("121", 120.0),
        ("inf", 120.0),
        ("nan", 2.0),
    ],
)
def test_the_grace_time_is_from_2_to_120_seconds(text: str | None, seconds: float) -> None:
    assert grace_seconds({} if text is None else {"STOP_TIMEOUT": text}) == seconds


def test_a_grace_time_that_is_no_number_is_named() -> None:
    with pytest.raises(UsageError, match="STOP_TIMEOUT: 'soon' found, seconds from 2 to 120 expected"):
        grace_seconds({"STOP_TIMEOUT": "soon"})
    assert os.environ.get("STOP_TIMEOUT") != "soon"
