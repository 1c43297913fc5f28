"""Docker as the image benchmarks use it: asked from outside, everything they make named and removed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from side import SideError

from handoff_kit.image.dockerfile import INDEX_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

BASE = "python:3.11-slim"
PREFIX = "handoff-bench-"
TAIL = 3000
# What the old builder says of an image that it made just now; BuildKit names none, and keeps its cache itself.
_STEP = re.compile(r"^Step \d+/\d+ : (?!FROM)(?:(?!^Step )[^\0])*?^ ---> ([0-9a-f]{12})$", re.MULTILINE)
_CACHED = " ---> Using cache"


@dataclass(frozen=True)
class Engine:
    """The daemon; `log` is the file that everything said by a build is added to."""

    environ: Mapping[str, str]
    log: Path

    def ask(self, *words: str) -> str:
        """What docker answers."""
        done = subprocess.run(("docker", *words), env=self.environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SideError(f"docker {words[0]}: exit {done.returncode}\n{done.stderr[-TAIL:]}")
        return done.stdout.strip()

    def size(self, image: str) -> int:
        """Bytes of all its layers."""
        return int(self.ask("image", "inspect", "--format", "{{.Size}}", image))

    def over_base(self, image: str) -> int:
        """Bytes of what was put on the base."""
        return self.size(image) - self.size(BASE)

    def files(self, image: str, tops: tuple[str, ...]) -> dict[str, int]:
        """Every file below these directories of an image, with its bytes."""
        words = ("run", "--rm", "--label", f"{PREFIX}run", "--entrypoint", "python", image, "-c", LIST, *tops)
        return dict(json.loads(self.ask(*words)))

    def build(self, image: str, directory: Path) -> float:
        """Build a directory's Dockerfile without any cache; the seconds it took."""
        settings = [word for each in INDEX_SETTINGS if each in self.environ for word in ("--build-arg", each)]
        argv = ("docker", "build", "--no-cache", "--force-rm", "--tag", image, *settings, str(directory))
        _, seconds = self.timed(argv, directory)
        return seconds

    def timed(self, argv: tuple[str, ...], directory: Path) -> tuple[str, float]:
        """Run what builds; its stdout, and the seconds it took."""
        out, err = self.log.with_suffix(".out"), self.log.with_suffix(".err")
        try:
            with out.open("w") as stdout, err.open("w") as stderr:
                begun = time.perf_counter()
                exit_code = _run(argv, directory, self.environ, stdout, stderr)
                seconds = time.perf_counter() - begun
        finally:  # what was made until then is to be removed, too
            said = f"{out.read_text()}\n{err.read_text()}\n"
            with self.log.open("a") as log:
                log.write(said)
        if exit_code:
            raise SideError(f"{' '.join(argv[:2])}: exit {exit_code}\n{said[-TAIL:]}")
        return out.read_text(), seconds

    def builder(self) -> str:
        """Which of docker's builders has built, by what it said."""
        return "docker's old builder" if "\nStep 1/" in f"\n{self.log.read_text()}" else "BuildKit"

    @contextmanager
    def swept(self) -> Iterator[None]:
        """Remove our images in the end: those of our names, then what the old builder made below them."""
        try:
            yield
        finally:
            named = self.ask("images", "--filter", f"reference={PREFIX}*", "--format", "{{.Repository}}:{{.Tag}}")
            for image in (*named.split(), *reversed(_made(self.log))):
                self._remove(image)

    def _remove(self, image: str) -> None:
        """Remove an image, unless it has a name of somebody else's, or something else is made of it."""
        look = ("docker", "image", "inspect", "--format", "{{json .RepoTags}}", image)
        found = subprocess.run(look, env=self.environ, capture_output=True, text=True, check=False)
        if found.returncode == 0 and all(name.startswith(PREFIX) for name in json.loads(found.stdout) or ()):
            subprocess.run(("docker", "rmi", image), env=self.environ, capture_output=True, check=False)


# Files alone, hard links once: docker counts an image's bytes so.
LIST = """
import json, os, sys
found = {}
for top in sys.argv[1:]:
    for directory, _, names in os.walk(top):
        for path in (os.path.join(directory, name) for name in names):
            known = os.lstat(path)
            found[known.st_ino] = path, known.st_size
print(json.dumps(list(found.values())))
"""


def _run(argv: Sequence[str], directory: Path, environ: Mapping[str, str], out: IO[str], err: IO[str]) -> int:
    """Run to the end; where we are ended before, so is the build, and with it docker's."""
    process = subprocess.Popen(argv, cwd=directory, env=environ, stdout=out, stderr=err, start_new_session=True)
    try:
        return process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise


def _made(log: Path) -> list[str]:
    """The images that steps of our builds made, oldest first."""
    said = log.read_text() if log.exists() else ""
    return [step[1] for step in _STEP.finditer(said) if _CACHED not in step[0]]
