"""Other tools as sides: pypyr, Meltano and upstream handoff, each in a virtual environment of its own."""

from __future__ import annotations

import json
import subprocess
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from side import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Tool:
    """A tool of the package index, and how it counts the lines of a file."""

    name: str
    prepare: Callable[[Path, Path, Path], Side]


@dataclass(frozen=True)
class Installed:
    """A tool in its venv: its version, or the reason why there is none."""

    tool: Tool
    venv: Path
    version: str
    reason: str

    def side(self, directory: Path, file: Path) -> Side:
        """The tool, made ready in a directory of its own to count the lines of this file."""
        directory.mkdir(parents=True)
        return self.tool.prepare(directory, self.venv / "bin", file)


def install(tool: Tool, venvs: Path, python: str, environ: Mapping[str, str]) -> Installed:
    """Install a tool by uv, unless that was done before."""
    venv = venvs / tool.name
    interpreter = venv / "bin" / "python"
    steps: list[tuple[str, ...]] = []
    if not interpreter.exists():
        steps.append(("uv", "venv", "--quiet", "--python", python, str(venv)))
    steps.append(("uv", "pip", "install", "--quiet", "--python", str(interpreter), tool.name))
    steps.append((str(interpreter), "-c", f"import importlib.metadata as m; print(m.version({tool.name!r}), end='')"))
    said = ""
    for argv in steps:
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            return Installed(tool, venv, "", " ".join(done.stderr.split())[-300:])
        said = done.stdout
    return Installed(tool, venv, said, "")


def _pypyr(directory: Path, programs: Path, file: Path) -> Side:
    """One shell step: the pipes are those of the shell."""
    step = {"name": "pypyr.steps.shell", "in": {"cmd": f"cat '{file}' | wc -l"}}
    (directory / "count.yaml").write_text(json.dumps({"steps": [step]}))
    return Side("pypyr", (str(programs / "pypyr"), "count"), directory)


def _meltano(directory: Path, programs: Path, file: Path) -> Side:
    """An extractor and a loader that are two lines of shell, joined by Meltano itself."""
    count = directory / "count"
    plugins = {
        "extractors": [_plugin(directory, "tap-cat", f"exec cat '{file}'")],
        "loaders": [_plugin(directory, "target-wc", f"exec wc -l > '{count}'")],
    }
    project = {
        "default_environment": "dev",
        "project_id": str(uuid.uuid4()),
        "send_anonymous_usage_stats": False,
        "environments": [{"name": "dev"}],
        "plugins": plugins,
    }
    (directory / "meltano.yml").write_text(json.dumps(project))
    return Side("meltano", (str(programs / "meltano"), "run", "tap-cat", "target-wc"), directory, count)


def _plugin(directory: Path, name: str, line: str) -> dict[str, str]:
    script = directory / f"{name}.sh"
    script.write_text(f"#!/bin/sh\n{line}\n")
    script.chmod(0o755)
    return {"name": name, "namespace": name.replace("-", "_"), "executable": f"./{script.name}"}


def _handoff(directory: Path, programs: Path, file: Path) -> Side:
    """The original's first example, with a file of ours."""
    stages = [{"command": "cat", "args": f"'{file}'"}, {"command": "wc", "args": "-l"}]
    project = {"version": "0.3.0", "description": "count", "tasks": [{"name": "count", "pipeline": stages}]}
    (directory / "project").mkdir()
    (directory / "workspace").mkdir()
    (directory / "project" / "project.yml").write_text(json.dumps(project))
    argv = (str(programs / "handoff"), "run", "local", "-p", "./project", "-w", "./workspace")
    return Side("upstream handoff", argv, directory, directory / "workspace" / "artifacts" / "count_stdout.log")


TOOLS = (Tool("pypyr", _pypyr), Tool("meltano", _meltano), Tool("handoff", _handoff))
