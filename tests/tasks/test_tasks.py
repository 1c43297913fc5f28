"""The tasks as a person types them: whole outputs, exit codes, and what lies there afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from doubles.checkout import Checkout, InvokeResult
from doubles.runtime_project import MARK, marked, until

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.takes(120)

GOLDEN = Path(__file__).parents[1] / "golden/help"
TASKS = (
    "alerts.test",
    "build",
    "check",
    "deploy",
    "images",
    "install",
    "new",
    "push",
    "render",
    "rollback",
    "run-local",
    "show-commands",
    "verify",
)
SECRET = "hunter2-secret"  # noqa: S105  # what shall be seen nowhere
PLAIN = """
    commands:
      - command: seq
        args: "2"
      - command: wc
        args: -l
"""
SECRETIVE = f"""
    vars: {{base: EUR}}
    commands:
      - command: echo
        args: "{{{{ base }}}} {SECRET}"
        envs: {{API_TOKEN: tok-abcdef}}
      - shell: "cat; echo {SECRET} >&2"
"""
CONFIG = {".local/tap.json": json.dumps({"password": SECRET})}


# what there is


def sized(text: str) -> str:
    """Without the sizes of what is ours and grows: the image's template and the runtime."""
    text = re.sub(r"(build/\w+/(?:Dockerfile|\w+\.yml)) \([\d,]+ bytes\)", r"\1 (N bytes)", text)
    return re.sub(r"(context/) \([\d,]+ files, [\d,]+ bytes\)", r"\1 (N files, N bytes)", text)


@pytest.mark.parametrize("task", TASKS)
def test_the_help_of(checkout: Checkout, task: str) -> None:
    """UPDATE_GOLDENS=1 writes them anew; `--help` must not run the task, though `new` would write here."""
    checkout.project("plain", PLAIN)
    before = checkout.tree()
    result = checkout.invoke(task, "--help")
    _check_golden(f"{task}.txt", result)
    assert checkout.invoke("--help", task) == result
    assert checkout.tree() == before


def test_the_list_of_tasks(checkout: Checkout) -> None:
    _check_golden("list.txt", checkout.invoke("--list"))


def _check_golden(name: str, result: InvokeResult) -> None:
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / name).write_text(result.stdout)
    assert result == InvokeResult(0, (GOLDEN / name).read_text(), "")


# --dry

DRY = "nothing was done: --dry\n"
VENV = """
    venvs: {tap: [some-tap]}
    commands:
      - command: some-tap
        venv: tap
"""


ALL = "state: all, since no stage is given .artifacts/state and project.yml names no `state`\n"


@pytest.mark.parametrize("after", [pytest.param(False, id="before"), pytest.param(True, id="after")])
@pytest.mark.parametrize(
    ("task", "expected"),
    [
        pytest.param(
            ["check", "--project", "plain"],
            f"projects/plain/project.yml: no problem found\n{ALL}next: invoke run-local --project plain\n",
            id="check",
        ),
        pytest.param(
            ["run-local", "--project", "plain"],
            "would run, in projects/plain:\nseq 2 |\nwc -l\n",
            id="run-local",
        ),
        pytest.param(
            ["run-local", "--project", "plain", "--command", "hello"],
            "would run, in projects/plain:\nimpl.py:hello\n",
            id="run-local a function",
        ),
        pytest.param(
            ["params", "--project", "plain"], "would print the params document (600 bytes)\n", id="params to stdout"
        ),
        pytest.param(
            ["params", "--project", "plain", "--output", "p.json"],
            f"would write p.json (600 bytes)\n{DRY}",
            id="params to a file",
        ),
        pytest.param(
            ["render", "--project", "plain"],
            f"would write build/plain/pipeline.json (484 bytes)\nwould write build/plain/shared.yml (N bytes)\n"
            f"would write build/plain/registry.yml (N bytes)\nwould write build/plain/task.yml (N bytes)\n"
            f"would write build/plain/Dockerfile (N bytes)\n"
            f"would write build/plain/context/ (N files, N bytes)\n{DRY}",
            id="render",
        ),
        pytest.param(
            ["new", "--project", "mine"],
            f"would write projects/mine/.gitignore (95 bytes)\n"
            f"would write projects/mine/poem.txt (215 bytes)\nwould write projects/mine/project.yml (818 bytes)\n{DRY}",
            id="new",
        ),
        pytest.param(
            ["install", "--project", "plain"],
            "nothing to install: the project declares no virtual environment\nnext: invoke run-local --project plain\n",
            id="install nothing",
        ),
    ],
)
def test_dry_does_nothing_and_says_what(checkout: Checkout, task: list[str], expected: str, *, after: bool) -> None:
    """invoke 3 takes its own flags after the task, too."""
    checkout.project("plain", PLAIN, {"impl.py": "def hello(params, data):\n    open('ran', 'w').close()\n"})
    before = checkout.tree()
    result = checkout.invoke(*([*task, "--dry"] if after else ["--dry", *task]))
    assert (result.exit, result.stdout, sized(result.stderr)) == (0, "", expected)
    assert checkout.tree() == before


def test_dry_install_says_each_step(checkout: Checkout) -> None:
    checkout.project("venv", VENV)
    before = checkout.tree()
    result = checkout.invoke("--dry", "install", "--project", "venv")
    lines = result.stderr.splitlines()
    assert (result.exit, result.stdout, lines[-1]) == (0, "", "nothing was done: --dry")
    assert lines[-2] == "would switch projects/venv/venv/tap to .tap.1"
    assert all(line.startswith("would ") for line in lines[:-1])
    assert checkout.tree() == before


def test_dry_show_commands_is_show_commands(checkout: Checkout) -> None:
    checkout.project("plain", PLAIN)
    assert checkout.invoke("--dry", "show-commands") == checkout.invoke("show-commands")


# the project that is meant


@pytest.mark.parametrize(
    ("words", "cwd", "env"),
    [
        pytest.param(["--project", "plain"], ".", {}, id="flag"),
        pytest.param(["--project", "plain"], ".", {"HANDOFF_PROJECT": "other"}, id="flag before environment"),
        pytest.param([], ".", {"HANDOFF_PROJECT": "plain"}, id="environment"),
        pytest.param([], "projects/other", {"HANDOFF_PROJECT": "plain"}, id="environment before directory"),
        pytest.param([], "projects/plain", {}, id="directory"),
        pytest.param([], "projects/plain/deep", {}, id="directory below"),
    ],
)
def test_the_project_is_found_by(checkout: Checkout, words: list[str], cwd: str, env: dict[str, str]) -> None:
    checkout.project("other", PLAIN)
    checkout.project("plain", "commands: [{command: 'true'}]", {"deep/x": ""})
    assert checkout.invoke("show-commands", *words, cwd=cwd, env=env) == InvokeResult(0, "true\n", "")


def test_the_only_project_need_not_be_named(checkout: Checkout) -> None:
    checkout.project("plain", PLAIN)
    assert checkout.invoke("show-commands").stdout == "seq 2 |\nwc -l\n"


def test_commands_are_told_as_typed_from_where_one_stands(checkout: Checkout) -> None:
    directory = checkout.project("plain", PLAIN)
    result = checkout.invoke("run-local", cwd="projects/plain")
    command = result.stderr.splitlines()[-1].removeprefix("next: ")
    ran = subprocess.run(["sh", "-c", command], cwd=directory, capture_output=True, text=True, check=True)
    assert (command, ran.stdout) == ("cat .artifacts/state", "2\n")


# mistakes

NAME_RULE = "letters, digits, _ and -, beginning with a letter or digit, at most 40 characters"
ENVIRONMENT_RULE = "letters, digits and -, beginning with a letter or digit, at most 20 characters"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        pytest.param(
            ["run-local", "plain"],
            "run-local: unexpected 'plain'",
            "did you mean: invoke run-local --project plain",
            id="the project without a flag",
        ),
        pytest.param(
            ["run-local", "-p", "plain"],
            "run-local: unexpected 'plain'",
            "did you mean: invoke run-local --project plain",
            id="a short flag of invoke's own",
        ),
        pytest.param(
            ["run_local"],
            "unknown task 'run_local'",
            "did you mean: invoke run-local",
            id="an underscore in the task",
        ),
        pytest.param(
            ["fetch-it"],
            "unknown task 'fetch-it'",
            "invoke --list shows the tasks",
            id="no task at all",
        ),
        pytest.param(
            ["run-local", "--projct", "plain"],
            "run-local: unknown flag --projct",
            "did you mean: --project",
            id="a misspelt flag",
        ),
        pytest.param(
            ["deploy", "--env", "prod"], "deploy: unknown flag --env", "did you mean: --environment", id="a prefix"
        ),
        pytest.param(["deploy", "-y"], "deploy: unknown flag -y", "see: invoke deploy --help", id="never --yes"),
        pytest.param(
            ["deploy", "--ye"], "deploy: unknown flag --ye", "see: invoke deploy --help", id="nor from a prefix"
        ),
        pytest.param(["logs", "-f"], "logs: unknown flag -f", "did you mean: --follow", id="-f, invoke's --config"),
        pytest.param(
            ["deploy", "-e", "prod"], "deploy: unknown flag -e", "did you mean: --environment", id="-e, invoke's --echo"
        ),
        pytest.param(
            ["check", "--dry-run"], "check: unknown flag --dry-run", "did you mean: --dry", id="invoke's --dry"
        ),
        pytest.param(
            ["run-local", "--container=yes"],
            "run-local: --container takes no value, found 'yes'",
            "write it alone: --container",
            id="a value of a flag without one",
        ),
        pytest.param(
            ["run-local", "--project"],
            "--project needs a value",
            "invoke run-local --help",
            id="a flag without value",
        ),
        pytest.param(
            ["run-local"],
            "--project is required: one of plain, taken, venv",
            "for example: --project plain, or export HANDOFF_PROJECT=plain",
            id="no project named",
        ),
        pytest.param(
            ["run-local", "--project", "plan"],
            "found no project 'plan' under projects/, expected one of plain, taken, venv",
            "did you mean: --project plain",
            id="unknown project",
        ),
        pytest.param(
            ["check", "--project", "../x"],
            f"project name: found '../x', expected {NAME_RULE}",
            "for example: --project x",
            id="a path as project",
        ),
        pytest.param(
            ["install", "--project", "my project"],
            f"project name: found 'my project', expected {NAME_RULE}",
            "for example: --project my-project",
            id="a space in the project",
        ),
        pytest.param(
            ["render", "--project", "plain", "--environment", "a/b"],
            f"--environment: found 'a/b', expected {ENVIRONMENT_RULE}",
            "for example: --environment dev",
            id="environment",
        ),
        pytest.param(
            ["run-local", "--project", "plain", "--data", "[1]"],
            "--data: a JSON list found, a JSON object expected",
            """write it like this: --data '{"start_at": "2026-01-01T00:00:00"}'""",
            id="data that is no object",
        ),
        pytest.param(
            ["show-commands", "--project", "plain", "--var", "base"],
            "--var: found 'base', expected NAME=VALUE",
            "for example: --var base=JPY",
            id="var without value",
        ),
        pytest.param(
            ["run-local", "--project", "plain", "--var", "start_at=now"],
            "data.start_at: 'now' found, a time like 2026-01-31T00:00:00 or 2026-01-31T00:00:00Z expected",
            None,
            id="no time",
        ),
        pytest.param(
            ["run-local", "--project", "plain", "--meter", "nope"],
            "--meter: found 'nope', expected one of rows, bytes, off",
            "for example: --meter rows",
            id="meter",
        ),
        pytest.param(
            ["run-local", "--project", "plain", "--log-format", "jason"],
            "--log-format: found 'jason', expected one of text, json",
            "did you mean: --log-format json",
            id="log format",
        ),
        pytest.param(
            ["run-local", "--project", "plain", "--params", "nope.json"],
            "--params: nope.json: No such file or directory, expected a params document",
            "write one: invoke params --project plain --output nope.json",
            id="missing params",
        ),
        pytest.param(
            ["run-local", "--project", "plain", "--params", "projects/plain/project.yml"],
            "--params: project.yml: not a params document (Expecting value: line 2 column 1 (char 1))",
            "write one: `invoke params --output FILE`",
            id="params that are none",
        ),
        pytest.param(
            ["run-local", "--project", "plain", "--command", "nope"],
            "--command: found 'nope', expected one of run, default, show_commands",
            "a function of the project is a public `def NAME(params, data)` in its impl.py",
            id="unknown command",
        ),
        pytest.param(
            ["run-local", "--project", "venv"],
            "projects/venv: virtual environment tap is missing",
            "invoke install --project venv",
            id="nothing installed",
        ),
        pytest.param(["images", "--json"], "--json needs --remote", "add --remote", id="JSON of local images"),
        pytest.param(
            ["images", "--environment", "prod"],
            "--environment needs --remote",
            "add --remote",
            id="no environment here",
        ),
        pytest.param(
            ["images", "--remote", "--builder", "podman"],
            "--remote and --builder exclude each other",
            "leave out --builder",
            id="builder of a registry",
        ),
        pytest.param(
            ["new"],
            "--project is required",
            "for example: invoke new --project mine",
            id="new without a name",
        ),
        pytest.param(
            ["new", "--project", "taken"],
            "projects/taken exists already",
            "to see what it would run: invoke show-commands --project taken",
            id="new that exists",
        ),
        pytest.param(
            ["new", "--project", "mine", "--starter", "singr"],
            "--starter: found 'singr', expected one of python, shell, singer",
            "did you mean: --starter singer",
            id="misspelt starter",
        ),
    ],
)
def test_a_mistake_on_the_command_line(checkout: Checkout, words: list[str], message: str, hint: str | None) -> None:
    for name, text in {"plain": PLAIN, "taken": PLAIN, "venv": VENV}.items():
        checkout.project(name, text)
    before = checkout.tree()
    stderr = f"error: {message}\n" + (f"hint: {hint}\n" if hint else "")
    assert checkout.invoke(*words) == InvokeResult(2, "", stderr)
    assert checkout.tree() == before


SHOP = "projects/shop"


@pytest.mark.parametrize(
    ("text", "files", "expected"),
    [
        pytest.param(
            "commands:\n\t- command: cat\n",
            {},
            f"error: {SHOP}/project.yml:2:1: a tab indents this line; YAML allows only spaces\n"
            "hint: put two spaces for each tab\n",
            id="a tab",
        ),
        pytest.param(
            "comands: []\n",
            {},
            f"error: {SHOP}/project.yml:1:1: `comands` is not a known key\nhint: did you mean `commands`?\n",
            id="a misspelt key",
        ),
        pytest.param(
            PLAIN,
            {".local/tap.json": b"p\xe9\n"},
            f"error: {SHOP}/.local/tap.json: found a byte that is no UTF-8 (at 1), expected a text file\n"
            f"hint: put what is not text, or not secret, into {SHOP}/files/\n",
            id="config that is no UTF-8",
        ),
        pytest.param(
            PLAIN,
            {"impl.py": "def run(params, data):\n    pass\n"},
            f"error: {SHOP}/impl.py: found a function 'run', the name of a built-in command\n"
            "hint: call it otherwise; the built-in ones are run, default, show_commands\n",
            id="a function called run",
        ),
        pytest.param(
            PLAIN,
            {"impl.py": "def f(:\n"},
            f"error: {SHOP}/impl.py:1: invalid syntax\nhint: mend it: it is no Python\n",
            id="impl.py that is no Python",
        ),
    ],
)
def test_a_mistake_in_the_project(checkout: Checkout, text: str, files: dict[str, str | bytes], expected: str) -> None:
    checkout.project("shop", text, files)
    for task in ("check", "run-local"):
        assert checkout.invoke(task) == InvokeResult(2, "", expected)


def test_all_problems_are_told_at_once(checkout: Checkout) -> None:
    checkout.project("shop", "vras: {a: b}\ncommands:\n  - comand: cat\n  - command: cat\n    venv: nope\n")
    result = checkout.invoke("check")
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.exit == 2
    assert [error.split(" ")[1] for error in errors[:2]] == [f"{SHOP}/project.yml:1:1:", f"{SHOP}/project.yml:3:5:"]
    assert any(error.startswith(f"error: {SHOP}/project.yml:5:") for error in errors)
    assert "Traceback" not in result.stderr


SHARED = """
    schedules:
      - {name: eur, cron: "0 2 * * *", data: {base: EUR}}
      - {name: usd, cron: "0 3 * * *", data: {base: USD}}
    vars: {base: JPY}
    commands:
      - shell: "tap --state=.artifacts/state --base {{ base }}"
"""


def test_check_tells_of_schedules_that_share_a_state(checkout: Checkout) -> None:
    checkout.project("shop", SHARED)
    expected = f"""\
{SHOP}/project.yml: no problem found
state: singer, since stage tap is given .artifacts/state and project.yml names no `state`
warning: schedules eur and usd have different data, and share one state, lock and artifacts: one continues where the \
other ended, and may send nothing
hint: make a project of each; where the state is of no use, write `state: none`
next: invoke run-local --project shop
"""
    assert checkout.invoke("check") == InvokeResult(0, "", expected)


def test_a_run_without_state(checkout: Checkout) -> None:
    tap = """["-c", "cat .artifacts/state >&2", "tap", "--state", ".artifacts/state"]"""
    checkout.project("shop", f"commands: [{{command: sh, args: {tap}}}, {{command: cat}}]")
    state = checkout.root / "projects/shop/.artifacts/state"
    state.parent.mkdir()
    state.write_text('{"old": 1}')
    result = checkout.invoke("run-local", "--no-state")
    assert (result.exit, state.read_text()) == (0, '{"old": 1}')
    assert re.findall(r"\d sh +\| (.*)", result.stderr) == ["{}"]
    dry = checkout.invoke("--dry", "run-local", "--no-state")
    assert dry.stderr.startswith("would run, in projects/shop, without state:\n")


NOPE = "{{ nope }}"


def test_a_placeholder_nobody_defines(checkout: Checkout) -> None:
    checkout.project("shop", "commands: [{command: echo, args: '{{ nope }}'}]")
    known = "end_at, environment, project, run_id, scheduled_at, start_at, today, yesterday"
    error = f"error: stage echo: placeholder {NOPE} found, one of {known} expected\n"
    result = InvokeResult(
        2, "", error + """hint: give it a default under `vars:`, or a value: --data '{"nope": "..."}'\n"""
    )
    assert checkout.invoke("run-local") == result
    assert checkout.invoke("run-local", "--dry") == result
    assert checkout.invoke("show-commands") == result
    note = f"note: placeholder {NOPE} has no default; each run needs a value for it\n"
    following = "next: invoke run-local --project shop --var nope=VALUE\n"
    expected = f"{SHOP}/project.yml: no problem found\n{ALL}{note}{following}"
    assert checkout.invoke("check") == InvokeResult(0, "", expected)
    assert checkout.invoke("run-local", "--var", "nope=1").exit == 0


# values


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param([], "shared EUR EUR", id="vars and envs"),
        pytest.param(["--data", '{"base": "JPY"}'], "shared JPY JPY", id="data before vars"),
        pytest.param(["--data", '{"base": "JPY"}', "--var", "base=CHF"], "shared CHF CHF", id="var before data"),
        pytest.param(["--var", "base=A", "--var", "GREETING=b c"], "b c A", id="many vars, and a value of two words"),
        pytest.param(["--var", "base=a=b"], "shared a=b a=b", id="a value with an equals sign"),
        pytest.param(["--data", '{"base": 7}'], "shared 7 7", id="a number"),
    ],
)
def test_placeholders(checkout: Checkout, words: list[str], expected: str) -> None:
    directory = checkout.project(
        "shop",
        """
        vars: {base: EUR}
        envs: {GREETING: "shared {{ base }}"}
        commands: [{command: echo, args: "'{{ GREETING }}' {{ base }}"}]
        """,
    )
    assert checkout.invoke("run-local", *words).exit == 0
    assert (directory / ".artifacts/state").read_text() == f"{expected}\n"


def test_secrets_are_seen_nowhere(checkout: Checkout) -> None:
    directory = checkout.project("shop", SECRETIVE, CONFIG)
    shown = checkout.invoke("show-commands")
    assert shown == InvokeResult(0, "API_TOKEN='***' echo EUR '***' |\nsh -c 'cat; echo *** >&2'\n", "")
    result = [
        shown,
        checkout.invoke("--dry", "run-local", "--var", f"base={SECRET}"),
        checkout.invoke("--dry", "params"),
        checkout.invoke("--dry", "params", "--output", "p.json"),
        checkout.invoke("render"),
        checkout.invoke("run-local", "--var", f"base={SECRET}"),
        checkout.invoke("run-local", "--log-format", "json"),
        checkout.invoke("run-local", "--command", "show_commands"),
        checkout.invoke("check"),
    ]
    assert [each.exit for each in result] == [0] * len(result)
    assert not [each for each in result if SECRET in each.stdout + each.stderr or "tok-abcdef" in each.stderr]
    for log in ("run.json", "stderr.log"):
        assert SECRET not in (directory / ".artifacts" / log).read_text()


# params and render


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({"PYTHONIOENCODING": "ascii"}, id="output"),
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="locale"),
    ],
)
def test_params_are_data_on_stdout_in_utf8(checkout: Checkout, env: dict[str, str]) -> None:
    checkout.project("shop", SECRETIVE, {**CONFIG, ".local/more/é.txt": "ü\n"})
    result = checkout.invoke("params", "--environment", "prod", env=env)
    document = json.loads(result.stdout)
    assert (result.exit, result.stderr, document["pipeline"]["environment"]) == (0, "", "prod")
    assert document["files"] == [
        {"name": "more/é.txt", "value": "ü\n"},
        {"name": "tap.json", "value": CONFIG[".local/tap.json"]},
    ]


def test_params_in_a_file_are_ours_alone_and_run(checkout: Checkout) -> None:
    directory = checkout.project("shop", SECRETIVE, CONFIG)
    result = checkout.invoke("params", "--output", "p q.json")
    assert result.stderr.endswith("\nnext: invoke run-local --project shop --params 'p q.json'\n")
    assert stat.S_IMODE((checkout.root / "p q.json").stat().st_mode) == 0o600
    (directory / "project.yml").write_text("commands: [{command: 'false'}]")
    assert checkout.invoke("run-local", "--params", "p q.json").exit == 0
    assert (directory / ".artifacts/state").read_text() == f"EUR {SECRET}\n"


def test_params_of_another_project_are_refused(checkout: Checkout) -> None:
    checkout.project("shop", PLAIN)
    checkout.project("other", PLAIN)
    checkout.invoke("params", "--project", "shop", "--output", "p.json")
    error = "error: --params: p.json: found the params of project 'shop', expected those of 'other'\n"
    expected = InvokeResult(2, "", f"{error}hint: name its project: --project shop\n")
    assert checkout.invoke("run-local", "--project", "other", "--params", "p.json") == expected


@pytest.mark.parametrize("env", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
def test_params_nobody_reads_to_the_end(checkout: Checkout, env: dict[str, str]) -> None:
    checkout.project("shop", PLAIN, {".local/big.txt": "x" * 200_000})
    with checkout.start("params", env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_render_writes_the_pipeline_and_no_config(checkout: Checkout) -> None:
    checkout.project("shop", PLAIN, CONFIG)
    result = checkout.invoke("render")
    assert sized(result.stderr) == (
        "write build/shop/pipeline.json (483 bytes)\nwrite build/shop/shared.yml (N bytes)\n"
        "write build/shop/registry.yml (N bytes)\nwrite build/shop/task.yml (N bytes)\n"
        "write build/shop/Dockerfile (N bytes)\n"
        "write build/shop/context/ (N files, N bytes)\nnext: invoke build --project shop\n"
    )
    document = json.loads((checkout.root / "build/shop/pipeline.json").read_text())
    assert [stage["name"] for stage in document["stages"]] == ["seq", "wc"]


def test_render_writes_the_stacks_of_what_the_file_says(checkout: Checkout) -> None:
    """Of its own file: one beside it with errors changes nothing. A schedule no longer in it leaves no template behind."""
    checkout.project("broken", "comands: 1")
    words = ("render", "--project", "shop")
    config = {".local/tap.json": '{"token": "ssm:/shop/token", "plain": "hunter2-secret"}'}
    checkout.project("shop", f"{PLAIN}\n    schedules: [{{name: nightly, cron: '0 2 * * *'}}]\n", config)
    result = checkout.invoke(*words, "--environment", "prod", env={"STACK_NAME": "ours-shop"})
    assert "write build/shop/schedule.yml (N bytes)\n" in sized(result.stderr), result
    build = checkout.root / "build/shop"
    texts = {name: (build / f"{name}.yml").read_text() for name in ("registry", "task", "schedule")}
    assert all("handoff prod, project shop" in text for text in texts.values())
    assert all("ours-shop" in text for text in texts.values())
    assert ("parameter/shop/token" in texts["task"], "hunter2" in texts["task"]) == (True, False)
    checkout.project("shop", PLAIN)
    assert "remove build/shop/schedule.yml\n" in checkout.invoke(*words).stderr
    assert sorted(path.name for path in build.glob("*.yml")) == ["registry.yml", "shared.yml", "task.yml"]


# running

MASKED = [(r"\d\d:\d\d:\d\d", "TIME"), (r"\d{8}T\d{6}Z-\w{6}", "ID"), (r"\d+\.\d\d\b", "S.SS"), (r"\d+\.\d s", "S s")]
MASKED += [(r" +\d+\.\d MB", " MEMORY"), (r" +(MEMORY|S\.SS)", r" \1")]


def masked(text: str) -> str:
    """Without what no two runs have in common."""
    for pattern, word in MASKED:
        text = re.sub(pattern, word, text)
    return text


def test_what_a_run_says(checkout: Checkout) -> None:
    checkout.project("shop", PLAIN)
    result = checkout.invoke("run-local")
    expected = """\
TIME handoff | run ID of shop: seq | wc
TIME handoff | succeeded after S s
stage  exit  seconds  CPU s  peak memory  rows in  rows out  bytes in  bytes out
seq    0 S.SS S.SS MEMORY        -         2         -        4 B
wc     0 S.SS S.SS MEMORY        2         1       4 B        2 B
state: projects/shop/.artifacts/state (2 B, replaced)
artifacts: projects/shop/.artifacts/ (run.json, stdout.log, stderr.log)
next: cat projects/shop/.artifacts/state
"""
    assert (result.exit, result.stdout, masked(result.stderr)) == (0, "", expected)


def test_what_a_failed_run_says(checkout: Checkout) -> None:
    checkout.project(
        "shop",
        """
        commands:
          - shell: "printf 'a\\n'; exec sleep 60"
          - shell: "read line; echo oh >&2; exit 3"
          - shell: "cat; sleep 0.1"
        """,
    )
    result = checkout.invoke("run-local", "--meter", "off")
    expected = """\
TIME handoff | run ID of shop: printf | read | cat
TIME read    | oh
TIME handoff | failed after S s: stage read ended with exit 3
stage   exit               seconds  CPU s  peak memory  rows in  rows out  bytes in  bytes out
printf  SIGTERM (stopped) S.SS S.SS MEMORY        -         -         -          -
read    3 (failed) S.SS S.SS MEMORY        -         -         -          -
cat     0 S.SS S.SS MEMORY        -         -         -          -
state: none yet
artifacts: projects/shop/.artifacts/ (run.json, stdout.log, stderr.log)
next: less projects/shop/.artifacts/stderr.log
"""
    assert (result.exit, result.stdout, masked(result.stderr)) == (3, "", expected)


def test_what_is_said_of_a_program_that_is_not_there(checkout: Checkout) -> None:
    checkout.project("shop", "commands: [{command: 'true'}, {command: no-such-tap}]")
    result = checkout.invoke("run-local")
    rows = [line.split("  ")[0:1] + line.split()[1:4] for line in result.stderr.splitlines()[-5:-3]]
    assert result.exit == 127
    assert rows == [["true", "not", "started", "-"], ["no-such-tap", "127", "(cannot", "start)"]]


def test_the_log_in_json_is_json_alone(checkout: Checkout) -> None:
    checkout.project("shop", PLAIN)
    result = checkout.invoke("run-local", "--log-format", "json")
    assert [json.loads(line)["stage"] for line in result.stderr.splitlines()] == ["handoff", "handoff"]


OWN = """
def hello(params, data):
    print("hello", data["name"], params["pipeline"]["project"])

def boom(params, data):
    raise ValueError("oh")

def _private(params, data):
    pass
"""


def test_a_function_of_one_s_own(checkout: Checkout) -> None:
    checkout.project("shop", PLAIN, {"impl.py": OWN})
    result = checkout.invoke("run-local", "--command", "hello", "--var", "name=you")
    command = result.stderr.splitlines()[-1].removeprefix("next: ")
    ran = subprocess.run(["sh", "-c", command], cwd=checkout.root, capture_output=True, text=True, check=True)
    assert (result.exit, command, ran.stdout) == (0, "cat projects/shop/.artifacts/stdout.log", "hello you shop\n")


def test_a_function_that_raises(checkout: Checkout) -> None:
    checkout.project("shop", PLAIN, {"impl.py": OWN})
    result = checkout.invoke("run-local", "--command", "boom")
    assert result.exit == 1
    assert " boom    | ValueError: oh\n" in result.stderr
    assert "\nnext: less projects/shop/.artifacts/stderr.log\n" in result.stderr


def test_a_private_function_is_no_command(checkout: Checkout) -> None:
    checkout.project("shop", PLAIN, {"impl.py": OWN})
    result = checkout.invoke("run-local", "--command", "_private")
    known = "run, default, show_commands, hello, boom"
    assert result.stderr.startswith(f"error: --command: found '_private', expected one of {known}\n")


def test_default_is_run_and_show_commands_shows(checkout: Checkout) -> None:
    directory = checkout.project("shop", PLAIN)
    assert checkout.invoke("run-local", "--command", "show_commands") == checkout.invoke("show-commands")
    assert not (directory / ".artifacts").exists()
    assert checkout.invoke("run-local", "--command", "default").exit == 0
    assert (directory / ".artifacts/state").read_text() == "2\n"


# stopping

LONG = """
    commands:
      - shell: "touch .artifacts/begun; while :; do echo x; sleep 0.05; done"
      - command: cat
"""


def begun(
    checkout: Checkout, env: dict[str, str] | None = None, **popen: Any
) -> tuple[subprocess.Popen[bytes], str, Path]:
    """A run that has begun and would not end; a mark its processes bear, and its project."""
    directory = checkout.project("shop", LONG)
    mark = uuid.uuid4().hex
    process = checkout.start("run-local", env={MARK: mark, **(env or {})}, stderr=subprocess.PIPE, **popen)
    until((directory / ".artifacts/begun").exists, "the first stage")
    return process, mark, directory


def recorded(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / ".artifacts/run.json").read_bytes())
    return found


@pytest.mark.parametrize(
    ("numbers", "exit_code", "reason"),
    [
        pytest.param([signal.SIGINT], 130, "stopped by SIGINT", id="INT"),
        pytest.param([signal.SIGTERM], 143, "stopped by SIGTERM", id="TERM"),
        pytest.param([signal.SIGHUP], 129, "stopped by SIGHUP", id="HUP"),
        pytest.param([signal.SIGINT, signal.SIGINT], 130, "stopped by SIGINT", id="INT twice"),
    ],
)
def test_a_signal_stops_the_run(checkout: Checkout, numbers: Sequence[int], exit_code: int, reason: str) -> None:
    process, mark, directory = begun(checkout)
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.01)
    _, stderr = process.communicate(timeout=20)
    record = recorded(directory)
    assert (process.returncode, marked(mark)) == (exit_code, [])
    assert (record["outcome"], record["exit"], record["reason"]) == ("stopped", exit_code, reason)
    assert stderr.decode().endswith("\nnext: invoke run-local --project shop\n")


def test_a_killed_invoke_takes_the_run_with_it(checkout: Checkout) -> None:
    process, mark, directory = begun(checkout)
    process.kill()
    process.communicate(timeout=20)
    until(lambda: not marked(mark), "the end of every process")
    assert recorded(directory)["outcome"] == "stopped"


def test_a_killed_runtime_is_told(checkout: Checkout) -> None:
    process, mark, directory = begun(checkout)
    holder = int((directory / ".artifacts/.lock").read_text())
    os.kill(holder, signal.SIGKILL)
    _, stderr = process.communicate(timeout=20)
    lines = stderr.decode().splitlines()[-2:]
    assert process.returncode == 137
    assert lines == [
        "the runtime was killed before it recorded how the run ended",
        "next: invoke run-local --project shop",
    ]
    until(lambda: not marked(mark), "the end of every process")


def test_what_nohup_ignores_stays_ignored(checkout: Checkout) -> None:
    process, _, directory = begun(checkout, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert recorded(directory)["reason"] == "stopped by SIGTERM"


def test_a_run_goes_on_though_nobody_reads_its_log(checkout: Checkout) -> None:
    directory = checkout.project("shop", "commands: [{shell: 'sleep 0.3; echo oh >&2; echo done'}]")
    with checkout.start("run-local", stderr=subprocess.PIPE) as process:
        assert process.stderr
        process.stderr.close()
    assert (process.returncode, (directory / ".artifacts/state").read_text()) == (0, "done\n")


def test_a_second_run_of_the_project_is_refused(checkout: Checkout) -> None:
    process, _, _ = begun(checkout)
    result = checkout.invoke("run-local")
    process.terminate()
    process.communicate(timeout=20)
    assert result.exit == 75
    assert result.stderr.startswith("error: .artifacts: another run of this project is under way (process ")
    assert len(result.stderr.splitlines()) == 2


def test_completion_is_left_alone(checkout: Checkout) -> None:
    result = checkout.invoke("--complete", "--", "invoke", "run-local", "--pa")
    assert (result.exit, "--params" in result.stdout.split(), result.stderr) == (0, True, "")


def test_what_a_start_imports_is_compiled_once(checkout: Checkout) -> None:
    """invoke switches that off, which would double the time of every start."""
    checkout.project("shop", PLAIN)
    checkout.invoke("check", env={"PYTHONPYCACHEPREFIX": str(checkout.root / "compiled")})
    compiled = {path.name.partition(".")[0] for path in (checkout.root / "compiled").rglob("*.pyc")}
    assert {"model", "params_document", "options"} <= compiled
