"""A checkout in a directory: tasks.py, templates and projects, and `invoke` run in it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doubles.forkserver import INVOKE, ForkServer

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
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
        self, *words: str, cwd: str = ".", env: Mapping[str, str] | None = None, **popen: Any
    ) -> subprocess.Popen[bytes]:
        """Start invoke; its signals are as a shell in the foreground would leave them."""
        return subprocess.Popen(
            [sys.executable, "-m", "invoke", *words],
            cwd=self.root / cwd,
            env=self.environment(env),
            **{"stdin": subprocess.DEVNULL, "preexec_fn": heed_interrupts, **popen},
        )

    def invoke(self, *words: str, cwd: str = ".", env: Mapping[str, str] | None = None) -> InvokeResult:
        """Run invoke to its end, forked from a process that has its libraries where nothing steers Python itself."""
        if not any(name.startswith(OF_PYTHON) for name in env or ()):
            code, out, err = ForkServer.running().run(INVOKE, words, self.root / cwd, self.environment(env), PATIENCE)
            return InvokeResult(code, out.decode(), err.decode())
        with self.start(*words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        return InvokeResult(process.returncode, stdout.decode(), stderr.decode())

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
