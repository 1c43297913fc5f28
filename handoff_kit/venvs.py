"""Virtual environments of a project: what lies there, whether it will do, and the steps that make it so.

Requirements are resolved once into a committed lock (locks.py); the environment `venv/NAME` is installed
from the lock alone, every file checked against its hash. A stamp inside the environment, written last,
says which lock, which Python and which place it was made for. Where stamp and wish agree there is
nothing to do; everything else is removed and made anew.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from handoff_kit import locks
from handoff_kit.errors import ProjectError
from handoff_kit.steps import LockRequirements, RemoveTree, RunCommand, StampVenv, Step
from handoff_runtime import containment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from handoff_kit.names import ProjectPlace
    from handoff_kit.project import Venv

__all__ = ["Installer", "VenvState", "find_installer", "plan_install", "read_state", "stamp_of", "status"]

STAMP = "handoff.json"
OLDEST_PYTHON = "3.10"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

Status = Literal["missing", "stale", "ready"]


@dataclass(frozen=True)
class Installer:
    """What resolves and installs: uv by its argv, or the pip that every new environment brings along."""

    kind: Literal["uv", "pip"]
    argv: tuple[str, ...] = ()
    interpreter: str = sys.executable
    python: str = PYTHON


@dataclass(frozen=True)
class VenvState:
    """What lies on disk of one virtual environment, and its lock."""

    lock: str | None
    stamp: str | None
    directory: bool
    interpreter: bool


def find_installer(which: Callable[[str], str | None] = shutil.which) -> Installer:
    """uv where there is one, as a command or as a module; else pip.

    What is started in the project's directory must not take its modules for the library's: no `python -m uv`.
    """
    if which("uv"):
        return Installer("uv", ("uv",))
    if importlib.util.find_spec("uv"):
        return Installer("uv", (importlib.import_module("uv").find_uv_bin(),))
    return Installer("pip")


def read_state(place: ProjectPlace, venv: Venv) -> VenvState:
    directory = place.directory / venv.directory
    return VenvState(
        lock=_text(place.lock(venv.name)),
        stamp=_text(directory / STAMP),
        directory=directory.is_symlink() or directory.exists(),
        interpreter=(directory / "bin" / "python").exists(),
    )


def _text(path: Path) -> str | None:
    """What a lock or a stamp holds; None for what is no file, which is then made."""
    try:
        return containment.read_file(str(path)).decode("utf-8", errors="replace")
    except PermissionError as error:
        raise ProjectError(f"{path}: {error.strerror}, expected a file one can read") from None
    except OSError:
        return None


def status(place: ProjectPlace, venv: Venv) -> Status:
    """Whether a stage can run in it; a few small files are read, nothing is started."""
    return _status(place, venv, read_state(place, venv), PYTHON)


def _status(place: ProjectPlace, venv: Venv, state: VenvState, python: str) -> Status:
    if not state.interpreter:
        return "missing"
    if state.lock is None or not locks.is_current(state.lock, venv.requirements):
        return "stale"
    wanted = stamp_of(state.lock, place.directory / venv.directory, python)
    return "ready" if state.stamp == wanted else "stale"


def stamp_of(lock: str, directory: Path, python: str) -> str:
    """What a finished environment says of itself; scripts name their place, so a moved one is stale."""
    digest = hashlib.sha256(lock.encode()).hexdigest()
    stamp = {"lock": f"sha256:{digest}", "python": python, "directory": str(directory)}
    return json.dumps(stamp, indent=2) + "\n"


def plan_install(
    place: ProjectPlace,
    venvs: Iterable[Venv],
    states: Mapping[str, VenvState],
    installer: Installer,
    *,
    upgrade: bool = False,
) -> tuple[Step, ...]:
    """The steps that make every environment ready; none where all are, and none for one not in `venvs`."""
    plans = (_Plan(place, venv, states[venv.name], installer, upgrade) for venv in venvs)
    return tuple(step for plan in plans for step in plan.steps())


@dataclass(frozen=True)
class _Plan:
    """What is to be done for one environment."""

    place: ProjectPlace
    venv: Venv
    state: VenvState
    installer: Installer
    upgrade: bool

    def steps(self) -> tuple[Step, ...]:
        _refuse_options(self.place, self.venv)
        if self._relock:
            return self._relocked()
        if _status(self.place, self.venv, self.state, self.installer.python) == "ready":
            return ()
        again = f"rm {self._shown_lock} && invoke install --project {self.place.name}"
        locks.check(self.state.lock or "", self.venv.requirements, self._shown_lock, again)
        return (*self._emptied(), self._made(), self._filled(), self._stamped())

    def _relocked(self) -> tuple[Step, ...]:
        """uv can resolve before anything is touched; pip needs the new environment to do it in."""
        if self.installer.kind == "uv":
            return (self._locked(), *self._emptied(), self._made(), self._filled(), self._stamped())
        return (*self._emptied(), self._made(), self._locked(), self._filled(), self._stamped())

    @property
    def _relock(self) -> bool:
        return self.upgrade or not locks.is_current(self.state.lock, self.venv.requirements)

    @property
    def _directory(self) -> Path:
        return self.place.directory / self.venv.directory

    @property
    def _shown_lock(self) -> str:
        return self.place.lock(self.venv.name).relative_to(self.place.root).as_posix()

    def _purpose(self, verb: str) -> str:
        return f"{verb} venv {self.venv.name} of project {self.place.name}"

    def _emptied(self) -> tuple[Step, ...]:
        return (RemoveTree(self._directory),) if self.state.directory else ()

    def _made(self) -> RunCommand:
        interpreter, directory = self.installer.interpreter, self.venv.directory
        argv: tuple[str, ...] = (interpreter, "-I", "-m", "venv", directory)
        if self.installer.kind == "uv":
            argv = (*self.installer.argv, "venv", "--quiet", "--no-project")
            argv += ("--python", interpreter, directory)
        return RunCommand(argv, self.place.directory, self._purpose("make"))

    def _locked(self) -> LockRequirements:
        uv = self.installer.kind == "uv"
        pythons = (OLDEST_PYTHON, self.installer.python) if uv else (self.installer.python,)
        return LockRequirements(
            lock=self.place.lock(self.venv.name),
            requirements=self.venv.requirements,
            resolver=self.installer.kind,
            argv=self._uv_compile() if uv else self._pip_report(),
            cwd=self.place.directory,
            purpose=self._purpose("lock"),
            pythons=tuple(dict.fromkeys(pythons)),
            upgrade=self.upgrade,
        )

    def _uv_compile(self) -> tuple[str, ...]:
        uv, python = self.installer.argv, self.installer.interpreter
        portable = ("--universal", "--generate-hashes", "--python", python)
        bare = ("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")
        return (*uv, "pip", "compile", "--quiet", *portable, *bare, "--no-emit-index-annotation", "-")

    def _pip_report(self) -> tuple[str, ...]:
        chosen = ("--dry-run", "--ignore-installed", *self.venv.requirements)
        return (*self._pip(), "install", "--quiet", "--no-input", *chosen)

    def _filled(self) -> RunCommand:
        lock = self.place.lock(self.venv.name).relative_to(self.place.directory).as_posix()
        return RunCommand(
            (*self._install(), *self._hashes(), "-r", lock),
            self.place.directory,
            self._purpose("install"),
            telling=locks.TELLING,
        )

    def _install(self) -> tuple[str, ...]:
        if self.installer.kind == "pip":
            return (*self._pip(), "install", "--quiet", "--no-input")
        uv, directory = self.installer.argv, self.venv.directory
        return (*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", directory)

    def _pip(self) -> tuple[str, ...]:
        return (f"{self.venv.directory}/bin/python", "-I", "-m", "pip", "--disable-pip-version-check")

    def _hashes(self) -> tuple[str, ...]:
        """Hashes are checked wherever there are some; they cannot be required of a repository."""
        return () if any(map(locks.is_unhashed, self.venv.requirements)) else ("--require-hashes",)

    def _stamped(self) -> StampVenv:
        return StampVenv(self._directory, self.place.lock(self.venv.name), self.installer.python)


def _refuse_options(place: ProjectPlace, venv: Venv) -> None:
    """An option would put an address, or a password, into a committed file."""
    for text in venv.requirements:
        where = f"{place.shown}: venv {venv.name}"
        if text.startswith("-"):
            hint = "indexes are a setting of the machine: UV_INDEX_URL, or PIP_INDEX_URL"
            option = text.split("=")[0].split()[0]
            raise ProjectError(f"{where}: found the option {option!r}, expected a requirement", hint)
        if re.search(r"://[^/@\s]*:[^/@\s]*@", text):
            hint = "let git ask for it: a credential helper, or an ssh address"
            raise ProjectError(f"{where}: found a password in an address, expected none", hint)
