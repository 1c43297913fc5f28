"""What a run on this machine is planned as, and what is refused before anything runs."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from handoff_kit import console
from handoff_kit.errors import CommandError, ProjectError
from handoff_kit.image.builder import Answer, Builder
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.params_document import load_params_document, to_json
from handoff_kit.run import local_run
from handoff_kit.run.runtime_process import START, Container

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from handoff_kit.run.runtime_process import LocalRun


@pytest.fixture
def paths(tmp_path: Path) -> ProjectPaths:
    return made(tmp_path, "shop", "commands: [{command: echo, args: '{{ name }} {{ today }}'}]\n")


def made(root: Path, name: str, text: str) -> ProjectPaths:
    paths = ProjectPaths(name, root)
    paths.directory.mkdir(parents=True)
    paths.file.write_text(text)
    return paths


def plan(paths: ProjectPaths, **asked: Any) -> LocalRun:
    usual: dict[str, Any] = {"environment": "dev", "data": {"name": "a"}, "command": "run", "params": None}
    return local_run.plan_run(paths, **{**usual, "meter": None, "log_format": "text", **asked})


def test_the_words_the_runtime_is_started_by(paths: ProjectPaths) -> None:
    argv = plan(paths, data={"name": "é b"}, meter="off").argv(7)
    words = ("run", "--data", "-", "--params", "-", "--meter", "off", "--log-format", "text")
    assert argv == (sys.executable, START, *words, "--progress-fd", "7")


def test_default_is_another_name_of_run(paths: ProjectPaths) -> None:
    assert plan(paths, command="default") == plan(paths)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param({}, r"^error: stage echo: placeholder {{ name }} found", id="nobody defines it"),
        pytest.param({"name": "a", "scheduled_at": "soon"}, r"^error: data\.scheduled_at: 'soon' found", id="no time"),
        pytest.param({"name": "a\0"}, r"^error: data\.name: 'a\\x00' found", id="NUL"),
        pytest.param(
            {"name": "a", "start_at": "2026-01-02", "end_at": "2026-01-01"},
            r"^error: data: start_at",
            id="the end first",
        ),
    ],
)
def test_data_the_runtime_would_refuse(paths: ProjectPaths, data: dict[str, str], message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        plan(paths, data=data)


def test_params_are_run_as_they_were_written(paths: ProjectPaths, tmp_path: Path) -> None:
    text = to_json(load_params_document(paths, "prod"))
    (tmp_path / "p.json").write_text(text)
    paths.file.write_text("commands: [")
    assert plan(paths, params=tmp_path / "p.json").params == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"{", r"^error: --params: p\.json: not a params document", id="no JSON"),
        pytest.param(b"\xff", r"^error: --params: p\.json: not a params document", id="no UTF-8"),
        pytest.param(b"[]", r'^error: --params: p\.json: an object with "format": 1 expected', id="no object"),
        pytest.param(b'{"format": 1}', r"^error: pipeline\.pipeline: nothing found", id="no pipeline"),
    ],
)
def test_params_that_are_none(paths: ProjectPaths, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "p.json").write_bytes(content)
    with pytest.raises(ProjectError, match=message):
        plan(paths, params=tmp_path / "p.json")


def test_a_venv_that_is_not_ready_is_told_before_a_run_only(tmp_path: Path) -> None:
    paths = made(tmp_path, "shop", "venvs: {tap: [x], b: [y]}\ncommands: [{command: x, venv: tap}]\n")
    with pytest.raises(ProjectError) as caught:
        plan(paths)
    assert str(caught.value) == (
        "error: projects/shop: virtual environment tap is missing, b is missing\nhint: invoke install --project shop"
    )
    assert plan(paths, command="show_commands").command == "show_commands"
    inside = Container("c", ("docker", "run", "image"))
    assert plan(paths, container=inside).container == inside, "the image has its own"


@pytest.mark.parametrize(
    ("data", "expected"),
    [pytest.param({}, "name", id="missing"), pytest.param({"vars": {"name": "a"}}, None, id="by vars")],
)
def test_what_every_run_has_to_give(paths: ProjectPaths, data: dict[str, Any], expected: str | None) -> None:
    document = load_params_document(paths, "dev")
    document["pipeline"] |= data
    assert local_run.missing_placeholder(document) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"TERM": "xterm"}, True, id="a window"),
        pytest.param({"TERM": "xterm", "CI": ""}, True, id="CI empty"),
        pytest.param({"TERM": "xterm", "CI": "false"}, True, id="CI false"),
        pytest.param({"TERM": "xterm", "CI": "true"}, False, id="CI"),
        pytest.param({"TERM": "dumb"}, False, id="dumb"),
        pytest.param({}, False, id="no TERM"),
    ],
)
def test_whether_to_refresh_in_place(environ: dict[str, str], expected: bool) -> None:  # noqa: FBT001  # a table
    assert console.can_refresh(environ) is expected


# in a container: here its words start the runtime, or what ends like one, without a container

RUNTIME = (sys.executable, START)


def run_contained(
    paths: ProjectPaths, argv: tuple[str, ...], *, dry: bool = False, events: str = ""
) -> tuple[int, list[str], list[Sequence[str]]]:
    """Its exit code, what was said, and what the builder was asked."""
    said: list[str] = []
    asked: list[Sequence[str]] = []

    def ask(words: Sequence[str]) -> Answer:
        asked.append(words[1:])
        return Answer(0, events, "")

    planned = plan(paths, container=Container("handoff-run-shop-1", argv))
    builder = Builder("docker", "linux/amd64", ask)
    code = local_run.run_in_container(planned, builder, paths, {**os.environ, "CI": "1"}, dry=dry, say=said.append)
    return code, said, asked


REMOVED = ("rm", "--force", "--volumes", "handoff-run-shop-1")


def test_a_run_in_a_container_leaves_artifacts_and_no_container(paths: ProjectPaths) -> None:
    code, _, asked = run_contained(paths, RUNTIME)
    assert (code, asked) == (0, [REMOVED])
    assert (paths.directory / ".artifacts/state").read_text().startswith("a ")


def test_dry_makes_no_place_and_asks_nobody(paths: ProjectPaths) -> None:
    code, said, asked = run_contained(paths, (*RUNTIME, "handoff-shop:c0ffee"), dry=True)
    assert (code, asked) == (0, [])
    assert said[0].startswith("would run, in a container of handoff-shop:c0ffee:\necho a ")
    assert sorted(path.name for path in paths.directory.iterdir()) == ["project.yml"]


@pytest.mark.parametrize(
    ("script", "events", "expected"),
    [
        pytest.param(
            "exit 137",
            "oom\n",
            ["the container ran out of memory; give it more: invoke run-local --container --project shop --memory 1g"],
            id="memory",
        ),
        pytest.param("exit 137", "", [], id="killed by somebody"),
        pytest.param("exit 1", "oom\n", [], id="a stage was: the runtime has told it"),
        pytest.param("exit 0", "oom\n", [], id="no harm done"),
    ],
)
def test_what_ended_a_container_is_told(paths: ProjectPaths, script: str, events: str, expected: list[str]) -> None:
    code, said, asked = run_contained(paths, ("sh", "-c", f"read params; {script}"), events=events)
    assert (code, said) == (int(script.split()[1]), expected)
    assert asked[-1] == REMOVED


def test_a_container_is_removed_whatever_happens(paths: ProjectPaths) -> None:
    asked: list[Sequence[str]] = []

    def ask(words: Sequence[str]) -> Answer:
        asked.append(words[1:])
        return Answer(0, "", "")

    planned = plan(paths, container=Container("handoff-run-shop-1", ("no-such-program",)))
    with pytest.raises(CommandError):
        local_run.run_in_container(
            planned, Builder("docker", "", ask), paths, os.environ, dry=False, say=lambda _: None
        )
    assert asked == [REMOVED]


def test_a_runtime_that_was_killed_is_run_again_as_it_was(paths: ProjectPaths) -> None:
    """By the record that it left, which says that it is still running."""
    names = ("ended_at", "seconds", "exit", "culprit", "reason", "params_version", "image_digest")
    texts = {"run_id": "R1", "project": "shop", "environment": "dev", "command": "run", "trigger": "local"}
    more = {"attempt": 1, "started_at": "2026-01-01T00:00:00.000Z", "stages": [], "state": {"replaced": False}}
    record = json.dumps({**dict.fromkeys(names), **texts, **more, "outcome": "running"})
    script = f"read params; echo '{record}' > .artifacts/run.json; exit 137"
    _, said, _ = run_contained(paths, ("sh", "-c", script), events="oom\n")
    assert said == [
        "the runtime was killed before it recorded how the run ended\n"
        "next: invoke run-local --container --project shop",
        "the container ran out of memory; give it more: invoke run-local --container --project shop --memory 1g",
    ]


def test_a_run_with_remote_data_leaves_the_directory_of_another_one(
    paths: ProjectPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock went with the directory, and its config, files and artifacts too."""
    monkeypatch.setattr(local_run, "run_pipeline", lambda *_given, **_named: 0)
    names = {"project": "shop", "environment": "dev", "name": "handoff-dev-shop"}
    target: Any = SimpleNamespace(**names, bucket="b", bucket_owner="1", parameter="p")
    arguments: dict[str, Any] = {"command": "run", "data": {}, "meter": None, "log_format": "text", "no_state": False}
    directory = paths.build / "remote"

    def run() -> list[str]:
        local_run.run_with_remote_data(paths, target, arguments, {}, dry=False, say=lambda _: None)
        return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))

    fresh = [".artifacts", ".artifacts/.lock", "project.yml"]
    assert run() == fresh
    left = (".artifacts/state", ".env/config/tap.json", "gone.py")
    for name in left:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).touch()
    with (directory / ".artifacts/.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run() == sorted([*fresh, *left, ".env", ".env/config"])
    assert run() == fresh
