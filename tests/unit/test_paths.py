"""The project that is meant, and the paths that follow from its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from handoff_kit.errors import ProjectError
from handoff_kit.paths import ProjectPaths, find_project
from handoff_kit.text import did_you_mean


def test_paths_follow_from_the_name() -> None:
    paths = ProjectPaths("foo", Path("/kit"))
    found = (paths.directory, paths.file, paths.local, paths.locks, paths.lock("tap"), paths.build, paths.display_path)
    assert found == (
        Path("/kit/projects/foo"),
        Path("/kit/projects/foo/project.yml"),
        Path("/kit/projects/foo/.local"),
        Path("/kit/projects/foo/locks"),
        Path("/kit/projects/foo/locks/tap.txt"),
        Path("/kit/build/foo"),
        "projects/foo/project.yml",
    )


@pytest.mark.parametrize(
    ("asked", "cwd", "environ", "name"),
    [
        pytest.param("foo", ".", {"HANDOFF_PROJECT": "bar"}, "foo", id="asked"),
        pytest.param(None, "projects/foo", {"HANDOFF_PROJECT": "bar"}, "bar", id="environment"),
        pytest.param(None, "projects/foo", {}, "foo", id="inside"),
        pytest.param(None, "projects/foo/sub", {}, "foo", id="deep inside"),
        pytest.param("", "projects/foo", {"HANDOFF_PROJECT": ""}, "foo", id="empty is not given"),
    ],
)
def test_find(tmp_path: Path, asked: str | None, cwd: str, environ: dict[str, str], name: str) -> None:
    _projects(tmp_path, ["foo", "bar"])
    assert find_project(tmp_path, asked, tmp_path / cwd, environ) == ProjectPaths(name, tmp_path)


def test_find_the_only_one(tmp_path: Path) -> None:
    _projects(tmp_path, ["foo"])
    assert find_project(tmp_path, None, tmp_path, {}) == ProjectPaths("foo", tmp_path)


RULE = "expected letters, digits, _ and -, beginning with a letter or digit, at most 40 characters"


@pytest.mark.parametrize(
    ("existing", "asked", "expected"),
    [
        pytest.param(
            ["foo"], "../x", f"error: project name: found '../x', {RULE}\nhint: for example: --project x", id="dots"
        ),
        pytest.param(
            ["foo"], "a b", f"error: project name: found 'a b', {RULE}\nhint: for example: --project a-b", id="blank"
        ),
        pytest.param(
            ["foo"], "a/b", f"error: project name: found 'a/b', {RULE}\nhint: for example: --project b", id="slash"
        ),
        pytest.param(
            ["foo"],
            "projects/foo/",
            f"error: project name: found 'projects/foo/', {RULE}\nhint: for example: --project foo",
            id="directory",
        ),
        pytest.param(
            ["foo"],
            "projects/foo/project.yml",
            f"error: project name: found 'projects/foo/project.yml', {RULE}\nhint: for example: --project foo",
            id="file",
        ),
        pytest.param(
            ["foo"],
            "foo\n",
            f"error: project name: found 'foo\\n', {RULE}\nhint: for example: --project foo",
            id="newline",
        ),
        pytest.param(
            ["foo"],
            "x" * 41,
            f"error: project name: found '{'x' * 41}', {RULE}\nhint: for example: --project {'x' * 40}",
            id="too long",
        ),
        pytest.param(
            ["elements", "word-count"],
            "wordcount",
            "error: found no project 'wordcount' under projects/, expected one of elements, word-count\n"
            "hint: did you mean: --project word-count",
            id="misspelt",
        ),
        pytest.param(
            ["elements"],
            "rates",
            "error: found no project 'rates' under projects/, expected one of elements\nhint: create it: invoke new --project rates",
            id="unknown",
        ),
        pytest.param(
            [],
            "rates",
            "error: found no project 'rates' under projects/\nhint: create it: invoke new --project rates",
            id="unknown, none there",
        ),
        pytest.param(
            ["a", "b"],
            None,
            "error: --project is required: one of a, b\nhint: for example: --project a, or export HANDOFF_PROJECT=a",
            id="several",
        ),
        pytest.param(
            [],
            None,
            "error: found no project under projects/\nhint: create one: invoke new --project NAME",
            id="none",
        ),
    ],
)
def test_not_found(tmp_path: Path, existing: list[str], asked: str | None, expected: str) -> None:
    _projects(tmp_path, existing)
    with pytest.raises(ProjectError) as caught:
        find_project(tmp_path, asked, tmp_path, {})
    assert (str(caught.value), caught.value.exit_code) == (expected, 2)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("vnev", "venv"),
        ("comand", "command"),
        ("Args", "args"),
        ("env", "envs"),
        ("com", "command"),
        ("--arg", "args"),
        ("zzz", None),
        ("--", None),
    ],
)
def test_nearest(word: str, meant: str | None) -> None:
    assert did_you_mean(word, ["command", "args", "venv", "envs"]) == meant


@pytest.mark.parametrize("file", ["project.yaml", "Project.yml", "projects.YAML", ".local/project.yml"])
@pytest.mark.parametrize(
    ("asked", "cwd", "existing", "message"),
    [
        ("rates", ".", ["foo"], "found no project 'rates' under projects/, expected one of foo"),
        (None, ".", [], "found no project under projects/"),
        (None, "projects/rates", ["foo", "bar"], "found no project 'rates' under projects/"),
    ],
)
def test_a_file_of_another_name_is_named(
    tmp_path: Path, file: str, asked: str | None, cwd: str, existing: list[str], message: str
) -> None:
    _projects(tmp_path, existing)
    path = tmp_path / "projects/rates" / file
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(ProjectError) as caught:
        find_project(tmp_path, asked, tmp_path / cwd, {})
    rename = f"rename it: mv projects/rates/{file} projects/rates/project.yml"
    assert (caught.value.message, caught.value.hint) == (message, rename)


def _projects(root: Path, names: list[str]) -> None:
    for name in names:
        (root / "projects" / name / "sub").mkdir(parents=True)
        (root / "projects" / name / "project.yml").write_text("commands: [{command: cat}]\n")
