"""A checkout in a directory: tasks.py, templates and projects, and `invoke` run in it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from doubles.forkserver import ForkServer

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
STREAMS = {"stdin", "stdout", "stderr"}
OF_PYTHON = ("PYTHON", "LANG", "LC_")
LEFT_OUT = (
    "HANDOFF_",
    "COMMAND",
    "DATA",
    "CI",
    "NO_COLOR",
    "FORCE_",
    "COLUMNS",
    "LOG_FORMAT",
    "PYTHON",
    "INVOKE_",
    "PIP_",
)


@dataclass(frozen=True)
class InvokeResult:
    """How `invoke` ended and what it said."""

    exit: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Checkout:
    """tasks.py and projects/ as users have them; `cache` keeps compiled modules out of the tree."""

    root: Path
    cache: Path

    def project(self, name: str, text: str, files: Mapping[str, str | bytes] | None = None) -> Path:
        """Write a project; its directory."""
        directory = self.root / "projects" / name
        for path, content in {"project.yml": textwrap.dedent(text), **(files or {})}.items():
            place = directory / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
        return directory

    def sample(self, name: str) -> Path:
        """A copy of a sample of ours, as a fresh clone has it; its directory."""
        made = shutil.ignore_patterns("venv", ".env", ".artifacts")
        return shutil.copytree(ROOT / "projects" / name, self.root / "projects" / name, ignore=made)

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """Ours, without what would change what invoke does."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
        paths = {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(self.cache), "PIP_CONFIG_FILE": os.devnull}
        return {**kept, **paths, "STOP_TIMEOUT": "4", **(env or {})}

    def start(
        self, *words: str, cwd: str = ".", env: Mapping[str, str] | None = None, terminal: bool = False, **popen: Any
    ) -> subprocess.Popen[bytes]:
        """Start invoke, with `terminal` on the one that is its standard input; its signals are as a shell in the foreground would leave them.

        It is forked from a process that has its libraries, unless something steers Python itself, or the new process.
        """
        command, where, environ = [sys.executable, "-m", "invoke", *words], self.root / cwd, self.environment(env)
        if popen.keys() <= STREAMS and not any(name.startswith(OF_PYTHON) for name in env or ()):
            forked: Any = ForkServer.running().start(command, where, environ, terminal=terminal, **popen)
            return cast("subprocess.Popen[bytes]", forked)  # whose methods it has
        assert not terminal, "a terminal is only given to what is forked"
        started = {"stdin": subprocess.DEVNULL, "preexec_fn": heed_interrupts, **popen}
        return subprocess.Popen(command, cwd=where, env=environ, **started)

    def invoke(self, *words: str, cwd: str = ".", env: Mapping[str, str] | None = None) -> InvokeResult:
        """Run invoke to its end."""
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            code = self.start(*words, cwd=cwd, env=env, stdout=stdout, stderr=stderr).wait(PATIENCE)
            for file in (stdout, stderr):
                file.seek(0)
            return InvokeResult(code, stdout.read().decode(), stderr.read().decode())

    def tree(self) -> dict[str, tuple[int, bytes]]:
        """Everything that lies there: mode and content of each path."""
        paths = sorted(self.root.rglob("*"))
        return {path.relative_to(self.root).as_posix(): _seen(path) for path in paths}


def make_checkout(root: Path, cache: Path) -> Checkout:
    """A checkout without projects."""
    (root / "projects").mkdir(parents=True)
    for name in ("tasks.py", "Dockerfile.j2"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "templates", root / "templates")
    return Checkout(root, cache)


def heed_interrupts() -> None:
    """A shell without job control starts what is in the background deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _seen(path: Path) -> tuple[int, bytes]:
    found = path.lstat()
    return stat.S_IMODE(found.st_mode), path.read_bytes() if path.is_file() else b""
