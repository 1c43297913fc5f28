"""The source revision of an image, asked of a real git."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from handoff_kit.image.build import git_revision
from handoff_kit.image.builder import Answer, ask
from handoff_kit.paths import ProjectPaths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectPaths:
    """A project in a repository of its own, all of it committed."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    paths = ProjectPaths("shop", tmp_path / "team")
    for path in (paths.file, paths.root / "README.md"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a\n")
    (paths.root / ".gitignore").write_text(".local/\n")
    git(paths, "init", "--quiet")
    git(paths, "add", ".")
    git(paths, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "a")
    return paths


def git(paths: ProjectPaths, *words: str) -> str:
    argv = ("git", "-C", str(paths.root), *words)
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def edit(name: str) -> Callable[[ProjectPaths], None]:
    def change(paths: ProjectPaths) -> None:
        path = paths.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("b\n")

    return change


@pytest.mark.parametrize(
    ("change", "mark"),
    [
        pytest.param(lambda _: None, "", id="as committed"),
        pytest.param(edit("projects/shop/project.yml"), "+changed", id="a file changed"),
        pytest.param(edit("projects/shop/new"), "+changed", id="a file more"),
        pytest.param(lambda paths: paths.file.unlink(), "+changed", id="a file less"),
        pytest.param(edit("projects/shop/.local/tap.json"), "", id="what git never sees"),
        pytest.param(edit("README.md"), "", id="outside of the project"),
        pytest.param(edit("projects/other/project.yml"), "", id="another project"),
    ],
)
def test_the_commit_and_whether_the_project_is_as_it_says(
    paths: ProjectPaths, change: Callable[[ProjectPaths], None], mark: str
) -> None:
    change(paths)
    assert git_revision(paths, ask) == git(paths, "rev-parse", "HEAD") + mark


def test_outside_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    paths = ProjectPaths("shop", tmp_path / "team")
    paths.directory.mkdir(parents=True)
    assert git_revision(paths, ask) == ""


def test_before_the_first_commit(tmp_path: Path) -> None:
    paths = ProjectPaths("shop", tmp_path)
    paths.directory.mkdir(parents=True)
    git(paths, "init", "--quiet")
    assert git_revision(paths, ask) == ""


def test_without_git(tmp_path: Path) -> None:
    assert git_revision(ProjectPaths("shop", tmp_path), lambda _: Answer(126, "", "No such file or directory")) == ""
