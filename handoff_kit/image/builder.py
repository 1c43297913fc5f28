"""Who builds and keeps images: docker or podman, found on PATH and asked whether it works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from handoff_kit.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Which = Callable[[str], str | None]
    Ask = Callable[[Sequence[str]], "Answer"]

__all__ = ["CHOICES", "Answer", "Builder", "ask", "find"]

CHOICES = ("auto", "docker", "podman")
PROBES = {
    "docker": ("docker", "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"),
    "podman": ("podman", "version", "--format", "{{.Client.OsArch}}"),
}
INSTALL = "install one: https://docs.docker.com/engine/install or https://podman.io/docs/installation"
PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """How a question to a builder ended, and what it said."""

    exit: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Builder:
    """A builder that works, and the platform it builds for when nobody asks for another.

    `note` says why it is not the one that would be taken first.
    """

    kind: Literal["docker", "podman"]
    platform: str
    ask: Ask
    note: str | None = None

    @property
    def is_rootless(self) -> bool:
        """Whether all of it runs as an ordinary user, whom its root stands for."""
        form = "{{.SecurityOptions}}" if self.kind == "docker" else "rootless={{.Host.Security.Rootless}}"
        said = self.ask((self.kind, "info", "--format", form)).stdout
        return "name=rootless" in said or "rootless=true" in said

    def image(self, reference: str) -> dict[str, Any] | None:
        """What it knows of an image (`image inspect`); None where it has none of that name."""
        answer = self.ask((self.kind, "image", "inspect", reference))
        found = json.loads(answer.stdout or "[]") if answer.exit == 0 else []
        return found[0] if found else None


def ask(argv: Sequence[str]) -> Answer:
    """Run a command that answers at once."""
    try:
        done = subprocess.run(argv, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return Answer(124, "", f"no answer within {PATIENCE:.0f} seconds")
    except OSError as error:
        return Answer(126, "", str(error.strerror))
    return Answer(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def find(asked: str | None, which: Which = shutil.which, asking: Ask = ask) -> Builder:
    """The builder that was asked for; else docker, else podman: the first that works."""
    kinds: tuple[Literal["docker", "podman"], ...] = ("docker", "podman")
    wanted = tuple(kind for kind in kinds if asked in (None, "auto", kind))
    installed = [kind for kind in wanted if which(kind)]
    if not installed:
        raise ImageError(f"found no {' and no '.join(wanted)} on PATH, expected one that builds images", INSTALL)
    refusals: list[tuple[str, str]] = []
    for kind in installed:
        answer = asking(PROBES[kind])
        if answer.exit == 0 and answer.stdout.strip():
            return Builder(kind, answer.stdout.strip(), asking, _instead(refusals, kind))
        refusals.append((kind, answer.stderr.strip()))
    raise _unreachable(*refusals[0])


def _instead(refusals: Sequence[tuple[str, str]], kind: str) -> str | None:
    return f"{refusals[0][0]} does not answer; {kind} is used" if refusals else None


def _unreachable(kind: str, said: str) -> ImageError:
    lines = said.splitlines()
    message = f"{kind} does not work: {lines[-1] if lines else 'it said nothing'}"
    if "permission denied" in said.lower():
        return ImageError(message, f"let this account use it: sudo usermod -aG {kind} $USER, then log in anew")
    if kind == "docker":
        return ImageError(message, f"start it: sudo systemctl start docker, or Docker Desktop; {_asked_where()}")
    return ImageError(message, "see what it says: podman info")


def _asked_where() -> str:
    host = os.environ.get("DOCKER_HOST")
    return f"asked at DOCKER_HOST={host}" if host else "to ask elsewhere, set DOCKER_HOST"
