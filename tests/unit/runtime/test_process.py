"""Stages as processes: which file is run, with which words and environment, and what it used."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from handoff_runtime.errors import StartError
from handoff_runtime.pipeline import Stage
from handoff_runtime.supervisor import process, start_failure
from handoff_runtime.supervisor.start_failure import INSTALL, OF_THIS_MACHINE, SHEBANG


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def program(path: str, text: str = "#!/bin/sh\n", mode: int = 0o755) -> str:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return str(file.resolve())


def stage(*argv: str, venv: str | None = None, **envs: str) -> Stage:
    return Stage("tap", argv, argv[0], venv, envs)


def test_a_command_is_found_in_its_venv_first() -> None:
    expected = program("venv/tap/bin/tap")
    program("bin/tap")
    environ = {"PATH": str(Path("bin").resolve()), "PYTHONHOME": "/x", "PYTHONPATH": "/y", "A": "1"}
    found = process.find_command(stage("tap", "-x", venv="venv/tap", A="2"), environ)
    venv = str(Path("venv/tap").resolve())
    path = f"{venv}/bin:{environ['PATH']}"
    assert found == process.Command("tap", expected, ("tap", "-x"), {"PATH": path, "A": "2", "VIRTUAL_ENV": venv})


def test_an_installed_environment_is_the_version_that_the_link_leads_to_once_it_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An installation that switches the link just before may have removed the version that was found first."""
    expected = program("venv/.tap.2/bin/tap")
    for name in ("venv/.tap.1", "venv/.tap.2"):
        program(f"{name}/{process.STAMP}", "{}")
    link, flock = Path("venv/tap"), fcntl.flock
    link.symlink_to(".tap.1")

    def switch(fd: int, operation: int) -> None:
        link.unlink()
        link.symlink_to(".tap.2")
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", switch)
    assert process.find_command(stage("tap", venv="venv/tap"), {}).path == expected
    stamp = os.open(f"venv/.tap.2/{process.STAMP}", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        flock(stamp, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(stamp)


def test_a_stage_with_a_venv_has_the_pythonpath_of_its_envs() -> None:
    program("venv/tap/bin/tap")
    environ = {"PATH": "", "PYTHONPATH": "/caller", "PYTHONHOME": "/caller"}
    found = process.find_command(stage("tap", venv="venv/tap", PYTHONPATH="lib"), environ).environ
    assert {name: found.get(name) for name in ("PYTHONPATH", "PYTHONHOME")} == {"PYTHONPATH": "lib", "PYTHONHOME": None}


def test_a_stage_without_venv_inherits_all() -> None:
    environ = {"PATH": "/bin", "PYTHONPATH": "/caller", "PYTHONHOME": "/caller"}
    assert process.find_command(stage("sh"), environ).environ == environ


def test_a_command_is_found_on_the_path_of_the_stage() -> None:
    expected = program("own/tap")
    assert process.find_command(stage("tap", PATH=str(Path("own").resolve())), {"PATH": "/bin"}).path == expected


def test_what_is_executable_is_preferred() -> None:
    program("one/tap", mode=0o644)
    Path("two/tap").mkdir(parents=True)
    program("three/tap")
    assert process.find_command(stage("tap"), {"PATH": "one:two::three"}).path == "three/tap"


def test_a_script_may_name_its_interpreter_with_blanks_and_words() -> None:
    program("tap", f"#! \t{sys.executable} -I\n")
    assert process.find_command(stage("./tap"), {}).path == "./tap"


EXPECTED = "an executable file expected"
CRLF = "its first line ends in CRLF, as on Windows, and the CR is a part of the interpreter's name"


@pytest.mark.parametrize(
    ("argv", "code", "message", "hint"),
    [
        pytest.param("tap", 127, "not found in venv/tap", INSTALL, id="missing"),
        pytest.param("./tap", 127, "not found in {here}", INSTALL, id="missing path"),
        pytest.param("", 127, "not found in venv/tap", INSTALL, id="no name"),
        pytest.param(
            "./pl ain",
            126,
            f"./pl ain, which is not executable found, {EXPECTED}",
            "make it executable: chmod +x './pl ain'",
            id="not executable",
        ),
        pytest.param(".", 127, "not found in venv/tap", INSTALL, id="here"),
        pytest.param("./", 126, f"a directory found, {EXPECTED}", "write the path of a program in it", id="directory"),
        pytest.param("./orphan", 127, "its interpreter /gone is not there", INSTALL, id="interpreter"),
        pytest.param("./data", 126, "its interpreter /etc/passwd is not executable", SHEBANG, id="no interpreter"),
        pytest.param("./in", 126, "its interpreter / is not executable", SHEBANG, id="directory as interpreter"),
        pytest.param("./crlf", 127, CRLF, r"convert its lines: perl -pi -e 's/\r$//' ./crlf", id="CRLF"),
        pytest.param("./env", 127, CRLF, r"convert its lines: perl -pi -e 's/\r$//' ./env", id="CRLF behind env"),
    ],
)
def test_what_cannot_start_is_named(argv: str, code: int, message: str, hint: str) -> None:
    program("pl ain", mode=0o644)
    scripts = {"orphan": "#!/gone\n", "data": "#!/etc/passwd\n", "in": "#!/\n", "crlf": "#!/bin/sh\r\necho\r\n"}
    for name, text in {**scripts, "env": "#!/usr/bin/env python3\r\n"}.items():
        program(name, text)
    with pytest.raises(StartError) as caught:
        process.find_command(stage(argv, venv="venv/tap"), {"PATH": "/nowhere"})
    assert (caught.value.stage, caught.value.exit_code, caught.value.hint) == ("tap", code, hint)
    assert caught.value.message == f"stage tap: cannot start {argv!r}: {message.format(here=Path.cwd())}"


def test_a_process_is_started_in_its_own_group_with_its_three_descriptors() -> None:
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    code = (
        "import os, sys; print(os.getpgid(0) == os.getpid(), sys.stdin.read(), os.environ); print('e', file=sys.stderr)"
    )
    nothing = os.open(os.devnull, os.O_RDONLY)
    command = process.find_command(stage(sys.executable, "-I", "-c", code, X="y"), {})
    pid = process.start_process(command, nothing, out_write, err_write)
    for fd in (nothing, out_write, err_write):
        os.close(fd)
    assert os.waitpid(pid, 0) == (pid, 0)
    result = os.read(out_read, 1000), os.read(err_read, 1000)
    os.close(out_read)
    os.close(err_read)
    assert result == (b"True  environ({'X': 'y', 'LC_CTYPE': 'C.UTF-8'})\n", b"e\n")


FOREIGN = "s390x" if os.uname().machine != "s390x" else "x86_64"
ELF = b"\x7fELF\x02" + (b"\x02" + bytes(12) + b"\x00\x16" if FOREIGN == "s390x" else b"\x01" + bytes(12) + b"\x3e\x00")
NO_PROGRAM = "Exec format error: no program found, and no first line that names an interpreter"
LONG_HINT = start_failure.HINTS[errno.E2BIG]


@pytest.mark.parametrize(
    ("content", "argv", "envs", "code", "message", "hint"),
    [
        pytest.param(b"no first line\n", (), {}, 126, NO_PROGRAM, SHEBANG, id="text"),
        pytest.param(b"", (), {}, 126, NO_PROGRAM, SHEBANG, id="empty"),
        pytest.param(
            b"#!/" + b"x" * 300 + b"\n",
            (),
            {},
            126,
            "Exec format error: its first line names no interpreter within 256 bytes",
            SHEBANG,
            id="a long first line",
        ),
        pytest.param(
            b"#!\n",
            (),
            {},
            126,
            "Exec format error: its first line names no interpreter within 256 bytes",
            SHEBANG,
            id="no interpreter",
        ),
        pytest.param(
            b"\xef\xbb\xbf#!/bin/sh\n",
            (),
            {},
            126,
            "Exec format error: it begins with a byte order mark",
            r"save it without: perl -pi -e 's/^\xEF\xBB\xBF//' ./tap",
            id="byte order mark",
        ),
        pytest.param(
            ELF + bytes(44),
            (),
            {},
            126,
            f"Exec format error: a program for {FOREIGN} found, one for {os.uname().machine} expected",
            OF_THIS_MACHINE,
            id="another architecture",
        ),
        pytest.param(
            b"MZ\x90", (), {}, 126, "Exec format error: a program for Windows found", OF_THIS_MACHINE, id="Windows"
        ),
        pytest.param(
            b"#!/bin/sh\n",
            ("x" * 131_072,),
            {},
            126,
            "Argument list too long: a word of 131,072 bytes found, at most 131,071 expected",
            LONG_HINT,
            id="a long word",
        ),
        pytest.param(
            b"#!/bin/sh\n",
            (),
            {"CONFIG": "ü" * 70_000},
            126,
            "Argument list too long: the variable CONFIG of 140,007 bytes found, at most 131,071 expected",
            LONG_HINT,
            id="a long variable",
        ),
        pytest.param(
            b"#!/bin/sh\n",
            ("x" * 100_000,) * 100,
            {},
            126,
            "Argument list too long: words and variables of 10,000,005 bytes found",
            LONG_HINT,
            id="many words",
        ),
    ],
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and kinds of programs are of Linux")
def test_a_process_that_is_refused_is_named(
    content: bytes, argv: tuple[str, ...], envs: dict[str, str], code: int, message: str, hint: str
) -> None:
    Path(program("tap")).write_bytes(content)
    command = process.find_command(stage("./tap", *argv, **envs), {})
    with pytest.raises(StartError) as caught:
        process.start_process(command, 0, 1, 2)
    assert (caught.value.exit_code, caught.value.message) == (code, f"stage tap: cannot start './tap': {message}")
    assert caught.value.hint == hint


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="macOS starts a program that is written to")
def test_a_program_that_is_written_to_is_named() -> None:
    program("tap")
    shutil.copyfile("/bin/true", "tap")
    command = process.find_command(stage("./tap"), {})
    with Path("tap").open("ab"), pytest.raises(StartError) as caught:
        process.start_process(command, 0, 1, 2)
    assert (caught.value.exit_code, caught.value.message, caught.value.hint) == (
        126,
        "stage tap: cannot start './tap': Text file busy",
        "another process writes to it: wait for that one; which it is: fuser -v ./tap",
    )


@pytest.mark.parametrize(
    ("number", "code", "hint"),
    [
        pytest.param(errno.EAGAIN, 126, start_failure.HINTS[errno.EAGAIN], id="processes"),
        pytest.param(errno.ENOMEM, 126, start_failure.HINTS[errno.ENOMEM], id="memory"),
        pytest.param(errno.EIO, 126, None, id="what nobody knows"),
        pytest.param(errno.ENOENT, 127, INSTALL, id="it has gone"),
    ],
)
def test_an_errno_has_a_hint(number: int, code: int, hint: str | None) -> None:
    error = start_failure.refused("tap", "./tap", ("./tap",), {}, OSError(number, os.strerror(number)))
    assert (error.exit_code, error.hint) == (code, hint)
    assert error.message == f"stage tap: cannot start './tap': {os.strerror(number)}"


def test_a_program_without_its_loader_is_named() -> None:
    program("tap")
    error = start_failure.refused("tap", "./tap", ("./tap",), {}, FileNotFoundError(errno.ENOENT, "No such file"))
    why = "No such file: its loader is not there, which is of another system or C library"
    assert (error.exit_code, error.message) == (127, f"stage tap: cannot start './tap': {why}")


def test_usage_is_seconds_and_bytes() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = process.read_usage(used)
    assert found == process.Usage(
        used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="proc(5) is of Linux")
def test_whether_a_process_holds_what_we_hold() -> None:
    read, write = os.pipe()
    other = os.open(os.devnull, os.O_RDONLY)
    with subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=write, stderr=write) as sleeping:
        held = [process.has_open(sleeping.pid, fd) for fd in (read, write)]
        with subprocess.Popen(
            ["sh", "-c", "exec >&- 2>&- 7<&-; read x"], stdin=subprocess.PIPE, stdout=write
        ) as closing:
            while process.has_open(closing.pid, write):
                os.sched_yield()
        sleeping.kill()
        sleeping.wait()
    assert (held, process.has_open(sleeping.pid, write)) == ([True, True], True)
    for fd in (read, write, other):
        os.close(fd)
