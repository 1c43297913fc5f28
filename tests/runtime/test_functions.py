"""The project's own functions: called with params and data, and stopped, logged and judged like any stage."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from doubles.runtime_project import Project

IMPL = """
import json, os, signal, sys, time

def tell(params, data):
    print(json.dumps({"data": data, "names": [file["name"] for file in params["files"]], "params": sorted(params),
                      "stages": len(params["pipeline"]["stages"]), "cwd": os.getcwd(), "rest": sys.stdin.read()}))
    print(open(".env/config/tap.json").read(), os.environ["TZ"], file=sys.stderr)

def fail(params, data):
    raise ValueError(f"no {data['what']}")

def leave(params, data):
    sys.exit(data["code"])

def stay(params, data):
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    open("running", "w").close()
    time.sleep(60)

def state(params, data):
    print(json.dumps({"a": 1}))

def crash(params, data):
    os.kill(os.getpid(), signal.SIGSEGV)

NUMBER = 3
class Some: ...
async def later(params, data): ...
"""


@pytest.fixture(autouse=True)
def _impl(project: Project) -> None:
    project.write("impl.py", IMPL)
    project.params("touch started", files={"tap.json": "{}"}, envs={"TZ": "UTC"})


def test_a_function_is_given_params_and_data(project: Project) -> None:
    done = project.run("tell", "-d", '{"n": [1, {"é": null}]}')
    assert (done.exit, done.verdicts, done.said("tell"), project.path("started").exists()) == (
        0,
        ["ok"],
        ["{} UTC"],
        False,
    )
    assert json.loads(project.output()) == {
        "data": {"n": [1, {"é": None}]},
        "names": ["tap.json"],
        "params": ["files", "format", "pipeline"],
        "stages": 1,
        "cwd": str(project.directory),
        "rest": "",
    }
    assert (done.record["command"], done.record["stages"][0]["argv"]) == ("tell", ["impl.py:tell"])


@pytest.mark.parametrize("mode", ["all", "singer"])
def test_a_function_leaves_the_state_alone(project: Project, mode: str) -> None:
    project.keep(b"old")
    done = project.params("true", state=mode).run(env={"COMMAND": "state"})
    assert (done.exit, done.state, done.record["state"]["replaced"]) == (0, b"old", False)


def test_an_exception_is_a_failed_run_with_the_traceback_in_the_log(project: Project) -> None:
    done = project.run("fail", env={"DATA": '{"what": "bread"}'})
    assert (done.exit, done.record["culprit"], done.record["reason"]) == (1, "fail", "stage fail ended with exit 1")
    result = done.said("fail")
    assert (result[0], result[-1]) == ("Traceback (most recent call last):", "ValueError: no bread")
    assert """    raise ValueError(f"no {data['what']}")""" in result


@pytest.mark.parametrize(
    ("code", "exit_code", "expected"),
    [
        pytest.param("3", 3, [], id="a number"),
        pytest.param("0", 0, [], id="zero"),
        pytest.param("null", 0, [], id="nothing"),
        pytest.param('"too late"', 1, ["too late"], id="a text"),
    ],
)
def test_a_function_may_say_its_exit(project: Project, code: str, exit_code: int, expected: list[str]) -> None:
    done = project.run("leave", "-d", f'{{"code": {code}}}')
    assert (done.exit, done.said("leave")) == (exit_code, expected)


def test_a_function_that_crashes_is_told_by_its_signal(project: Project) -> None:
    done = project.run("crash")
    assert (done.exit, done.record["reason"]) == (139, "stage crash was ended by SIGSEGV")


def test_a_function_that_ignores_the_signal_is_killed(project: Project) -> None:
    running = project.start("stay", env={"STOP_TIMEOUT": "2"})
    running.wait_for("running")
    running.send(signal.SIGTERM)
    done = running.finish()
    assert (done.exit, done.record["outcome"], done.figures("signal"), running.left()) == (143, "stopped", [(9,)], [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"def tell(params, data)\n", "error: impl.py:1: expected ':'", id="syntax"),
        pytest.param(b"x = 1\n  y = 2\n", "error: impl.py:2: unexpected indent", id="indent"),
        pytest.param(b"x = '\0'\n", "error: impl.py", id="NUL"),
        pytest.param(b"x = '\xff'\n", "error: impl.py", id="no UTF-8"),
    ],
)
def test_an_impl_that_is_no_python_is_an_error(project: Project, content: bytes, message: str) -> None:
    project.write("impl.py", content)
    done = project.run("tell")
    assert (done.exit, done.record, "Traceback" in done.stderr) == (78, None, False)
    assert done.stderr.splitlines()[1:] == ["hint: mend it: it is no Python"]
    assert done.stderr.splitlines()[0].startswith(message)


@pytest.mark.parametrize("name", ["NUMBER", "Some", "later", "_impl", "os", "print", "nothing", "__import__"])
def test_what_is_no_public_function_is_unknown(project: Project, name: str) -> None:
    done = project.run(name)
    known = "run, show_commands, tell, fail, leave, stay, state, crash"
    assert (done.exit, done.stderr.splitlines()[0]) == (
        64,
        f"error: command '{name}': not found, one of {known} expected",
    )


def test_a_function_of_the_wrong_shape_fails_with_its_traceback(project: Project) -> None:
    project.write("impl.py", "def own(params): ...\n")
    done = project.run("own")
    assert (done.exit, done.said("own")[-1]) == (1, "TypeError: own() takes 1 positional argument but 2 were given")


def test_a_function_may_import_what_lies_beside_it(project: Project) -> None:
    project.write("impl.py", "from beside.it import word\ndef own(params, data): print(word)\n")
    project.write("beside/it.py", "word = 'found'\n")
    assert (project.run("own").exit, project.output()) == (0, b"found\n")


def test_a_function_may_start_processes_of_its_own_and_none_is_left(project: Project) -> None:
    project.write(
        "impl.py",
        "import subprocess, multiprocessing\n"
        "def own(params, data):\n"
        "    print(subprocess.run(['cat'], input=b'x', capture_output=True).stdout, flush=True)\n"
        "    subprocess.Popen(['sleep', '60'])\n",
    )
    running = project.start("own")
    done = running.finish()
    assert (done.exit, project.output(), running.left()) == (0, b"b'x'\n", [])


def test_without_an_impl_only_the_built_in_commands_are_known(project: Project) -> None:
    project.path("impl.py").unlink()
    done = project.run("tell")
    assert (done.exit, done.stderr.splitlines()[0]) == (
        64,
        "error: command 'tell': not found, one of run, show_commands expected",
    )


def test_a_function_cannot_speak_as_the_runtime(project: Project) -> None:
    project.write("impl.py", "import sys\n\ndef handoff(params, data):\n    sys.exit('failed after 1.0 s: tap')\n")
    done = project.run("handoff")
    assert done.said("handoff-2") == ["failed after 1.0 s: tap"]
    assert "failed after 1.0 s: tap" not in done.said("handoff")
