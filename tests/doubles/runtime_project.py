"""A project in a directory, the runtime started in it, and the files it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    StageSpec = str | Sequence[str] | Mapping[str, Any]

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable
START = str(ROOT / "handoff_runtime/start.py")
MARK = "HANDOFF_TEST_MARK"
OURS = ("COMMAND", "DATA", "LOG_FORMAT", "STOP_TIMEOUT", "HANDOFF_PROJECT", "PYTHONSAFEPATH")
PATIENCE = 60.0


@dataclass(frozen=True)
class Finished:
    """What one run of the runtime was, from outside."""

    exit: int
    stdout: bytes
    stderr: str
    record: Any
    state: bytes | None
    seconds: float

    @property
    def messages(self) -> list[str]:
        """The words of our own and of the stages, from a log in JSON, as `stage: message`."""
        lines = [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]
        return [f"{line['stage']}: {line['message']}" for line in lines]

    def said(self, stage: str) -> list[str]:
        """What one stage wrote to its stderr."""
        return [line.partition(": ")[2] for line in self.messages if line.startswith(f"{stage}: ")]

    @property
    def verdicts(self) -> list[str]:
        """One word a stage."""
        return [stage.get("verdict") for stage in self.record["stages"]]

    def figures(self, *names: str) -> list[tuple[Any, ...]]:
        """The named figures, one tuple a stage."""
        return [tuple(stage[name] for name in names) for stage in self.record["stages"]]


@dataclass
class Running:
    """The runtime while it runs."""

    project: Project
    process: subprocess.Popen[bytes]  # or a ForkedProcess, which has its methods
    mark: str
    begun: float = field(default_factory=time.monotonic)

    def wait_for(self, path: str) -> None:
        """Until a stage has made this file in the project."""
        until(lambda: self.project.path(path).exists() or self.process.poll() is not None, path)

    def send(self, number: int) -> None:
        """Send the runtime a signal."""
        self.process.send_signal(number)

    def finish(self) -> Finished:
        """Wait for its end and gather what is there."""
        stdout, stderr = self.process.communicate(timeout=PATIENCE)
        return self.project.finished(self.process.returncode, stdout, stderr, time.monotonic() - self.begun)

    def end(self) -> None:
        """Leave nothing of it: what a failed test did not wait for."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in filter(None, (self.process.stdin, self.process.stdout, self.process.stderr)):
            stream.close()

    def left(self) -> list[str]:
        """The processes that came from this run and are there now."""
        return marked(self.mark)


@dataclass(frozen=True)
class Project:
    """A project's directory, beside it the params document, and the runs that were started."""

    directory: Path
    started: list[Running] = field(default_factory=list, repr=False, compare=False)

    @property
    def params_file(self) -> Path:
        """The params document."""
        return self.directory.with_suffix(".params.json")

    def path(self, name: str) -> Path:
        """A place in the project."""
        return self.directory / name

    def write(self, name: str, content: str | bytes, mode: int = 0o644) -> Path:
        """Put a file into the project."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def params(self, *stages: StageSpec, files: Mapping[str, str] | None = None, **pipeline: Any) -> Project:
        """Write the params document: a text is a shell line, a list an argv, a dict a stage as it is."""
        named = Counter[str]()
        document = {
            "format": 1,
            "pipeline": {
                "format": 1,
                "project": "sample",
                "environment": "dev",
                **pipeline,
                "stages": [_stage(stage, named) for stage in stages],
            },
            "files": [{"name": name, "value": value} for name, value in (files or {}).items()],
        }
        self.params_file.write_text(json.dumps(document))
        return self

    def start(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        python: Sequence[str] = (PYTHON, START),
        before: str | None = None,
        source: Sequence[str] | None = None,
        launch: Callable[..., Any] = subprocess.Popen,
        **popen: Any,
    ) -> Running:
        """Start the runtime; `before` is a shell's way to start it, with `"$@"` for the command.

        `source` are the words that say where the params are, if not in their file. What `launch` forks bears no mark
        itself: its stages do.
        """
        mark = uuid.uuid4().hex
        command = [*python, *(("--params", str(self.params_file)) if source is None else source), *argv]
        command = ["sh", "-c", before, "sh", *command] if before else command
        process = launch(
            command,
            cwd=self.directory,
            env={**environment(), MARK: mark, **(env or {})},
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen},
        )
        running = Running(self, process, mark)
        self.started.append(running)
        return running

    def run(self, *argv: str, **start: Any) -> Finished:
        """Run the runtime to its end."""
        return self.start(*argv, **start).finish()

    def finished(self, code: int, stdout: bytes | None, stderr: bytes | None, seconds: float) -> Finished:
        """What lies there after a run."""
        text = (stderr or b"").decode(errors="replace")
        return Finished(code, stdout or b"", text, self.record(), self.state(), seconds)

    def record(self) -> Any:
        """The record of the last run, if there is one."""
        path = self.path(".artifacts/run.json")
        return json.loads(path.read_text()) if path.exists() else None

    def state(self) -> bytes | None:
        """The state, if there is one."""
        path = self.path(".artifacts/state")
        return path.read_bytes() if path.exists() else None

    def keep(self, state: bytes) -> None:
        """Put a state there, as an earlier run would."""
        self.write(".artifacts/state", state)

    def output(self) -> bytes:
        """What the last stage wrote."""
        return self.path(".artifacts/stdout.log").read_bytes()


def _stage(given: StageSpec, named: Counter[str]) -> dict[str, Any]:
    if isinstance(given, str):
        stage: dict[str, Any] = {"shell": given}
        word = given.split()[0]
    elif isinstance(given, dict):
        stage = dict(given)
        word = stage.get("builtin") or stage.get("shell", "").split(" ")[0] or stage["argv"][0]
    else:
        stage = {"argv": list(given)}
        word = stage["argv"][0]
    name = os.path.basename(word) or "stage"  # noqa: PTH119  # a word, no path
    named[name] += 1
    number = "" if named[name] == 1 else f"-{named[name]}"
    return {"name": name + number, "venv": None, "envs": {}, **stage}


def environment() -> dict[str, str]:
    """Our environment without what would steer the runtime."""
    return {name: value for name, value in os.environ.items() if name not in OURS}


def marked(mark: str) -> list[str]:
    """The living processes with this mark in their environment (a zombie has none), by their command lines."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and int(place.name) != os.getpid():
            try:
                if f"{MARK}={mark}".encode() in (place / "environ").read_bytes().split(b"\0"):
                    found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    return found


def until(true: Callable[[], object], what: str = "it", seconds: float = 20.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.005)


def script(code: str) -> list[str]:
    """A stage that is a few lines of Python; -I -S, so that it starts quickly and alone."""
    return [PYTHON, "-I", "-S", "-c", code]
