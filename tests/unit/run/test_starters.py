"""New projects: each starter makes a project that loads, and that runs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.errors import ProjectError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.load import load_project
from handoff_kit.run.starters import list_starters, plan_new
from handoff_kit.steps import WriteFile


def silent(_: str) -> None:
    pass


def made(root: Path, starter: str, name: str = "my-first") -> ProjectPaths:
    apply(plan_new(root, name, starter), None, ApplyOptions(silent))
    return ProjectPaths(name, root)


def files(starter: str) -> list[tuple[str, int]]:
    root = Path("/team")
    steps = [step for step in plan_new(root, "a", starter) if isinstance(step, WriteFile)]
    return [(step.path.relative_to(root / "projects/a").as_posix(), step.mode) for step in steps]


def test_the_starters_are() -> None:
    assert list_starters() == ("python", "shell", "singer")


@pytest.mark.parametrize(
    ("starter", "expected"),
    [
        pytest.param("shell", [("poem.txt", 0o644), ("project.yml", 0o644)], id="shell"),
        pytest.param(
            "python",
            [
                ("impl.py", 0o644),
                ("project.yml", 0o644),
                ("scripts/mean.py", 0o644),
                ("temperatures.csv", 0o644),
            ],
            id="python",
        ),
        pytest.param(
            "singer",
            [
                (".local/tap-config.json", 0o600),
                (".local/target-config.json", 0o600),
                ("cities.jsonl", 0o644),
                ("project.yml", 0o644),
            ],
            id="singer",
        ),
    ],
)
def test_a_starter_s_files(starter: str, expected: list[tuple[str, int]]) -> None:
    assert files(starter) == [(".gitignore", 0o644), *expected]


@pytest.mark.parametrize("starter", list_starters())
def test_a_new_project_loads_and_knows_its_name(tmp_path: Path, starter: str) -> None:
    paths = made(tmp_path, starter)
    text = paths.file.read_text()
    assert text.startswith("# yaml-language-server: $schema=../../project.schema.json\n")
    assert "--project my-first" in text
    assert load_project(paths.file, paths.display_path).description
    assert not [path for path in paths.directory.rglob("*") if b"PROJECT_NAME" in content(path)]


def content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def test_a_new_singer_project_s_config_is_there_for_its_stages(tmp_path: Path) -> None:
    paths = made(tmp_path, "singer")
    named = [
        word
        for stage in load_project(paths.file, paths.display_path).stages
        for word in stage.args
        if "config/" in word
    ]
    assert named == [".env/config/tap-config.json", ".env/config/target-config.json"]
    assert all(json.loads((paths.local / Path(word).name).read_text()) for word in named)


@pytest.mark.parametrize(
    ("starter", "expected"),
    [
        pytest.param("shell", "4\n", id="shell"),
        pytest.param(
            "python",
            '{"town": "Bergen", "mean": 8.3}\n{"town": "Lisbon", "mean": 18.2}\n{"town": "Sapporo", "mean": 9.0}\n',
            id="python",
        ),
    ],
)
def test_a_new_project_runs_with_nothing_installed(tmp_path: Path, starter: str, expected: str) -> None:
    """As a shell would run it; the runtime's own tests run it as handoff does."""
    paths = made(tmp_path, starter)
    (paths.directory / ".artifacts").mkdir()
    project = load_project(paths.file, paths.display_path)
    stages = (stage.shell or shlex.join((stage.command or "", *stage.args)) for stage in project.stages)
    line = " | ".join(stages)
    for name, value in project.vars.items():
        line = line.replace(f"{{{{ {name} }}}}", value)
    shell = ["/bin/sh", "-ec", line]
    ended = subprocess.run(shell, cwd=paths.directory, capture_output=True, text=True, check=True)
    assert ended.stdout == expected


def test_the_python_starter_s_function_runs(tmp_path: Path) -> None:
    paths = made(tmp_path, "python")
    code = "import impl; impl.describe({'pipeline': {'stages': [{'name': 'cat'}]}}, {'name': 'you'})"
    env = {**os.environ, "PYTHONPATH": str(paths.directory), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert ran.stdout == "hello, you\nstage: cat\n"


@pytest.mark.parametrize(
    ("name", "starter", "expected"),
    [
        pytest.param(
            "taken",
            "shell",
            "error: projects/taken exists already\n"
            "hint: to see what it would run: invoke show-commands --project taken",
            id="existing directory",
        ),
        pytest.param(
            "mine",
            "pyton",
            "error: --starter: found 'pyton', expected one of python, shell, singer\n"
            "hint: did you mean: --starter python",
            id="misspelt starter",
        ),
        pytest.param(
            "mine",
            "../x",
            "error: --starter: found '../x', expected one of python, shell, singer",
            id="a path as starter",
        ),
        pytest.param("../x", "shell", "error: project name: found '../x', expected letters", id="a path as name"),
        pytest.param("my project", "shell", "error: project name: found 'my project', expected", id="a space"),
    ],
)
def test_a_new_project_that_cannot_be(tmp_path: Path, name: str, starter: str, expected: str) -> None:
    (tmp_path / "projects/taken").mkdir(parents=True)
    with pytest.raises(ProjectError) as caught:
        plan_new(tmp_path, name, starter)
    assert str(caught.value).startswith(expected)
    assert list(tmp_path.rglob("*")) == [tmp_path / "projects", tmp_path / "projects/taken"]


def test_planning_writes_nothing(tmp_path: Path) -> None:
    plan_new(tmp_path, "mine", "singer")
    assert list(tmp_path.iterdir()) == []
