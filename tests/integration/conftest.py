"""What every test of a run starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness import Project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project."""
    return _made(tmp_path / "sample")


@pytest.fixture
def projects(tmp_path: Path) -> Callable[[str], Project]:
    """As many projects as are asked for."""
    return lambda name: _made(tmp_path / name)


def _made(directory: Path) -> Project:
    directory.mkdir()
    return Project(directory)
