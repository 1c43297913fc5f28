"""Pipelines that run: what they leave, how early ends are judged, what the runtime is started with."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from doubles.runtime_project import PYTHON, ROOT, START, Project, script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doubles.runtime_project import Finished, Running, StageSpec

pytestmark = pytest.mark.takes(50)

METERS = ("rows", "bytes", "off")
BASE_PYTHON = os.path.realpath(sys.executable)  # without the packages of the virtual environment
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def steady(record: dict[str, Any]) -> dict[str, Any]:
    """The record without what differs from run to run; times and figures are checked to be there."""
    assert STAMP.fullmatch(record["started_at"])
    assert STAMP.fullmatch(record["ended_at"])
    assert record["started_at"] <= record["ended_at"]
    assert 0 <= record["seconds"] < 60
    for stage in record["stages"]:
        assert 0 <= stage["cpu_seconds"] < 60
        assert stage["peak_memory_bytes"] > 100_000
        assert 0 <= stage["seconds"] < 60
    dropped = {"started_at", "ended_at", "seconds", "cpu_seconds", "peak_memory_bytes"}
    stages = [{key: value for key, value in stage.items() if key not in dropped} for stage in record["stages"]]
    return {**{key: value for key, value in record.items() if key not in dropped}, "stages": stages}


def test_a_run_leaves_state_record_and_logs(project: Project) -> None:
    project.params("echo 'one\ntwo'; echo hi >&2", "collector_stats_of_ours=1; wc -l", vars={"base": "JPY"})
    data = {"run_id": "run-7", "scheduled_at": "2026-03-01T04:05:06Z", "trigger": "schedule", "since": [1, 2]}
    env = {"PARAMS_VERSION": "12", "IMAGE_DIGEST": "sha256:ab", "HANDOFF_SCHEDULE": "nightly"}
    done = project.run("run", "-d", json.dumps(data), env=env)
    assert (done.exit, done.stdout, done.state) == (0, b"", b"2\n")
    assert steady(done.record) == {
        "format": 1,
        "run_id": "run-7",
        "project": "sample",
        "environment": "dev",
        "command": "run",
        "trigger": "schedule",
        "attempt": 1,
        "execution": None,
        "schedule": "nightly",
        "scheduled_at": "2026-03-01T04:05:06.000Z",
        "outcome": "succeeded",
        "exit": 0,
        "culprit": None,
        "reason": None,
        "data": data,
        "params_version": "12",
        "params_sha256": None,
        "image_digest": "sha256:ab",
        "meter": "rows",
        "stages": [
            {
                "name": "echo",
                "argv": ["sh", "-c", "echo 'one\ntwo'; echo hi >&2"],
                "verdict": "ok",
                "exit": 0,
                "signal": None,
                "rows_in": None,
                "bytes_in": None,
                "rows_out": 2,
                "bytes_out": 8,
            },
            {
                "name": "collector_stats_of_ours=1;",
                "argv": ["sh", "-c", "collector_stats_of_ours=1; wc -l"],
                "verdict": "ok",
                "exit": 0,
                "signal": None,
                "rows_in": 2,
                "bytes_in": 8,
                "rows_out": 1,
                "bytes_out": 2,
            },
        ],
        "state": {
            "mode": "all",
            "before": None,
            "after": {"bytes": 2, "crc32": "4c7caf90"},
            "replaced": True,
        },
    }
    assert done.messages[:1] == ["handoff: run run-7 of sample: echo | collector_stats_of_ours=1;"]
    assert done.said("echo") == ["hi"]
    assert re.fullmatch(r"succeeded after \d\.\d s", done.said("handoff")[-1])
    kept = sorted(path.name for path in project.path(".artifacts").iterdir())
    assert kept == [".lock", "history", "run.json", "runs", "state", "stderr.log", "stdout.log"]


def test_collector_stats_copies_and_counts(project: Project) -> None:
    message = b'{"type": "RECORD", "stream": "a", "record": 1}\n'
    project.write("input", message * 3 + b"\0\xff")
    done = project.params("cat input", {"builtin": "collector_stats"}).run()
    assert (done.exit, done.state) == (0, message * 3 + b"\0\xff")
    stats = json.loads(project.path(".artifacts/collector_stats.json").read_text())
    assert stats == {"rows_read": 3, "streams": {"a": 3}}
    assert done.record["stages"][1]["argv"] == ["collector_stats"]


def test_each_collector_stats_has_a_file(project: Project) -> None:
    builtin = {"builtin": "collector_stats"}
    done = project.params("seq 3", builtin, "grep 2", builtin, builtin).run()
    stats = {path.name: json.loads(path.read_text()) for path in project.path(".artifacts").glob("collector_stats*")}
    assert (done.exit, stats) == (
        0,
        {
            "collector_stats.json": {"rows_read": 3},
            "collector_stats-2.json": {"rows_read": 1},
            "collector_stats-3.json": {"rows_read": 1},
        },
    )


# early ends


def under_each_meter(
    projects: Callable[[str], Project], stages: Sequence[StageSpec], look: Callable[[Running, Finished], object]
) -> dict[str, object]:
    """What is to be seen of a pipeline under each meter. All run at once, since most wait; each has an old state."""
    started = {}
    for meter in METERS:
        project = projects(meter)
        project.keep(b"old")
        started[meter] = project.params(*stages, meter=meter).start()
    return {meter: look(running, running.finish()) for meter, running in started.items()}


@pytest.mark.parametrize(
    "writer",
    [
        pytest.param(["yes"], id="ended by SIGPIPE"),
        pytest.param([PYTHON, "-c", "while True: print('y')"], id="a traceback and 1"),
        pytest.param(script("while True: print('y')"), id="isolated"),
    ],
)
def test_a_reader_that_has_enough_is_success(projects: Callable[[str], Project], writer: list[str]) -> None:
    def look(_running: Running, done: Finished) -> object:
        return done.exit, done.record["outcome"], done.verdicts, done.state, done.seconds < 3

    expected = (0, "succeeded", ["not needed", "ok"], b"y\n", True)
    assert under_each_meter(projects, (writer, "head -n 1"), look) == dict.fromkeys(METERS, expected)


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param(("sleep 60", "true"), id="two"),
        pytest.param(("sleep 60", "cat", "true"), id="three"),
        pytest.param(("tail -f /dev/null | cat", "true"), id="idle inside a line"),
    ],
)
def test_an_idle_writer_nobody_reads_is_stopped(projects: Callable[[str], Project], stages: tuple[str, ...]) -> None:
    def look(running: Running, done: Finished) -> object:
        return done.exit, done.verdicts, done.state, done.seconds < 1.5 * len(stages), running.left()

    verdicts, left = [*["not needed"] * (len(stages) - 1), "ok"], list[str]()
    expected = (0, verdicts, b"old", True, left)
    assert under_each_meter(projects, stages, look) == dict.fromkeys(METERS, expected)


@pytest.mark.parametrize("writer", ["yes", "sleep 60"])
def test_a_reader_that_ends_early_with_3_has_failed(projects: Callable[[str], Project], writer: str) -> None:
    def look(_running: Running, done: Finished) -> object:
        assert done.verdicts in (["consequence", "failed"], ["stopped", "failed"])
        return done.exit, done.record["culprit"], done.record["reason"], done.state, done.seconds < 3

    expected = (3, "test", "stage test ended with exit 3", b"old", True)
    stages = (writer, "test $$ -gt 1 && exit 3")
    assert under_each_meter(projects, stages, look) == dict.fromkeys(METERS, expected)


FINISHING = "exec >&-; until [ -e eof ]; do sleep 0.02; done; sleep 1.3; echo whole > made"


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        pytest.param("{ sleep 2; echo whole; } > made", "true", id="by the shell"),
        pytest.param("sh -c 'sleep 2; echo whole' > made", "true", id="by its child"),
        pytest.param(
            "for part in 1 2 3; do sleep 0.7 > made; done; echo whole > made", "true", id="one file after another"
        ),
        pytest.param("sh -c 'sleep 2; echo whole' | cat > made", "true", id="by the last of a pipe"),
        pytest.param(FINISHING, "cat; touch eof", id="with its output closed"),
    ],
)
def test_a_stage_that_writes_a_file_may_finish_it(projects: Callable[[str], Project], writer: str, reader: str) -> None:
    """It writes nothing that its reader could miss, and half a file would be lost without a word."""

    def look(running: Running, done: Finished) -> object:
        return done.exit, done.verdicts, running.project.path("made").read_text()

    expected = (0, ["ok", "ok"], "whole\n")
    assert under_each_meter(projects, (writer, reader), look) == dict.fromkeys(METERS, expected)


def test_a_stage_that_has_written_its_file_and_waits_is_stopped(projects: Callable[[str], Project]) -> None:
    def look(_running: Running, done: Finished) -> object:
        return done.exit, done.verdicts, 2 < done.seconds < 6

    stages = ("sleep 1.5 > made; sleep 60", "true")
    assert under_each_meter(projects, stages, look) == dict.fromkeys(METERS, (0, ["not needed", "ok"], True))


# what it is started with


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors_are_no_trouble(project: Project, closed: str) -> None:
    project.params("seq 100000; echo err >&2", "cat", "wc -l")
    done = project.run(before=f'exec "$@" {closed}')
    assert (done.exit, done.state, done.verdicts) == (0, b"100000\n", ["ok", "ok", "ok"])
    assert "seq" in project.path(".artifacts/stderr.log").read_text()


@pytest.mark.parametrize(
    ("closed", "argv", "code"),
    [
        pytest.param("2>&-", ["nonsense"], 64, id="an error without stderr"),
        pytest.param(">&-", ["show_commands"], 0, id="show_commands without stdout"),
        pytest.param(">&-", ["--help"], 0, id="help without stdout"),
    ],
)
def test_words_nobody_can_read_are_no_trouble(project: Project, closed: str, argv: list[str], code: int) -> None:
    done = project.params("true").run(*argv, before=f'exec "$@" {closed}')
    assert (done.exit, done.stdout, done.stderr) == (code, b"", "")


def test_params_may_come_on_standard_input(project: Project) -> None:
    project.params("cat; echo end")
    with project.params_file.open("rb") as params:
        done = project.run(before='set -- "$1" "$2" --params -; exec "$@"', stdin=params)
    assert (done.exit, done.state) == (0, b"end\n")


def test_a_stage_reads_nothing_and_inherits_only_its_three_descriptors(project: Project) -> None:
    project.params("cat; ls /proc/self/fd | wc -l", meter="rows")
    assert project.run().state == b"4\n"  # 0, 1, 2 and the one ls reads the directory by


OF_RUNPY = ("types", "operator", "warnings", "contextlib", "importlib", "runpy", "io", "os", "functools", "enum")
SHADOWS = (
    "json",
    "select",
    "signal",
    "re",
    "errno",
    "fcntl",
    "heapq",
    "zlib",
    "ctypes",
    "datetime",
    "shutil",
    "tempfile",
)


def shadowed(project: Project) -> None:
    """Put files into the project named like modules of the library, those that `python -m` begins with among them."""
    for name in (*SHADOWS, *OF_RUNPY, "ast", "resource", "subprocess", "errors", "log", "run"):
        project.write(f"{name}.py", f"raise SystemExit('{name}.py of the project was imported')\n")


@pytest.mark.parametrize("command", ["run", "show_commands", "own"])
def test_modules_of_the_project_never_shadow_the_library_s(project: Project, command: str) -> None:
    shadowed(project)
    project.write("files/a.txt", "a")
    project.write("impl.py", "import dataclasses, json, mine\ndef own(params, data):\n    print(mine.WORD)\n")
    project.write("mine.py", "WORD = 'imported'\n")
    project.params("seq 3", {"builtin": "collector_stats"}, state="singer")
    done = project.run(command, "-d", '{"start_at": "2026-01-01"}' if command != "own" else '{"end_at": "2999-01-01"}')
    assert (done.exit, "was imported" in done.stderr) == (0, False)
    assert command != "own" or project.output() == b"imported\n"


@pytest.mark.parametrize("command", ["run", "own"])
def test_the_runtime_may_lie_in_the_project_s_directory(project: Project, command: str) -> None:
    shadowed(project)
    shutil.copytree(ROOT / "handoff_runtime", project.path("handoff_runtime"))
    project.write("impl.py", "def own(params, data):\n    print('called')\n")
    project.params("echo called", {"builtin": "collector_stats"})
    done = project.run(command, python=(BASE_PYTHON, "handoff_runtime/start.py"))
    assert (done.exit, done.stderr.count("Error"), project.output()) == (0, 0, b"called\n")


def test_a_safe_path_of_the_interpreter_is_respected(project: Project) -> None:
    project.write("impl.py", "def own(params, data):\n    print('called')\n")
    project.params("echo called")
    env = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(ROOT)}
    for command in ("run", "own"):
        done = project.run(command, python=(BASE_PYTHON, START), env=env)
        assert (done.exit, project.output()) == (0, b"called\n")


# placeholders, environment, venv


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        pytest.param(("run", "-d", '{"word": "ö"}'), b"\xc3\xbc \xc3\xb6 \xe9\x8d\xb5\n\xc3\xa9\n", id="run"),
        pytest.param(("own", "-d", '{"word": "ö"}'), "ö\n".encode(), id="function"),
    ],
)
def test_a_locale_without_utf8_changes_nothing(project: Project, argv: tuple[str, ...], expected: bytes) -> None:
    project.write("impl.py", "def own(params, data):\n    print(data['word'])\n")
    stage = {
        "argv": ["sh", "-c", 'echo "$1 $2 $KEY"; cat .env/config/*', "sh", "ü", "{{ word }}"],
        "envs": {"KEY": "鍵"},
    }
    done = project.params(stage, files={"ä.txt": "é\n"}).run(*argv, env=ASCII)
    assert (done.exit, project.output()) == (0, expected), done.stderr


@pytest.mark.parametrize("env", [ASCII, {"PYTHONIOENCODING": "ascii"}], ids=["locale", "PYTHONIOENCODING"])
def test_commands_are_shown_in_utf8(project: Project, env: dict[str, str]) -> None:
    done = project.params(["echo", "ü"]).run("show_commands", env=env)
    assert (done.exit, done.stdout, done.stderr) == (0, "echo 'ü'\n".encode(), "")


def test_placeholders_are_filled_and_never_split(project: Project) -> None:
    project.params(
        [
            "printf",
            "%s|",
            "{{ base }}",
            "{{base}} {{ date }}",
            "{{ n }}",
            "{{not this}}",
            "{{ project }}/{{ environment }}",
        ],
        ["sh", "-c", 'cat; echo "$TZ $GREETING $HOLD"'],
        vars={"base": "a 'b' $c; exit 3", "n": "0"},
        envs={"TZ": "UTC", "GREETING": "hello {{ base }}", "HOLD": "{{ n }}"},
    )
    done = project.run("--data", '{"n": {"deep": [1, "é"]}, "date": "*"}')
    expected = "a 'b' $c; exit 3|a 'b' $c; exit 3 *|" + '{"deep":[1,"é"]}|{{not this}}|sample/dev|'
    assert done.state == (expected + "UTC hello a 'b' $c; exit 3 " + '{"deep":[1,"é"]}\n').encode()


def test_the_time_window_is_counted_from_the_schedule(project: Project) -> None:
    project.params(["echo", "{{ start_at }} {{ end_at }} {{ today }} {{ yesterday }} {{ scheduled_at }} {{ run_id }}"])
    done = project.run(env={"DATA": '{"scheduled_at": "2026-03-01T23:59:59+02:00", "run_id": "r"}'})
    assert (
        done.state == b"2026-02-28T00:00:00Z 2026-03-01T00:00:00Z 2026-03-01 2026-02-28 2026-03-01T23:59:59+02:00 r\n"
    )


def test_a_stage_finds_its_command_in_its_venv(project: Project) -> None:
    project.write("venv/tap/bin/greet", '#!/bin/sh\necho "$VIRTUAL_ENV $TZ $PYTHONHOME"\n', 0o755)
    stage = {"argv": ["greet"], "venv": "venv/tap", "envs": {"TZ": "{{ zone }}"}}
    done = project.params(stage, vars={"zone": "Asia/Tokyo"}).run()
    assert done.state == f"{project.path('venv/tap')} Asia/Tokyo \n".encode()


# the workspace


def modes(project: Project) -> dict[str, str]:
    places = sorted(project.path(".env").rglob("*"))
    return {place.relative_to(project.directory).as_posix(): oct(place.stat().st_mode & 0o777) for place in places}


def test_config_is_private_and_files_are_copied(project: Project) -> None:
    project.write("files/sub/a.bin", bytes(range(256)))
    project.write(".env/config/old.json", "left by an earlier run")
    project.params("cat .env/config/tap.json .env/config/deep/er.txt", files={"tap.json": "{}é", "deep/er.txt": "\r\n"})
    done = project.run(before='umask 0; exec "$@"')
    assert done.state == "{}é\r\n".encode()
    assert modes(project) == {
        ".env/config": "0o700",
        ".env/config/deep": "0o700",
        ".env/config/deep/er.txt": "0o600",
        ".env/config/tap.json": "0o600",
        ".env/files": oct(project.path("files").stat().st_mode & 0o777),
        ".env/files/sub": oct(project.path("files/sub").stat().st_mode & 0o777),
        ".env/files/sub/a.bin": "0o644",
    }
    assert project.path(".env/files/sub/a.bin").read_bytes() == bytes(range(256))


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out", "a//b", ".", "", "a/.", "nul\0"])
def test_a_name_that_leaves_the_config_directory_is_refused(project: Project, name: str) -> None:
    done = project.params("true", files={name: "x"}).run()
    assert (done.exit, done.record, project.path(".env").exists()) == (78, None, False)
    assert done.stderr == f"error: params.files: name {name!r} found, a path that stays below .env/config expected\n"


def test_a_second_run_is_refused_and_the_first_unharmed(project: Project) -> None:
    first = project.params("touch running; until [ -e go ]; do sleep 0.02; done; echo new").start()
    first.wait_for("running")
    config = project.path(".env/config").stat().st_ino
    second = project.run()
    pid = first.process.pid
    assert (second.exit, second.stderr) == (
        75,
        f"error: .artifacts: another run of this project is under way (process {pid})\n"
        f"hint: wait for it, or stop it: kill {pid}\n",
    )
    assert (second.record["outcome"], project.path(".env/config").stat().st_ino) == ("running", config)
    project.write("go", "")
    done = first.finish()
    assert (done.exit, done.state, done.record["outcome"]) == (0, b"new\n", "succeeded")


def test_a_run_leaves_no_lock_behind(projects: Callable[[str], Project]) -> None:
    project = projects("twice").params("echo {{ run_id }}")
    assert [project.run("-d", f'{{"run_id": "{name}"}}').state for name in "ab"] == [b"a\n", b"b\n"]


# state


STATES = [
    pytest.param("printf ''", b"old", False, id="empty output keeps the old"),
    pytest.param("printf '\\0\\377'", b"\0\xff", True, id="any bytes"),
    pytest.param("head -c 3000000 /dev/zero", b"\0" * 3_000_000, True, id="more than a block"),
]


@pytest.mark.parametrize(("shell", "expected", "replaced"), STATES)
def test_state_all_is_the_whole_output(project: Project, shell: str, expected: bytes, replaced: bool) -> None:  # noqa: FBT001
    project.keep(b"old")
    done = project.params(shell).run()
    assert (done.exit, done.state == expected, done.record["state"]["replaced"]) == (0, True, replaced)


SINGER = [
    pytest.param("""echo '{"a": 1}'; echo '{"a": 2}'""", 0, b'{"a": 2}\n', id="the last"),
    pytest.param("""echo '{"type": "STATE", "value": {"a": 2}}'""", 0, b'{"a": 2}\n', id="a message of a tap"),
    pytest.param("""echo '{"a": 1}'; exit 4""", 4, b'{"a": 1}\n', id="kept on failure"),
    pytest.param("""echo '{"a": 1}'; kill -9 $$""", 137, b'{"a": 1}\n', id="kept when killed"),
    pytest.param("""echo '{"a": 1}'; echo '{"a": 2'""", 0, b'{"a": 1}\n', id="broken line"),
    pytest.param("""echo '{"a": 1}'; printf '{"a": 2'; kill -9 $$""", 137, b'{"a": 1}\n', id="line cut short"),
    pytest.param("""printf '{"a": 1}\\n{"a": 2}'""", 0, b'{"a": 2}\n', id="the last without a newline"),
    pytest.param("""echo '{"a": 1}'; printf '{"a": 2}'; kill -9 $$""", 137, b'{"a": 2}\n', id="whole when killed"),
    pytest.param("""echo '{"a": 1}'; echo '{"level": "INFO", "message": "done"}'""", 0, b'{"a": 1}\n', id="a log"),
    pytest.param("""echo '{"a": 1}'; echo '{}'""", 0, b'{"a": 1}\n', id="empty object"),
    pytest.param("""echo '{"a": 1}'; echo done; echo; echo 7; echo '[1]'""", 0, b'{"a": 1}\n', id="other words"),
    pytest.param("""echo '{"a": 1}'; echo '{"type": "RECORD", "a": 2}'""", 0, b'{"a": 1}\n', id="other messages"),
    pytest.param("echo nothing", 0, b"old", id="none keeps the old"),
    pytest.param("exit 3", 3, b"old", id="failure keeps the old"),
]


@pytest.mark.parametrize(("shell", "code", "expected"), SINGER)
def test_state_singer_is_the_last_valid_line(project: Project, shell: str, code: int, expected: bytes) -> None:
    project.keep(b"old")
    done = project.params("true", shell, state="singer").run()
    assert (done.exit, done.state, done.record["state"]["replaced"]) == (code, expected, expected != b"old")


NO_STATE = [
    pytest.param("echo loaded 3 rows", "loaded 3 rows", id="words"),
    pytest.param("echo; echo '{}'; echo hunter2-secret: 3; echo x", "***: 3", id="a secret"),
    pytest.param("yes x | tr -d '\\n' | head -c 9999 || true", "x" * 200 + "...", id="a long line"),
    pytest.param("true", None, id="nothing written"),
    pytest.param("echo '{}'", None, id="an empty state"),
]


@pytest.mark.parametrize(("shell", "shown"), NO_STATE)
def test_an_output_without_a_state_is_said(project: Project, shell: str, shown: str | None) -> None:
    project.keep(b"old")
    done = project.params("true", shell, state="singer", files={"t.json": '{"password": "hunter2-secret"}'}).run()
    name = done.record["stages"][1]["name"]
    warning = f"warning: state unchanged: stage {name} wrote no state to its stdout; its first line: {shown}"
    assert [line for line in done.said("handoff") if line.startswith("warning")] == ([warning] if shown else [])
    assert (done.exit, done.state, done.record["state"]["replaced"]) == (0, b"old", False)


def tap(then: str) -> list[str]:
    return ["sh", "-c", f'cat "$2" >&2; {then}', "tap", "--state", ".artifacts/state"]


@pytest.mark.parametrize(
    ("mode", "then", "code", "expected"),
    [
        pytest.param("singer", """echo '{"a": 1}'""", 0, b'{"a": 1}\n', id="replaced"),
        pytest.param("singer", "true", 0, None, id="withdrawn after nothing"),
        pytest.param("singer", "exit 1", 1, None, id="withdrawn after a failure"),
        pytest.param("all", "exit 1", 1, None, id="for a tap that asks"),
        pytest.param("none", """echo '{"a": 1}'""", 0, None, id="none keeps nothing"),
        pytest.param("all", "rm .artifacts/state", 0, None, id="removed by the stage itself"),
        pytest.param("all", "echo mine >.artifacts/state; exit 1", 1, b"mine\n", id="written by the stage itself"),
    ],
)
def test_a_tap_finds_an_empty_state_the_first_time(
    project: Project, mode: str, then: str, code: int, expected: bytes | None
) -> None:
    done = project.params(tap(then), state=mode).run()
    assert (done.exit, done.said("sh"), done.state) == (code, ["{}"], expected)


def test_without_a_tap_that_asks_no_state_is_seeded(project: Project) -> None:
    done = project.params("ls .artifacts >&2; false").run()
    assert ("state" in done.said("ls"), done.state) == (False, None)


def test_a_second_run_is_given_what_the_first_left(project: Project) -> None:
    project.params(["sh", "-c", 'cat "$2" >&2; echo "[$(cat "$2")]"', "tap", "--state", "./.artifacts//state"])
    assert [(done.said("sh"), done.state) for done in (project.run(), project.run())] == [
        (["{}"], b"[{}]\n"),
        (["[{}]"], b"[[{}]]\n"),
    ]


@pytest.mark.parametrize(
    ("output", "line", "shown"),
    [
        pytest.param(r'{"a": 1}\n{"a": 2}\n', 2, '{"a": 2}', id="two states"),
        pytest.param(r'{"a": 1}\nhunter2-secret!', 2, "***!", id="a secret"),
        pytest.param(r"\n", 2, "nothing", id="a blank line"),
    ],
)
def test_an_output_the_next_run_could_not_read_is_refused(project: Project, output: str, line: int, shown: str) -> None:
    project.keep(b'{"old": 1}')
    last = {"argv": ["printf", output.replace("\\\\", "\\")]}
    tap = ["sh", "-c", "true", "tap", "--state=.artifacts/state"]
    done = project.params(tap, last, files={"t.json": '{"password": "hunter2-secret"}'}).run()
    message = f".artifacts/stdout.log:{line}: found {shown}, expected one JSON document"
    reason = f"{message}: a stage is given .artifacts/state, which was not replaced"
    assert (done.exit, done.state, done.record["outcome"], done.record["reason"], done.record["state"]["replaced"]) == (
        69,
        b'{"old": 1}',
        "failed",
        reason,
        False,
    )
    assert f"error: {reason}" in done.said("handoff")
    assert project.params(tap[:3], last).run().exit == 0


# a stage that says everything on stdout

SAYS = "failed without a word on stderr; its stdout (.artifacts/stdout.log) ends like this:"
LAST = [
    pytest.param("seq 3; exit 4", ["1", "2", "3"], id="all of it"),
    pytest.param("seq 30; exit 4", [str(number) for number in range(11, 31)], id="the last twenty"),
    pytest.param("printf 'a\\n\\nb'; exit 4", ["a", "", "b"], id="blank lines, no newline"),
    pytest.param("echo hunter2-secret; kill -9 $$", ["***"], id="a secret"),
    pytest.param("seq 9999 | tr '\\n' ' '; echo; echo end; exit 4", ["end"], id="a line too long to show whole"),
    pytest.param("exit 4", None, id="nothing"),
    pytest.param("seq 3; echo why >&2; exit 4", None, id="a word on stderr"),
    pytest.param("seq 3", None, id="no failure"),
]


@pytest.mark.parametrize(("shell", "lines"), LAST)
def test_the_end_of_stdout_of_a_stage_that_failed_in_silence(
    project: Project, shell: str, lines: list[str] | None
) -> None:
    last = {"name": "dbt", "shell": f"cat >/dev/null; {shell}"}
    done = project.params("true", last, state="none", files={"t.json": '{"password": "hunter2-secret"}'}).run()
    said = [line for line in done.said("handoff") if SAYS in line]
    assert (said, done.state) == ([f"stage dbt {SAYS}"] if lines else [], None)
    assert [line for line in done.said("dbt") if line != "why"] == (lines or [])


def test_of_an_earlier_stage_the_next_one_has_it(project: Project) -> None:
    done = project.params("echo reason; exit 4", "cat").run()
    assert (done.exit, [line for line in done.said("handoff") if SAYS in line], project.output()) == (
        4,
        [],
        b"reason\n",
    )


# commands


def test_show_commands_shows_and_does_nothing(project: Project) -> None:
    project.params(
        {"argv": ["tap", "--config", ".env/config/tap.json", "a b", "{{ base }}'s"], "venv": "venv/tap"},
        {"builtin": "collector_stats"},
        "grep foo | sort > {{ out }}",
        vars={"base": "JPY"},
        envs={"TZ": "UTC"},
    )
    done = project.run("show_commands", "-d", '{"out": "x"}')
    assert (done.exit, done.stderr, done.stdout.decode(), project.path(".artifacts").exists()) == (
        0,
        "",
        "TZ=UTC venv/tap/bin/tap --config .env/config/tap.json 'a b' 'JPY'\"'\"'s' |\n"
        "TZ=UTC collector_stats |\n"
        "TZ=UTC sh -c 'grep foo | sort > x'\n",
        False,
    )


@pytest.mark.parametrize(
    ("argv", "env"), [((), {}), (("default",), {}), (("run",), {"COMMAND": "nonsense"}), ((), {"COMMAND": "default"})]
)
def test_run_has_two_names_and_is_the_default(project: Project, argv: tuple[str, ...], env: dict[str, str]) -> None:
    done = project.params("echo hi").run(*argv, env=env)
    assert (done.exit, done.state, done.record["command"]) == (0, b"hi\n", "run")


def test_an_unknown_command_lists_the_known(project: Project) -> None:
    project.write(
        "impl.py", "import os\ndef own(params, data): ...\ndef _hidden(): ...\ndef other(params, data): ...\n"
    )
    done = project.params("true").run("_hidden")
    assert (done.exit, done.record, done.stderr) == (
        64,
        None,
        "error: command '_hidden': not found, one of run, show_commands, own, other expected\n"
        "hint: a function of your own is a public `def NAME(params, data)` in impl.py\n",
    )


# figures for whoever watches


def test_progress_is_whole_lines_of_json(project: Project) -> None:
    read, write = os.pipe()
    project.params("seq 1000; sleep 0.6", "cat", meter="rows")
    running = project.start("--progress-fd", str(write), pass_fds=[write])
    os.close(write)
    with os.fdopen(read, "rb") as watched:
        lines = [json.loads(line) for line in watched]
    assert running.finish().exit == 0
    assert len(lines) >= 3
    last = [{key: value for key, value in stage.items() if key != "seconds"} for stage in lines[-1]["stages"]]
    assert last == [
        {"name": "seq", "exit": 0, "rows": 1000, "bytes": 3893},
        {"name": "cat", "exit": 0, "rows": 1000, "bytes": 3893},
    ]


def test_a_watcher_that_goes_away_ends_the_run(project: Project) -> None:
    read, write = os.pipe()
    project.keep(b"old")
    running = project.params("touch running; sleep 60").start("--progress-fd", str(write), pass_fds=[write])
    os.close(write)
    running.wait_for("running")
    os.close(read)
    done = running.finish()
    assert (done.exit, done.record["reason"], done.state) == (129, "stopped by SIGHUP", b"old")
    assert running.left() == []


def test_a_watcher_that_never_reads_is_not_waited_for(project: Project) -> None:
    read, write = os.pipe()
    running = project.params(*["sleep 1"] + ["cat"] * 40).start("--progress-fd", str(write), pass_fds=[write])
    os.close(write)
    done = running.finish()
    with os.fdopen(read, "rb") as watched:
        lines = watched.read().splitlines()
    assert (done.exit, [len(json.loads(line)["stages"]) for line in lines][-1]) == (0, 41)


@pytest.mark.parametrize("fd", ["77", "9999999"])
def test_a_progress_descriptor_that_is_not_open_is_an_error(project: Project, fd: str) -> None:
    done = project.params("true").run("--progress-fd", fd)
    assert (done.exit, done.record) == (64, None)
    assert done.stderr == f"error: argument --progress-fd: {fd} found, an open descriptor expected\n"


def test_figures_are_brought_up_to_date_while_much_data_flows(project: Project) -> None:
    read, write = os.pipe()
    writer = script(
        "import time\nblock = b'row\\n' * 262144\nfor _ in range(16): print(end=''), __import__('os').write(1, block)\ntime.sleep(2.6)"
    )
    running = project.params(writer, "cat > /dev/null").start("--progress-fd", str(write), pass_fds=[write])
    os.close(write)
    with os.fdopen(read, "rb") as watched:
        rows = [json.loads(line)["stages"][0]["rows"] for line in watched]
    done = running.finish()
    total = 16 * 262144
    assert (done.exit, done.figures("rows_out")[0], rows[-2], rows[-1]) == (0, (total,), total, total)
