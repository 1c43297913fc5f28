"""What every test of a run starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def projects(tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """As many projects as are asked for; nothing they started is left."""
    made: list[Project] = []

    def make(name: str) -> Project:
        project = Project(tmp_path / name)
        project.directory.mkdir()
        made.append(project)
        return project

    yield make
    for project in made:
        for running in project.started:
            running.end()


@pytest.fixture
def project(projects: Callable[[str], Project]) -> Project:
    """An empty project."""
    return projects("sample")
