"""The README's commands, run as they stand there in a copy of what git would hand to a newcomer."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles import transcript

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doubles.account import Account
    from doubles.containers import Engine

ROOT = Path(__file__).parents[2]
README_PAGE = ROOT / "README.md"
README = README_PAGE.read_text(encoding="utf-8")
SINGER_PAGE = ROOT / "docs" / "guide" / "first-singer-project.md"
IMAGE_PAGE = (ROOT / "docs" / "concepts" / "images.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^ *((?:pip install uv && )?uv run .*)$", re.MULTILINE)
COMMANDS = COMMAND.findall(README)
CONTAINED = re.compile(r"invoke (build|run-local --container)")
IN_AWS = re.compile(r"invoke (deploy|run|schedule|status)(?= |$)")
ASKING = ("deploy", "schedule")

LEFT = {
    "word-count/.artifacts/state": "15",
    "elements/.artifacts/collector_stats.json": '{"rows_read": 118, "streams": {"elements": 118}}',
    "mine/.artifacts/state": "4",
}

pytestmark = [pytest.mark.network, pytest.mark.takes(155)]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file that is or would be committed, and nothing else."""
    copy = tmp_path_factory.mktemp("fresh") / "handoff"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


def run(command: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "COLUMNS", "CI"}}
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=cwd,
        env={**environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def test_commands_are_found() -> None:
    found = len(COMMANDS), len(list(filter(CONTAINED.search, COMMANDS))), len(list(filter(IN_AWS.search, COMMANDS)))
    assert found == (15, 2, 4)


def test_every_command_works_in_order(clone: Path) -> None:
    for command in COMMANDS:
        elsewhere = CONTAINED.search(command) or IN_AWS.search(command)
        if not command.endswith("pytest") and not elsewhere:  # the first is this very run
            run(command, clone)
    left = {path: (clone / "projects" / path).read_text(encoding="utf-8").strip() for path in LEFT}
    assert left == LEFT


def test_the_image_is_built_and_run_as_its_page_tells(clone: Path, docker: Engine, registry: str) -> None:
    """Every command of README and docs/concepts/images.md that needs docker; the registry's name is the test's own."""
    result = [*filter(CONTAINED.search, COMMANDS), *COMMAND.findall(IMAGE_PAGE)]
    mine = [command.replace("registry.example.com", registry) for command in dict.fromkeys(result)]
    mine = [command for command in mine if "invoke deploy " not in command]  # which needs an account
    said = {command.split("invoke ")[1].split()[0]: run(command, clone, docker.env).stdout for command in mine}
    assert sorted(said) == ["build", "push", "render", "run-local"]
    assert re.fullmatch(r"handoff-elements:[0-9a-f]{12}  sha256:[0-9a-f]{64}  [\d.]+ MB  [\d.]+ s\n", said["build"])
    assert re.fullmatch(rf"{registry}/team/elements:[0-9a-f]{{12}}  sha256:[0-9a-f]{{64}}  .*\n", said["push"])


def test_a_project_comes_into_aws_as_the_page_tells(clone: Path, account: Account) -> None:
    """A sample of two Singer programs, deployed, run, put under a schedule; where nobody can be asked, with `--yes`."""
    run("uv run invoke install --project elements", clone)
    for command in filter(IN_AWS.search, COMMANDS):
        task = IN_AWS.search(command)
        run(f"{command} --yes" if task and task[1] in ASKING else command, clone, account.environ)
    (task_of_aws,) = account.tasks()
    assert task_of_aws["containers"][0]["exitCode"] == 0
    bucket = f"handoff-dev-{account.number}-eu-central-1"
    left = account.objects(bucket, "handoff-dev-elements/.artifacts/")
    assert json.loads(left["collector_stats.json"]) == {"rows_read": 118, "streams": {"elements": 118}}
    assert account.fire("default").status == "SUCCEEDED"
    left = account.objects(bucket, "handoff-dev-elements/.artifacts/")
    assert json.loads(left["collector_stats.json"]) == {"rows_read": 0, "streams": {}}


def test_what_is_shown_is_real(clone: Path) -> None:
    """The output in the README is this run's, but for times, ids and memory; UPDATE_GOLDENS=1 rewrites it."""
    shown = re.search(r"<!-- word-count -->\n```\n(.*?)```", README, re.DOTALL)
    lines = run(COMMANDS[0].split("&&")[-1], clone).stderr.splitlines()
    begin = next(number for number, line in enumerate(lines) if " handoff | run " in line)
    real = "".join(f"{line}\n" for line in lines[begin:])
    for pattern, name in ((r"\b\d\d:\d\d:\d\d\b", "HH:MM:SS"), (r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b", "RUN_ID")):
        real = re.sub(pattern, name, real)
    assert shown
    if transcript.is_update():
        README_PAGE.write_text(README.replace(shown[1], real), encoding="utf-8")
    else:
        assert stable(real) == stable(shown[1])


def test_the_first_singer_project_is_as_its_page_shows(clone: Path) -> None:
    """UPDATE_GOLDENS=1 rewrites its output."""

    def typed(command: str, _shown: str) -> str:
        output = run(f"exec 2>&1; {command}", clone).stdout
        return output.replace(str(clone), "/home/you/handoff")

    run("uv run invoke --list", clone)  # the environment of the kit is there
    transcript.follow(SINGER_PAGE, typed, stable)


def stable(text: str) -> list[str]:
    """Lines without what differs from run to run."""
    differing = (
        (r"\d\d:\d\d:\d\d|HH:MM:SS", "TIME"),
        (r"\d{8}T\d{6}Z-[0-9a-f]{6}|RUN_ID", "ID"),
        (r"\b[0-9a-f]{32,64}\b", "DIGEST"),
        (r"\d+\.\d+( MB| kB| s)?", "FIGURE"),
        (r"\(\d+ B, replaced\)", "(SIZE, replaced)"),  # of a path in it
        (r"(?m)\b\d{3} B$", "SIZE"),
    )
    return transcript.without(differing, text)


def test_commands_are_plain_words() -> None:
    assert all(shlex.split(command) for command in COMMANDS)
