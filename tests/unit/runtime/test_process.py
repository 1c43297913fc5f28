"""Stages as processes: which file is run, with which words and environment, and what it used."""

from __future__ import annotations

import fcntl
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from handoff_runtime.errors import StartError
from handoff_runtime.pipeline import Stage
from handoff_runtime.supervisor import process


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
    environ = {"PATH": str(Path("bin").resolve()), "PYTHONHOME": "/x", "A": "1"}
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


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        pytest.param("tap", 127, "cannot start 'tap': not found in venv/tap", id="missing"),
        pytest.param("./tap", 127, "cannot start './tap': not found in {here}", id="missing path"),
        pytest.param("", 127, "cannot start '': not found in venv/tap", id="no name"),
        pytest.param(
            "./plain",
            126,
            "cannot start './plain': ./plain, which is not executable found, an executable file expected",
            id="not executable",
        ),
        pytest.param(".", 127, "cannot start '.': not found in venv/tap", id="here"),
        pytest.param("./", 126, "cannot start './': a directory found, an executable file expected", id="directory"),
        pytest.param("./orphan", 127, "cannot start './orphan': its interpreter /gone is not there", id="interpreter"),
    ],
)
def test_what_cannot_start_is_named(argv: str, code: int, message: str) -> None:
    program("plain", mode=0o644)
    program("orphan", "#!/gone\n")
    with pytest.raises(StartError) as caught:
        process.find_command(stage(argv, venv="venv/tap"), {"PATH": "/nowhere"})
    assert (caught.value.stage, caught.value.exit_code) == ("tap", code)
    assert caught.value.message == f"stage tap: {message.format(here=Path.cwd())}"


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


def test_a_process_that_is_refused_is_named() -> None:
    program("tap", "no first line\n")
    with pytest.raises(StartError) as caught:
        process.start_process(process.find_command(stage("./tap"), {}), 0, 1, 2)
    assert (caught.value.exit_code, caught.value.message) == (126, "stage tap: cannot start './tap': Exec format error")


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
