"""The program that builds and keeps images: docker or podman."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from handoff_kit.errors import ImageError

CHOICES = ("auto", "docker", "podman")
PROBES = {
    "docker": ("docker", "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"),
    "podman": ("podman", "version", "--format", "{{.Client.OsArch}}"),
}
INSTALL = "install one: https://docs.docker.com/engine/install or https://podman.io/docs/installation"
TIMEOUT = 60.0


@dataclass(frozen=True)
class Answer:
    """Exit code and output of a command."""

    exit: int
    stdout: str
    stderr: str


Ask: TypeAlias = Callable[[Sequence[str]], Answer]


@dataclass(frozen=True)
class Builder:
    """A builder that works, and its default platform; `note` says why it is not the first choice."""

    kind: Literal["docker", "podman"]
    platform: str
    ask: Ask
    note: str | None = None

    @property
    def is_rootless(self) -> bool:
        """Whether it runs as an ordinary user, who is root in its containers."""
        form = "{{.SecurityOptions}}" if self.kind == "docker" else "rootless={{.Host.Security.Rootless}}"
        info = self.ask((self.kind, "info", "--format", form)).stdout
        return "name=rootless" in info or "rootless=true" in info

    @property
    def load(self) -> tuple[str, ...]:
        """The option by which `build` hands the image over to docker: a buildx builder in a container keeps it.

        Only buildx knows it, which serves `docker build` where it is installed.
        """
        has_option = self.kind == "docker" and "--load" in self.ask(("docker", "build", "--help")).stdout
        return ("--load",) if has_option else ()

    def image(self, reference: str) -> dict[str, Any] | None:
        """The answer of `image inspect`; None where it has no image of that name."""
        answer = self.ask((self.kind, "image", "inspect", reference))
        images = json.loads(answer.stdout or "[]") if answer.exit == 0 else []
        return images[0] if images else None


def ask(argv: Sequence[str]) -> Answer:
    """Run a command that answers within a minute."""
    try:
        done = subprocess.run(argv, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return Answer(124, "", f"no answer within {TIMEOUT:.0f} seconds")
    except OSError as error:
        return Answer(126, "", str(error.strerror))
    return Answer(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def find_builder(choice: str | None, which: Callable[[str], str | None] = shutil.which, asking: Ask = ask) -> Builder:
    """The builder of this name; with `auto` docker, else podman: the first that works."""
    kinds: tuple[Literal["docker", "podman"], ...] = ("docker", "podman")
    chosen = tuple(kind for kind in kinds if choice in (None, "auto", kind))
    installed = [kind for kind in chosen if which(kind)]
    if not installed:
        raise ImageError(f"found no {' and no '.join(chosen)} on PATH, expected one that builds images", INSTALL)
    refusals: list[tuple[str, str]] = []
    for kind in installed:
        answer = asking(PROBES[kind])
        if answer.exit == 0 and answer.stdout.strip():
            note = f"{refusals[0][0]} does not answer; {kind} is used" if refusals else None
            return Builder(kind, answer.stdout.strip(), asking, note)
        refusals.append((kind, answer.stderr.strip()))
    raise _unreachable_error(*refusals[0])


def _unreachable_error(kind: str, stderr: str) -> ImageError:
    lines = stderr.splitlines()
    message = f"{kind} does not work: {lines[-1] if lines else 'it printed nothing'}"
    if "permission denied" in stderr.lower():
        return ImageError(message, f"let this account use it: sudo usermod -aG {kind} $USER, then log in again")
    if kind == "docker":
        host = os.environ.get("DOCKER_HOST")
        where = f"tried DOCKER_HOST={host}" if host else "for docker on another host set DOCKER_HOST"
        return ImageError(message, f"start it: sudo systemctl start docker, or Docker Desktop; {where}")
    return ImageError(message, "see what it says: podman info")
