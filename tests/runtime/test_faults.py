"""What goes wrong: it is named, told by the exit code, and nothing that was there before is lost."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from doubles.runtime_project import PYTHON, START, Finished, Project, script

from handoff_runtime.errors import SYSTEM_HINTS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.takes(50)

INSTALL = "install what the stage needs: `invoke install`; see what would run: `invoke show-commands`"


def unharmed(project: Project, done: Finished) -> None:
    """Nothing was started and the state is the old one."""
    assert (done.state, project.path("started").exists(), done.record["state"]["replaced"]) == (b"old", False, False)
    assert [set(stage) for stage in done.record["stages"]] == [{"name", "argv"}] * len(done.record["stages"])


# commands that cannot start


@pytest.mark.parametrize(
    ("argv", "code", "why", "hint"),
    [
        pytest.param(["no-such-tap"], 127, "cannot start 'no-such-tap': not found in PATH", INSTALL, id="missing"),
        pytest.param(["./no"], 127, "cannot start './no': not found in {here}", INSTALL, id="missing path"),
        pytest.param(
            ["./plain"],
            126,
            "cannot start './plain': ./plain, which is not executable found, an executable file expected",
            "make it executable: chmod +x ./plain",
            id="not executable",
        ),
        pytest.param(
            ["./dir"],
            126,
            "cannot start './dir': a directory found, an executable file expected",
            "write the path of a program in it",
            id="directory",
        ),
        pytest.param(
            ["./orphan"],
            127,
            "cannot start './orphan': its interpreter /gone/python is not there",
            INSTALL,
            id="interpreter",
        ),
        pytest.param(
            ["lost"],
            126,
            "cannot start 'lost': {path}/lost, which is not executable found, an executable file expected",
            "make it executable: chmod +x {path}/lost",
            id="not executable on PATH",
        ),
    ],
)
def test_a_command_that_cannot_start_is_named_before_anything_runs(
    project: Project, argv: list[str], code: int, why: str, hint: str
) -> None:
    project.keep(b"old")
    project.write("plain", "#!/bin/sh\n", 0o644)
    project.write("orphan", "#!/gone/python\n", 0o755)
    project.write("bin/lost", "x", 0o644)
    project.path("dir").mkdir()
    path = f"{project.path('bin')}:{os.environ['PATH']}"
    done = project.params("touch started; echo new", argv).run(env={"PATH": path})
    name = os.path.basename(argv[0])  # noqa: PTH119  # a word
    reason = f"stage {name}: {why.format(here=project.directory, path=project.path('bin'))}"
    assert (done.exit, done.record["exit"], done.record["culprit"], done.record["reason"]) == (code, code, name, reason)
    assert done.said("handoff")[:2] == [f"error: {reason}", f"hint: {hint.format(path=project.path('bin'))}"]
    unharmed(project, done)


def test_a_missing_command_of_a_venv_names_the_venv(project: Project) -> None:
    done = project.params({"argv": ["tap-gone"], "venv": "venv/tap"}).run()
    assert done.record["reason"] == "stage tap-gone: cannot start 'tap-gone': not found in venv/tap"


STUBBORN = script(
    "import signal, time, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "open('started', 'w').close()\ntime.sleep(60)"
)


@pytest.mark.parametrize(
    ("last", "why"),
    [
        pytest.param(
            ["./text"],
            "Exec format error: no program found, and no first line that names an interpreter",
            id="no program",
        ),
        pytest.param(
            ["true", "x" * 200_000],
            "Argument list too long: a word of 200,000 bytes found, at most 131,071 expected",
            id="argument too long",
        ),
    ],
)
def test_what_only_the_kernel_refuses_ends_the_stages_before_it(project: Project, last: list[str], why: str) -> None:
    project.keep(b"old")
    project.write("text", "no first line that names an interpreter\n", 0o755)
    running = project.params(STUBBORN, *["cat"] * 60, last).start()
    done = running.finish()
    assert (done.exit, done.record["culprit"], done.state) == (126, os.path.basename(last[0]), b"old")  # noqa: PTH119
    assert done.record["reason"] == f"stage {done.record['culprit']}: cannot start {last[0]!r}: {why}"
    assert (done.seconds < 9, project.path("started").exists()) == (True, True)
    assert running.left() == []


# stages that die


DEATHS = [
    pytest.param("exit 7", 7, "ended with exit 7", id="exit"),
    pytest.param("kill -KILL $$", 137, "was ended by SIGKILL (out of memory?)", id="SIGKILL"),
    pytest.param("kill -SEGV $$", 139, "was ended by SIGSEGV", id="SIGSEGV"),
    pytest.param("kill -TERM $$", 143, "was ended by SIGTERM", id="SIGTERM by a stranger"),
]
WAYS = [
    pytest.param("ulimit -c 0; {death}", id="at the start"),
    pytest.param("ulimit -c 0; seq 100000; {death}", id="after writing"),
    pytest.param("ulimit -c 0; head -n 10; {death}", id="after reading some"),
]


@pytest.mark.parametrize("meter", ["rows", "off"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("death", "code", "expected"), DEATHS)
def test_a_stage_that_dies_in_the_middle_is_the_culprit(
    project: Project, death: str, code: int, expected: str, way: str, meter: str
) -> None:
    project.keep(b"old")
    running = project.params("yes", "exec 3>&1; " + way.format(death=death), "cat", meter=meter).start()
    done = running.finish()
    assert (done.exit, done.record["outcome"], done.record["culprit"], done.state) == (code, "failed", "exec", b"old")
    assert done.record["reason"] == f"stage exec {expected}"
    assert done.verdicts[1:] == ["failed", "ok"]
    assert done.verdicts[0] in ("stopped", "consequence")
    assert (done.seconds < 3, running.left()) == (True, [])


@pytest.mark.parametrize(("death", "code", "expected"), DEATHS)
def test_a_first_stage_that_dies_leaves_what_is_downstream_to_finish(
    project: Project, death: str, code: int, expected: str
) -> None:
    project.keep(b"old")
    done = project.params(f"ulimit -c 0; seq 5; {death}", "cat > got; sleep 0.3; echo committed >> got").run()
    assert (done.exit, done.record["reason"], done.verdicts, done.state) == (
        code,
        f"stage ulimit {expected}",
        ["failed", "ok"],
        b"old",
    )
    assert project.path("got").read_text() == "1\n2\n3\n4\n5\ncommitted\n"


def test_what_never_finishes_after_a_failure_is_stopped_after_the_grace_time(project: Project) -> None:
    done = project.params("exit 3", "trap '' TERM; touch started; sleep 60").run(env={"STOP_TIMEOUT": "2"})
    assert (done.exit, done.record["culprit"], done.verdicts) == (3, "exit", ["failed", "stopped"])
    assert done.record["stages"][1]["signal"] == 9
    assert 2 < done.seconds < 9


def test_the_first_failure_in_time_is_the_cause(project: Project) -> None:
    done = project.params("sleep 0.2; exit 5", "cat; sleep 0.5; exit 6", "cat; sleep 1; exit 7").run()
    assert (done.exit, done.record["culprit"], done.verdicts) == (5, "sleep", ["failed", "consequence", "consequence"])


# disk full

LIMITED: dict[str, Any] = {
    "before": 'ulimit -S -f 16; exec "$@"',
    "env": {"PYTHONDONTWRITEBYTECODE": "1"},  # which would be cut off, and end every later run
}


def test_a_file_size_limit_keeps_the_old_state(project: Project) -> None:
    project.keep(b"old")
    done = project.params("ulimit -S -f unlimited; head -c 100000 /dev/zero").run(**LIMITED)
    reason = ".artifacts/state: File too large; the state before this run is kept"
    assert (done.exit, done.record["exit"], done.record["outcome"], done.record["reason"]) == (69, 69, "failed", reason)
    assert (done.state, project.path(".artifacts/state.new").exists()) == (b"old", False)
    assert done.said("handoff")[1] == f"error: {reason}"


def test_a_stage_s_own_failure_is_told_before_a_full_disk(project: Project) -> None:
    project.keep(b"old")
    shell = """ulimit -S -f unlimited; printf '{"a": "%050000d"}\\n' 0; exit 4"""
    done = project.params(shell, state="singer").run(**LIMITED)
    assert (done.exit, done.record["culprit"], done.state) == (4, "ulimit", b"old")


def test_a_state_that_cannot_be_created_is_in_the_record(project: Project) -> None:
    project.path(".artifacts").mkdir()
    project.path(".artifacts/state").symlink_to("gone/state")
    done = project.params("touch started", "cat", state="singer").run()
    reason = ".artifacts/state: No such file or directory, a file one can write to expected"
    assert (done.exit, done.record["outcome"], done.record["exit"], done.record["reason"]) == (69, "failed", 69, reason)
    assert not project.path("started").exists()


def test_a_full_disk_keeps_the_old_state(small_disk: Path) -> None:
    project = Project(small_disk)
    project.keep(b"old" * 1000)
    done = project.params("head -c 2500000 /dev/urandom").run()
    reason = ".artifacts/state: No space left on device; the state before this run is kept"
    assert (done.exit, done.record["exit"], done.record["reason"]) == (69, 69, reason)
    assert (done.state, project.path(".artifacts/state.new").exists()) == (b"old" * 1000, False)
    assert project.params("echo small").run().state == b"small\n"


def test_a_disk_that_is_full_from_the_start_is_an_error(small_disk: Path) -> None:
    project = Project(small_disk)
    project.keep(b"old")
    with project.path("filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space"):
        while True:
            filler.write(b"x" * 4096)
    done = project.params("touch started", files={"a": "x" * 5000}).run()
    error = "error: .env: No space left on device, a place one can write to expected"
    assert (done.exit, done.stderr.splitlines()[0], done.state) == (69, error, b"old")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("fill", "code", "outcome"),
    [
        pytest.param("cat /dev/zero > filler || exit 5", 5, "failed", id="by a stage that fails"),
        pytest.param("cat /dev/zero > filler || true", 0, "succeeded", id="by a stage that goes on"),
        pytest.param("cat /dev/zero || exit 6", 6, "failed", id="by its output"),
        pytest.param("mkdir filler; cd filler; seq 500 | xargs touch || exit 7", 7, "failed", id="inodes"),
    ],
)
def test_the_record_and_the_history_say_how_a_run_ended_that_filled_the_disk(
    small_disk: Path, fill: str, code: int, outcome: str
) -> None:
    project = Project(small_disk)
    project.keep(b"old")
    done = project.params(fill, state="none").run()
    assert (done.exit, done.record["exit"], done.record["outcome"], done.state) == (code, code, outcome, b"old")
    notes = [line for line in done.said("handoff") if line.startswith("note: ")]
    assert notes[1:] == ["note: the next run adds this one to the history"] * bool(notes)
    assert notes or "touch" not in fill  # of space, some was reserved
    assert not list(project.path(".artifacts").glob("*run.json?*"))
    subprocess.run(["rm", "-r", "filler", ".artifacts/stdout.log"], cwd=small_disk, check=False)
    again = project.params("true", state="none").run()
    lines = [
        json.loads(line) for path in small_disk.glob(".artifacts/history/*") for line in path.read_text().splitlines()
    ]
    assert (again.exit, [(line["run_id"], line["outcome"], line["exit"]) for line in lines]) == (
        0,
        [(done.record["run_id"], outcome, code), (again.record["run_id"], "succeeded", 0)],
    )


# places that are not what they should be


@pytest.mark.parametrize(
    ("place", "kind", "code", "word"),
    [
        pytest.param(".artifacts", "file", 69, ".artifacts: File exists", id="artifacts a file"),
        pytest.param(".artifacts/state", "directory", 69, ".artifacts/state: a directory found", id="state"),
        pytest.param(".artifacts/run.json", "directory", 69, ".artifacts/run.json: Is a directory", id="record"),
        pytest.param(".artifacts/stdout.log", "directory", 69, ".artifacts/stdout.log: Is a directory", id="stdout"),
        pytest.param(".artifacts/stderr.log", "directory", 69, ".artifacts/stderr.log: Is a directory", id="stderr"),
        pytest.param(".artifacts/.lock", "directory", 69, ".artifacts/.lock: Is a directory", id="lock"),
        pytest.param(".env", "file", 69, ".env/config: Not a directory", id="env a file"),
        pytest.param(".env/config", "file", 69, ".env/config: a file found", id="config a file"),
        pytest.param(".env/config", "link", 69, ".env/config: a symbolic link found", id="config a link"),
    ],
)
def test_a_place_of_ours_that_is_taken_is_named(project: Project, place: str, kind: str, code: int, word: str) -> None:
    project.path(place).parent.mkdir(exist_ok=True)
    if kind == "file":
        project.write(place, "precious")
    elif kind == "directory":
        project.write(f"{place}/inside", "precious")
    else:
        project.write("elsewhere/inside", "precious")
        project.path(place).symlink_to(project.path("elsewhere"))
    with_record = place not in {".artifacts/run.json", ".artifacts"}
    running = project.params("touch started", files={"a": "b"}).start()
    _, stderr = running.process.communicate(timeout=30)
    assert (running.process.returncode, project.path("started").exists()) == (code, False)
    assert word in stderr.decode()
    assert "Traceback" not in stderr.decode()
    kept = project.path("elsewhere/inside" if kind == "link" else place if kind == "file" else f"{place}/inside")
    assert kept.read_text() == "precious"
    assert not with_record or (project.record() or {"outcome": "failed"})["outcome"] == "failed"


@pytest.mark.parametrize(
    ("module", "call", "number", "refused", "expected"),
    [
        pytest.param("os", "link", "EPERM", "True", (0, b"hi\n"), id="hard links"),
        pytest.param("os", "fsync", "EINVAL", "stat.S_ISDIR(os.stat(given[0]).st_mode)", (0, b"hi\n"), id="fsync"),
        pytest.param("fcntl", "flock", "ENOLCK", "True", (69, None), id="locks"),
    ],
)
def test_a_file_system_that_lacks_something(
    project: Project, module: str, call: str, number: str, refused: str, expected: tuple[int, bytes | None]
) -> None:
    """As FAT, and some of networks and of containers, lack hard links, fsync(2) of a directory, or flock(2)."""
    code = f"""
import errno, fcntl, os, runpy, stat
made = {module}.{call}
def refuse(*given, **named):
    if {refused}:
        raise OSError(errno.{number}, os.strerror(errno.{number}))
    return made(*given, **named)
{module}.{call} = refuse
runpy.run_path({START!r}, run_name="__main__")
"""
    done = project.params("echo hi").run(python=(PYTHON, "-c", code))
    assert (done.exit, done.state) == expected, done.stderr
    if done.exit:
        message = "error: .artifacts/.lock: No locks available, a file system with locks (flock) expected\n"
        assert (done.stderr, done.record) == (message, None)
    else:
        kept = project.path(f".artifacts/runs/{done.record['run_id']}/run.json")
        assert (done.record["outcome"], kept.read_bytes()) == (
            "succeeded",
            project.path(".artifacts/run.json").read_bytes(),
        )


def test_a_stage_that_removes_our_files_is_a_failed_run(project: Project) -> None:
    done = project.params("rm -r .artifacts; echo hi").run()
    assert (done.exit, "Traceback" in done.stderr, done.record) == (69, False, None)
    done = project.params("rm .artifacts/stdout.log; echo hi").run()
    assert (done.exit, "Traceback" in done.stderr, done.record["outcome"], done.state) == (69, False, "failed", None)
    done = project.params("rm .artifacts/stdout.log; exit 4", meter="off").run()
    assert (done.exit, done.record["outcome"], done.record["exit"]) == (4, "failed", 4)


# what the system refuses


@pytest.mark.parametrize(
    ("stages", "meter", "limit", "found"),
    [
        pytest.param(40, "rows", "-S -n 256", [0, "succeeded", None, b"256\n"], id="soft"),
        pytest.param(
            40,
            "rows",
            "-n 256",
            [71, "failed", "40 stages with `meter: rows` need up to 432 open files, the hard limit is 256", None],
            id="hard",
        ),
        pytest.param(2, "rows", "-n 64", [0, "succeeded", None, b"64\n"], id="enough"),
    ],
)
def test_a_run_that_needs_more_open_files_raises_its_limit_or_is_refused(
    project: Project, stages: int, meter: str, limit: str, found: list[Any]
) -> None:
    shells = ("touch started; sleep 0.3; ulimit -S -n", *["cat"] * (stages - 1))
    done = project.params(*shells, meter=meter).run(before=f'ulimit {limit}; exec "$@"')
    assert [done.exit, done.record["outcome"], done.record["reason"], done.state] == found
    assert project.path("started").exists() == (done.exit == 0)
    if done.exit:
        hint = "as root: `ulimit -n 432`; for a container: `--ulimit nofile=432`, or count nothing: `--meter off` needs 152"
        assert done.said("handoff")[:2] == [f"error: {found[2]}", f"hint: {hint}"]


REFUSING = """
import errno, os, runpy, sys
calls, real = iter(range(1, {number})), os.{call}
def refuse(*given):
    for _ in calls:
        return real(*given)
    raise OSError(errno.{why}, os.strerror(errno.{why}))
os.{call} = refuse
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("call", "number", "why"),
    [
        pytest.param("fork", 1, "EAGAIN", id="fork of the watchdog"),
        pytest.param("fork", 1, "ENOMEM", id="fork without memory"),
        pytest.param("pipe", 2, "ENFILE", id="pipe of the watchdog"),
        pytest.param("pipe", 5, "ENFILE", id="pipe of a link"),
        pytest.param("pipe", 6, "EMFILE", id="stderr of a stage"),
        pytest.param("pipe", 9, "ENFILE", id="pipe of a counter"),
        pytest.param("pipe", 11, "ENFILE", id="of a later stage"),
    ],
)
def test_a_call_that_the_system_refuses_is_a_failed_run(project: Project, call: str, number: int, why: str) -> None:
    project.keep(b"old")
    code = REFUSING.format(call=call, number=number, why=why)
    running = project.params("yes", "cat", "cat").start(python=(PYTHON, "-c", code, START))
    done = running.finish()
    reason = f"the system refused what the run needs: {os.strerror(getattr(errno, why))}"
    assert (done.exit, done.record["outcome"], done.record["exit"], done.record["reason"]) == (71, "failed", 71, reason)
    assert (done.state, running.left(), "Traceback" in done.stderr) == (b"old", [], False)
    assert f"hint: {SYSTEM_HINTS[getattr(errno, why)]}" in done.said("handoff")


OLD_SETUPTOOLS = "its package needs an older setuptools: add `setuptools<81` to its venv, then: invoke install"
OLD_PYTHON = "its package is for Python 3.9 or earlier: take another one; for target-csv: meltanolabs-target-csv"


@pytest.mark.parametrize(
    ("words", "code", "hints"),
    [
        pytest.param("ModuleNotFoundError: No module named 'pkg_resources'", 1, [OLD_SETUPTOOLS], id="pkg_resources"),
        pytest.param("AttributeError: module 'collections' has no attribute 'X'", 1, [OLD_PYTHON], id="collections"),
        pytest.param("ModuleNotFoundError: No module named 'pkg_resources'", 0, [], id="a success"),
        pytest.param("ModuleNotFoundError: No module named 'tap_x'", 1, [], id="another module"),
    ],
)
def test_a_package_for_an_older_python_is_explained(project: Project, words: str, code: int, hints: list[str]) -> None:
    done = project.params(f'echo "{words}" >&2; exit {code}').run()
    found = [line for line in done.said("handoff") if "hint: " in line]
    assert (done.exit, found) == (code, [f"hint: stage {done.record['culprit']}: {hint}" for hint in hints])


# what is asked


FAR = "error: data: a time window that leaves the years 1 to 9999 found, a nearer one expected"
LIKE_THIS = """hint: write it like this: --data '{"start_at": "2026-01-01T00:00:00"}'\n"""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(
            "{base: 1}",
            "text that is no JSON found, a JSON object expected (Expecting property name enclosed in double "
            "quotes: line 1 column 2 (char 1))",
            id="no JSON",
        ),
        pytest.param("[1]", "a JSON list found, a JSON object expected", id="a list"),
        pytest.param('"x"', "a JSON text found, a JSON object expected", id="a text"),
        pytest.param("null", "a JSON null found, a JSON object expected", id="null"),
    ],
)
@pytest.mark.parametrize("way", ["flag", "environment"])
def test_data_that_is_no_json_object_is_an_error(project: Project, data: str, message: str, way: str) -> None:
    project.keep(b"old")
    project.params("touch started")
    done = project.run("-d", data) if way == "flag" else project.run(env={"DATA": data})
    assert (done.exit, done.stderr, done.record) == (64, f"error: DATA: {message}\n{LIKE_THIS}", None)
    assert (done.state, project.path("started").exists()) == (b"old", False)


@pytest.mark.parametrize(
    ("data", "code", "first"),
    [
        pytest.param(
            '{"a": "x\\u0000y"}',
            64,
            "error: data.a: 'x\\x00y' found, a text that can be an argument of a command expected",
            id="NUL",
        ),
        pytest.param(
            '{"a": "\\ud800"}',
            64,
            "error: data.a: '\\ud800' found, a text that can be an argument of a command expected",
            id="half a character",
        ),
        pytest.param(
            '{"start_at": "soon"}',
            64,
            "error: data.start_at: 'soon' found, a time like 2026-01-31T00:00:00 or 2026-01-31T00:00:00Z expected",
            id="no time",
        ),
        pytest.param(
            '{"start_at": 5}',
            64,
            "error: data.start_at: 5 found, a time like 2026-01-31T00:00:00 or 2026-01-31T00:00:00Z expected",
            id="a number for a time",
        ),
        pytest.param(
            '{"start_at": "2026-01-02", "end_at": "2026-01-02"}',
            64,
            "error: data: start_at 2026-01-02T00:00:00Z "
            "and end_at 2026-01-02T00:00:00Z found, a start before the end expected",
            id="no time between",
        ),
        pytest.param(
            '{"start_offset_days": "x"}',
            64,
            "error: data.start_offset_days: 'x' found, a whole number of days expected",
            id="no number",
        ),
        pytest.param('{"start_offset_days": -99999999999}', 64, FAR, id="before all time"),
        pytest.param('{"duration_days": 99999999999}', 64, FAR, id="after all time"),
        pytest.param('{"scheduled_at": "0001-01-01"}', 64, FAR, id="the first day"),
        pytest.param(
            '{"scheduled_at": "0001-01-01T00:00:00+05:00"}',
            64,
            "error: data.scheduled_at: "
            "'0001-01-01T00:00:00+05:00' found, a time like 2026-01-31T00:00:00 or 2026-01-31T00:00:00Z expected",
            id="before the first day",
        ),
        pytest.param('{"deep": ' + "[" * 100_000 + "}", 64, None, id="too deep"),
    ],
)
def test_data_that_cannot_be_used_is_an_error(project: Project, data: str, code: int, first: str | None) -> None:
    done = project.params("touch started").run("--data", data)
    assert (done.exit, done.record, "Traceback" in done.stderr) == (code, None, False)
    assert first is None or done.stderr.splitlines()[0] == first


def test_odd_data_is_recorded_whole(project: Project) -> None:
    done = project.params(["echo", "{{ a }}"]).run("--data", '{"a": "é\\u2028", "\\ud800": 1}')
    assert (done.exit, done.state) == (0, "é\u2028\n".encode())
    assert json.loads(project.path(".artifacts/run.json").read_bytes())["data"] == {"a": "é\u2028", "\ud800": 1}


def test_a_placeholder_nobody_defines_lists_the_known(project: Project) -> None:
    project.params(["echo", "{{ bsae }}"], vars={"base": "JPY"}, envs={"TZ": "UTC"})
    done = project.run("-d", '{"n": 1}')
    assert (done.exit, done.record, done.stderr) == (
        78,
        None,
        "error: stage echo: placeholder {{ bsae }} found, one of TZ, base, end_at, environment, n, project, run_id, "
        "scheduled_at, start_at, today, yesterday expected\n"
        """hint: give it a default under `vars:`, or a value: --data '{"bsae": "..."}'\n""",
    )


@pytest.mark.parametrize(
    ("argv", "env", "code", "message"),
    [
        pytest.param(["--nope"], {}, 64, "error: argument '--nope': not understood", id="flag"),
        pytest.param(["run", "run"], {}, 64, "error: argument 'run': not understood", id="two commands"),
        pytest.param(["-d"], {}, 64, "error: argument -d: a value expected", id="no value"),
        pytest.param(
            ["--meter", "all"],
            {},
            64,
            "error: argument --meter: 'all' found, one of rows, bytes, off expected",
            id="meter",
        ),
        pytest.param(
            [],
            {"LOG_FORMAT": "xml"},
            64,
            "error: argument --log-format: 'xml' found, one of text, json expected",
            id="format",
        ),
        pytest.param(
            [],
            {"STOP_TIMEOUT": "soon"},
            64,
            "error: STOP_TIMEOUT: 'soon' found, seconds from 2 to 120 expected",
            id="stop timeout",
        ),
    ],
)
def test_what_is_not_understood_is_an_error(
    project: Project, argv: list[str], env: dict[str, str], code: int, message: str
) -> None:
    done = project.params("touch started").run(*argv, env=env)
    assert (done.exit, done.stderr.splitlines()[0], done.record) == (code, message, None)
    assert not project.path("started").exists()


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        pytest.param(None, 69, "error: {file}: No such file or directory, a params document expected", id="missing"),
        pytest.param(
            b"", 78, "error: {file}: not a params document (Expecting value: line 1 column 1 (char 0))", id="empty"
        ),
        pytest.param(
            b"\xff",
            78,
            "error: {file}: not a params document ('utf-8' codec can't decode byte 0xff in position "
            "0: invalid start byte)",
            id="no UTF-8",
        ),
        pytest.param(b"[]", 78, 'error: {file}: an object with "format": 1 expected', id="a list"),
        pytest.param(b'{"format": 2}', 78, 'error: {file}: an object with "format": 1 expected', id="another format"),
        pytest.param(
            b'{"format": 1}', 78, "error: pipeline.pipeline: nothing found, an object expected", id="no pipeline"
        ),
        pytest.param(b"[" * 100_000, 78, None, id="too deep"),
    ],
)
def test_a_params_document_that_is_none_is_an_error(
    project: Project, content: bytes | None, code: int, message: str | None
) -> None:
    if content is not None:
        project.params_file.write_bytes(content)
    done = project.run()
    assert (done.exit, "Traceback" in done.stderr, done.record) == (code, False, None)
    assert message is None or done.stderr.splitlines()[0] == message.format(file=project.params_file)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        pytest.param(
            {"envs": {"A=B": "x"}}, "stages[0].envs: name 'A=B' found, one without = and NUL expected", id="="
        ),
        pytest.param(
            {"envs": {"": "x"}}, "stages[0].envs: name '' found, one without = and NUL expected", id="no name"
        ),
        pytest.param(
            {"envs": {"A\0": "x"}}, "stages[0].envs: name 'A\\x00' found, one without = and NUL expected", id="NUL"
        ),
        pytest.param(
            {"argv": ["a\0b"]},
            "stages[0].argv: a text with NUL or half a character found, an argument of a command expected",
            id="NUL in a word",
        ),
        pytest.param(
            {"argv": ["\ud800"]},
            "stages[0].argv: a text with NUL or half a character found, an argument of a command expected",
            id="half a character",
        ),
    ],
)
def test_what_no_process_can_be_given_is_refused(project: Project, stage: dict[str, Any], message: str) -> None:
    done = project.params({"argv": ["true"], "name": "odd", **stage}).run()
    assert (done.exit, done.stderr, done.record) == (78, f"error: pipeline.{message}\n", None)


def test_a_working_directory_that_is_gone_is_an_error(project: Project, tmp_path: Path) -> None:
    project.params("true")
    gone = tmp_path / "gone"
    done = project.run(before=f'mkdir {gone}; cd {gone}; rmdir {gone}; exec "$@"')
    assert (done.exit, done.stderr.splitlines()[0]) == (
        69,
        "error: .artifacts: No such file or directory, a place one can write to expected",
    )
