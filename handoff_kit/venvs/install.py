"""Create a project's virtual environments with uv.

Requirements are resolved once into a committed lock (locks.py); the environment `venv/NAME` is installed from the lock
alone, every file checked against its hash. A stamp inside the environment, written last, names the lock, the Python and
the directory it was created for. An environment with another stamp is removed and created again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import uv

from handoff_kit.errors import ProjectError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.model import Venv
from handoff_kit.steps import LockRequirements, RemoveTree, RunCommand, StampVenv, Step
from handoff_kit.venvs import locks
from handoff_runtime import containment
from handoff_runtime.errors import HandoffError

STAMP = "handoff.json"
OLDEST_PYTHON = "3.10"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

Status = Literal["missing", "stale", "ready"]


@dataclass(frozen=True)
class Installer:
    """The path of uv, and the interpreter that environments are created with."""

    uv: str
    interpreter: str = sys.executable
    python: str = PYTHON


@dataclass(frozen=True)
class VenvState:
    """What exists on disk of one virtual environment, and its lock."""

    lock: str | None
    stamp: str | None
    directory: bool
    interpreter: bool


def find_installer() -> Installer:
    """The uv that the package `uv` carries, by its path.

    Commands run in the project's directory, whose modules `python -m uv` would import for those of the library.
    """
    try:
        return Installer(uv.find_uv_bin())
    except FileNotFoundError:
        hint = "install it again: pip install --force-reinstall uv"
        raise HandoffError("the package uv has no program uv", hint) from None


def read_venv_state(paths: ProjectPaths, venv: Venv) -> VenvState:
    directory = paths.directory / venv.directory
    return VenvState(
        lock=_read_text(paths.lock(venv.name)),
        stamp=_read_text(directory / STAMP),
        directory=directory.is_symlink() or directory.exists(),
        interpreter=(directory / "bin" / "python").exists(),
    )


def _read_text(path: Path) -> str | None:
    """The text of a lock or a stamp; None if there is no such file."""
    try:
        return containment.read_file(str(path)).decode("utf-8", errors="replace")
    except PermissionError as error:
        raise ProjectError(f"{path}: {error.strerror}, expected a readable file") from None
    except OSError:
        return None


def venv_status(paths: ProjectPaths, venv: Venv, state: VenvState | None = None, python: str = PYTHON) -> Status:
    """Whether a stage can run in the environment; starts no program."""
    state = state or read_venv_state(paths, venv)
    if not state.interpreter:
        return "missing"
    if state.lock is None or not locks.is_current(state.lock, venv.requirements):
        return "stale"
    stamp = stamp_text(state.lock, paths.directory / venv.directory, python)
    return "ready" if state.stamp == stamp else "stale"


def stamp_text(lock: str, directory: Path, python: str) -> str:
    """The stamp of a finished environment; its scripts name their directory, so a moved one is stale."""
    digest = hashlib.sha256(lock.encode()).hexdigest()
    stamp = {"lock": f"sha256:{digest}", "python": python, "directory": str(directory)}
    return json.dumps(stamp, indent=2) + "\n"


def plan_install(
    paths: ProjectPaths,
    venvs: Iterable[Venv],
    states: Mapping[str, VenvState],
    installer: Installer,
    *,
    upgrade: bool = False,
) -> tuple[Step, ...]:
    """The steps that make every environment ready; empty if all are."""
    return tuple(
        step for venv in venvs for step in _plan_venv(paths, venv, states[venv.name], installer, upgrade=upgrade)
    )


def _plan_venv(
    paths: ProjectPaths, venv: Venv, state: VenvState, installer: Installer, *, upgrade: bool
) -> Iterator[Step]:
    cwd, lock, directory = paths.directory, paths.lock(venv.name), paths.directory / venv.directory
    purpose = f"venv {venv.name} of project {paths.name}"
    if upgrade or not locks.is_current(state.lock, venv.requirements):
        portable = ("--universal", "--generate-hashes", "--python", installer.interpreter)
        bare = ("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")
        yield LockRequirements(
            lock=lock,
            requirements=venv.requirements,
            argv=(installer.uv, "pip", "compile", "--quiet", *portable, *bare, "--no-emit-index-annotation", "-"),
            cwd=cwd,
            purpose=f"lock {purpose}",
            pythons=tuple(dict.fromkeys((OLDEST_PYTHON, installer.python))),
            upgrade=upgrade,
        )
    elif venv_status(paths, venv, state, installer.python) == "ready":
        return
    else:
        path = lock.relative_to(paths.root).as_posix()
        command = f"rm {path} && invoke install --project {paths.name}"
        locks.check_lock(state.lock or "", venv.requirements, path, command)
    if state.directory:
        yield RemoveTree(directory)
    create = (installer.uv, "venv", "--quiet", "--no-project", "--python", installer.interpreter, venv.directory)
    yield RunCommand(create, cwd, f"create {purpose}")
    install = (installer.uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", venv.directory)
    argv = (*install, *locks.hash_options(venv.requirements), "-r", lock.relative_to(cwd).as_posix())
    yield RunCommand(argv, cwd, f"install {purpose}", locks.FAILURES)
    yield StampVenv(directory, lock, installer.python)
