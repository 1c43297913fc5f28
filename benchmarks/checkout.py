"""A copy of what `invoke run-local` needs of the checkout, so that no run of ours is left in it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from side import Side

ROOT = Path(__file__).resolve().parent.parent
INVOKE = Path(sys.executable).parent / "invoke"
MADE = shutil.ignore_patterns(".artifacts", ".env", ".local", "venv")


def copy(directory: Path) -> Path:
    """The tasks and the word-count sample; the packages are those that are installed."""
    shutil.copytree(ROOT / "projects" / "word-count", directory / "projects" / "word-count", ignore=MADE)
    shutil.copy(ROOT / "tasks.py", directory)
    return directory


def version(copied: Path) -> Side:
    """What invoke itself takes."""
    return Side("invoke --version", (str(INVOKE), "--version"), copied)


def run_local(copied: Path, project: str) -> Side:
    """A project run by its task."""
    state = copied / "projects" / project / ".artifacts" / "state"
    return Side("invoke run-local", (str(INVOKE), "run-local", "--project", project), copied, state)


def write_project(copied: Path, project: str, file: Path) -> None:
    """A project that counts the lines of this file."""
    directory = copied / "projects" / project
    directory.mkdir(parents=True)
    commands = [{"command": "cat", "args": json.dumps(str(file))}, {"command": "wc", "args": "-l"}]
    (directory / "project.yml").write_text(json.dumps({"commands": commands}))
