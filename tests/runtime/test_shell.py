"""`shell` lines: any part of a pipe that fails, and any variable that is not set, fails the stage, in every shell."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from doubles.runtime_project import Project

PROGRAMS = ("cat", "false", "gzip", "head", "seq", "sort", "true", "wc", "yes")


@pytest.fixture
def without_bash(tmp_path: Path) -> str:
    """A PATH on which there is an `sh`, and no bash."""
    dash = shutil.which("dash")
    if dash is None:
        pytest.skip("no dash on PATH")
    for name in PROGRAMS:
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    (tmp_path / "sh").symlink_to(dash)
    return str(tmp_path)


BASH = [
    pytest.param("false | gzip > .artifacts/dump.gz", 1, [], id="the first half of a pipe"),
    pytest.param("seq 3 | false | wc -l", 1, [], id="the middle of a pipe"),
    pytest.param("x=$(false | cat); echo $x", 1, [], id="a pipe inside a substitution"),
    pytest.param("yes | head -n 1", 141, [], id="SIGPIPE counts"),
    pytest.param("{ yes || [ $? -eq 141 ]; } | head -n 1", 0, [], id="SIGPIPE allowed"),
]
EVERY = [
    pytest.param("false; echo never", 1, [], id="a command that fails"),
    pytest.param("echo $UNDEFINED_NAME", None, ["UNDEFINED_NAME"], id="a variable that is not set"),
    pytest.param("echo ${UNDEFINED_NAME:-there}", 0, [], id="one with a default"),
    pytest.param("false || true", 0, [], id="a failure that is allowed"),
    pytest.param("if false; then echo x; fi", 0, [], id="a condition"),
    pytest.param("seq 3 | sort | wc -l", 0, [], id="a pipe that is well"),
    pytest.param("exit 7", 7, [], id="an exit of its own"),
    pytest.param("true\ntrue\necho $UNDEFINED_NAME", None, ["3:"], id="its line is named"),
]


@pytest.mark.parametrize(("line", "code", "words"), BASH + EVERY)
def test_a_line_with_bash_on_the_path(project: Project, line: str, code: int | None, words: list[str]) -> None:
    _check(project, line, code, words, os.environ["PATH"])


@pytest.mark.parametrize(("line", "code", "words"), EVERY)
def test_a_line_with_another_sh(
    project: Project, without_bash: str, line: str, code: int | None, words: list[str]
) -> None:
    _check(project, line, code, words, without_bash)


def _check(project: Project, line: str, code: int | None, words: list[str], path: str) -> None:
    done = project.params({"name": "shell", "shell": line}).run(env={"PATH": path})
    assert done.exit == code if code is not None else done.exit > 0
    said = "\n".join(done.said("shell"))
    assert [word for word in words if word not in said] == []
    assert done.record["stages"][0]["argv"] == ["sh", "-c", line]


def test_bash_is_started_as_sh(project: Project) -> None:
    done = project.params('echo "$0 ${BASH_VERSION:+bash} $(set -o | grep posix)" >&2').run()
    assert [line.split() for line in done.said("echo")] == [["sh", "bash", "posix", "on"]]


def test_a_reader_that_has_enough_of_a_line_with_a_pipe(project: Project) -> None:
    done = project.params("yes | cat", "head -n 1").run()
    assert (done.exit, done.verdicts, done.state) == (0, ["not needed", "ok"], b"y\n")


def test_without_any_shell_a_line_cannot_start(project: Project, tmp_path: Path) -> None:
    done = project.params("echo 1").run(env={"PATH": str(tmp_path)})
    assert (done.exit, done.record["reason"]) == (127, "stage echo: cannot start 'sh': not found in PATH")
