"""Create a project's virtual environments with uv.

Requirements are resolved once into a committed lock (locks.py); an environment is installed from the lock alone, every
file checked against its hash. A stamp inside it, written last, names the lock, the Python and the directory it was
created for; one with another stamp is installed again.

`venv/NAME` is a link to a version of the environment, `venv/.NAME.1`. A new version is installed beside it, where its
scripts may name it for good, and then the link is replaced. A run holds the stamp of the version that it began with
(flock(2), see supervisor/process.py): the first installation after its end removes that version.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import uv

from handoff_kit.console import Say
from handoff_kit.errors import ProjectError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.model import Venv
from handoff_kit.steps import LockRequirements, RunCommand, Step, SwitchVenv
from handoff_kit.venvs import locks
from handoff_runtime import symlinks
from handoff_runtime.errors import HandoffError
from handoff_runtime.supervisor.process import STAMP

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
    """What exists on disk of one virtual environment, its lock, and the number that its next version may have."""

    lock: str | None
    stamp: str | None
    interpreter: bool
    number: int = 1


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
        interpreter=(directory / "bin" / "python").exists(),
        number=max((number for number, _ in _versions(directory)), default=0) + 1,
    )


def _versions(link: Path) -> Iterator[tuple[int, Path]]:
    """The versions of an environment beside the link to one of them, complete or not, and locks resolved for them."""
    pattern = re.compile(rf"\.{re.escape(link.name)}\.(\d+)(\.txt)?")
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in link.parent.iterdir():
            if match := pattern.fullmatch(path.name):
                yield int(match[1]), path


def _read_text(path: Path) -> str | None:
    """The text of a lock or a stamp; None if there is no such file."""
    try:
        return symlinks.read_file(str(path)).decode("utf-8", errors="replace")
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
    cwd, lock, link = paths.directory, paths.lock(venv.name), paths.directory / venv.directory
    version = link.with_name(f".{link.name}.{state.number}")
    ready, resolved = venv_status(paths, venv, state, installer.python) == "ready", lock
    purpose = f"venv {venv.name} of project {paths.name}"
    if upgrade or not locks.is_current(state.lock, venv.requirements):
        portable = ("--universal", "--generate-hashes", "--python", installer.interpreter)
        bare = ("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")
        if ready:  # runs use it until the new version is complete, and so its lock
            resolved = link.with_name(f"{version.name}.txt")
        yield LockRequirements(
            lock=resolved,
            requirements=venv.requirements,
            argv=(installer.uv, "pip", "compile", "--quiet", *portable, *bare, "--no-emit-index-annotation", "-"),
            cwd=cwd,
            purpose=f"lock {purpose}",
            pythons=tuple(dict.fromkeys((OLDEST_PYTHON, installer.python))),
            upgrade=upgrade,
        )
    elif ready:
        return
    else:
        path = lock.relative_to(paths.root).as_posix()
        command = f"rm {path} && invoke install --project {paths.name}"
        locks.check_lock(state.lock or "", venv.requirements, path, command)
    place = version.relative_to(cwd).as_posix()
    create = (installer.uv, "venv", "--quiet", "--no-project", "--prompt", venv.name)
    yield RunCommand((*create, "--python", installer.interpreter, place), cwd, f"create {purpose}")
    install = (installer.uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", place)
    argv = (*install, *locks.hash_options(venv.requirements), "-r", resolved.relative_to(cwd).as_posix())
    yield RunCommand(argv, cwd, f"install {purpose}", locks.FAILURES)
    yield SwitchVenv(link, version, lock, installer.python, resolved)


@contextmanager
def lock_installation(paths: ProjectPaths, say: Say) -> Iterator[None]:
    """Let one installation of a project run at a time: a second one waits, and then finds what the first has done."""
    path = paths.build / "install.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a")
    except OSError as error:
        raise HandoffError(f"could not write {path}: {error.strerror}") from error
    with lock:
        if not _try_lock(lock.fileno()):
            say(f"waiting: another `invoke install` of project {paths.name} is running")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def switch_venv(link: Path, version: Path) -> None:
    """Make a link lead to a version, in one rename(2); then remove the other versions, except those that a run uses."""
    new = link.with_name(f".{link.name}.new")
    try:
        new.unlink(missing_ok=True)
        new.symlink_to(version.name)
        if link.is_dir() and not link.is_symlink():  # created otherwise, and replaced like a version
            link.rename(link.with_name(f".{link.name}.0"))
        new.replace(link)
    except OSError as error:
        raise HandoffError(f"could not write {link}: {error.strerror}") from error
    for _, old in list(_versions(link)):
        if old != version:
            _remove_unused(old)


def _remove_unused(version: Path) -> None:
    """What cannot be removed now is left to the next installation."""
    with suppress(OSError):
        if not version.is_dir():
            version.unlink()
            return
        try:
            stamp = os.open(version / STAMP, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:  # never completed, so no run has begun with it
            shutil.rmtree(version)
            return
        try:
            if _try_lock(stamp):
                shutil.rmtree(version)
        finally:
            os.close(stamp)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
