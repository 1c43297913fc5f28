"""From the start of a container to the first byte through its pipe: ours against the shell, in the same image."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comparison import Comparison, Target
from rebuild import named
from side import Sample, Side, SideError

from handoff_kit.image import builder
from handoff_kit.paths import ProjectPaths
from handoff_kit.run import container

if TYPE_CHECKING:
    from pathlib import Path

    from rebuild import Bench

PROJECT = "first-byte"
MARK = ".artifacts/first-byte"
LAST = f"head -c 1 > /dev/null; date +%s%N > {MARK}"  # the clock is the kernel's, inside as outside
SHELL, OURS = "sh", "handoff"
LIMIT = 1.3
TAIL = 2000


@dataclass(frozen=True)
class Start:
    """A container to start: what it is given on stdin, and where it notes the time of its first byte."""

    stdin: Path
    mark: Path

    def run(self, side: Side) -> Sample:
        """Start it once; the seconds to the first byte. What it uses of the CPU is the daemon's affair."""
        self.mark.unlink(missing_ok=True)
        with self.stdin.open("rb") as stdin:
            begun = time.time_ns()
            done = subprocess.run(side.argv, stdin=stdin, capture_output=True, check=False, cwd=side.directory)
        if done.returncode or not self.mark.exists():
            raise SideError(f"{side.name}: exit {done.returncode}\n{done.stderr.decode(errors='replace')[-TAIL:]}")
        return Sample((int(self.mark.read_text()) - begun) / 1e9, 0.0, "")


def prepare(bench: Bench, rounds: int) -> tuple[Comparison, Start]:
    """A project that is `echo x` and a stage that tells the time, in its image, and the same as a line of sh."""
    commands = [{"command": "echo", "args": "x"}, {"command": "sh", "args": f"-c '{LAST}'"}]
    bench.add(PROJECT, json.dumps({"commands": commands}))
    image = bench.build(PROJECT).image
    document = bench.root / "params.json"
    document.write_text(bench.invoke("params", PROJECT)[0])
    argv = _run(bench, image)
    shell = (*argv[:-1], "--entrypoint", "sh", image, "-c", f"echo x | sh -c '{LAST}'")
    ours = (*argv, "run", "--data", "{}", "--params", "-")
    sides = (Side(SHELL, shell, bench.root), Side(OURS, ours, bench.root))
    title = "`docker run`, until `echo x` has come through a pipe"
    compared = Comparison("start", title, sides, rounds, (Target(OURS, SHELL, LIMIT),))
    return compared, Start(document, bench.directory(PROJECT) / MARK)


def _run(bench: Bench, image: str) -> tuple[str, ...]:
    """The words by which `run-local --container` starts it; removed once it has ended."""
    paths = ProjectPaths(named(PROJECT), bench.root)
    container.create_mounts(paths)
    user = f"{os.getuid()}:{os.getgid()}"
    made = container.create_container(builder.find_builder("docker"), image, paths, environ={}, user=user)
    docker, run, *rest = made.argv
    return (docker, run, "--rm", *rest)
