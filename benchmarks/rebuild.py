"""`invoke build`, timed: what changes before it, and how much of it is docker's own."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from checkout import INVOKE, MADE, ROOT
from engine import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine import Engine

NEEDED = ("tasks.py", "Dockerfile.j2")
NOTED = "docker-build-ns"
# First on PATH: passes everything on, and notes how long `docker build` took.
STOPWATCH = """#!/bin/sh
[ "$1" = build ] || exec '{docker}' "$@"
begun=$(date +%s%N)
'{docker}' "$@"
status=$?
echo $(($(date +%s%N) - begun)) > '{noted}'
exit $status
"""


@dataclass(frozen=True)
class Build:
    """One `invoke build`: its seconds, docker's share of them (None where it was not asked to build), the image."""

    seconds: float
    docker: float | None
    image: str

    @property
    def ours(self) -> float:
        """What is not `docker build`."""
        return self.seconds - (self.docker or 0.0)


@dataclass(frozen=True)
class Change:
    """What is changed in `file` of the elements sample; `edit` gives its text, never the same twice."""

    title: str
    file: str
    edit: Callable[[str, str], str]


CHANGES = (
    Change("nothing", "project.yml", lambda text, _: text),
    Change(
        "an argument in `commands:`", "project.yml", lambda text, new: text.replace("tap-config.json", f"{new}.json")
    ),
    Change("a step added to `image:`", "project.yml", lambda text, new: f"{text}\nimage: {{steps: [': {new}']}}\n"),
    Change("a file of the project", "elements.jsonl", lambda text, new: f"{text}{new}\n"),
    Change("the lock of venv target", "locks/target.txt", lambda text, new: f"{text}# {new}\n"),
    Change("the lock of venv tap", "locks/tap.txt", lambda text, new: f"{text}# {new}\n"),
)
STEP = CHANGES[2].title


@dataclass(frozen=True)
class Bench:
    """A copy of the checkout whose projects bear our prefix, and the docker that builds them."""

    root: Path
    engine: Engine

    def directory(self, project: str) -> Path:
        """A project of the copy."""
        return self.root / "projects" / named(project)

    def add(self, project: str, text: str) -> None:
        """A project that is a project file alone."""
        self.directory(project).mkdir(parents=True)
        (self.directory(project) / "project.yml").write_text(text)

    def invoke(self, task: str, project: str, *flags: str) -> tuple[str, float]:
        """A task for a project of the copy: its stdout, and its seconds."""
        return self.engine.timed((str(INVOKE), task, "--project", named(project), *flags), self.root)

    def build(self, project: str, *flags: str) -> Build:
        """Build a project's image."""
        noted = self.root / NOTED
        noted.unlink(missing_ok=True)
        said, seconds = self.invoke("build", project, *flags)
        docker = int(noted.read_text()) / 1e9 if noted.exists() else None
        return Build(seconds, docker, said.split()[0])


def named(project: str) -> str:
    """`handoff-` goes before it in the name of the image."""
    return PREFIX.removeprefix("handoff-") + project


def bench(root: Path, engine: Engine) -> Bench:
    """A copy of the samples, and a docker that is timed."""
    for project in ("elements", "word-count"):
        shutil.copytree(ROOT / "projects" / project, root / "projects" / named(project), ignore=MADE)
    for name in NEEDED:
        shutil.copy(ROOT / name, root)
    stopwatch = root / "bin" / "docker"
    stopwatch.parent.mkdir()
    stopwatch.write_text(STOPWATCH.format(docker=shutil.which("docker"), noted=root / NOTED))
    stopwatch.chmod(0o755)
    path = f"{stopwatch.parent}{os.pathsep}{engine.environ.get('PATH', os.defpath)}"
    return Bench(root, replace(engine, environ={**engine.environ, "PATH": path}))


def rebuilds(bench: Bench, rounds: int, say: Callable[[str], None]) -> dict[str, list[Build]]:
    """Every change in every round, each made to the project as it was; what is not changed has been built."""
    bench.build("elements")
    done: dict[str, list[Build]] = {change.title: [] for change in CHANGES}
    for number in range(rounds):
        for change in CHANGES:
            say(f"build: round {number + 1} of {rounds}, changed: {change.title}")
            with _changed(bench.directory("elements") / change.file, change.edit):
                done[change.title].append(bench.build("elements"))
    return done


@contextmanager
def _changed(file: Path, edit: Callable[[str, str], str]) -> Iterator[None]:
    text = file.read_text()
    file.write_text(edit(text, f"changed-{time.time_ns()}"))
    try:
        yield
    finally:
        file.write_text(text)


def median(builds: list[Build]) -> Build:
    """The medians of each share; of docker's None where no build was asked for."""
    asked = [build.docker for build in builds if build.docker is not None]
    seconds = statistics.median(build.seconds for build in builds)
    ours = statistics.median(build.ours for build in builds)
    return Build(seconds, seconds - ours if asked else None, builds[-1].image)
