"""Which lines have a pipe whose first parts may fail unseen on this machine."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from handoff_kit.paths import ProjectPaths
from handoff_kit.project import shell_lines
from handoff_kit.project.load import load_project

if TYPE_CHECKING:
    from pathlib import Path

LINES = """
description: two lines with pipes
commands:
  - command: cat
    args: "'a|b'"
  - shell: "true || false; echo 'a | b'"
  - shell: cat | gzip > x
  - shell: >-
      true &&
      x=$(cat | wc -l)
"""
MESSAGE = "this machine has no bash, and its sh no pipefail: a failure before this | does not fail the stage here"


@pytest.mark.parametrize(
    ("programs", "found"),
    [
        pytest.param({"sh": "dash"}, [(7, 16), (10, 15)], id="dash alone"),
        pytest.param({"sh": "dash", "bash": "bash"}, [], id="bash too"),
        pytest.param({"sh": "bash"}, [], id="an sh with pipefail"),
        pytest.param({}, [(7, 16), (10, 15)], id="no shell"),
    ],
)
def test_pipes_are_named_where_no_shell_has_pipefail(
    tmp_path: Path, programs: dict[str, str], found: list[tuple[int, int]]
) -> None:
    (tmp_path / "bin").mkdir()
    for name, program in programs.items():
        (tmp_path / "bin" / name).symlink_to(shutil.which(program) or program)
    paths = ProjectPaths("shop", tmp_path)
    paths.directory.mkdir(parents=True)
    paths.file.write_text(LINES)
    problems = list(
        shell_lines.unguarded_pipes(
            paths, load_project(paths.file, paths.display_path), {"PATH": str(tmp_path / "bin")}
        )
    )
    assert [(each.line, each.column) for each in problems] == found
    assert {(each.display_path, each.message) for each in problems} <= {(paths.display_path, MESSAGE)}
