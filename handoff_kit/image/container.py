"""A run in a container of the project's image: read-only, without privileges, its artifacts kept here."""

from __future__ import annotations

import csv
import io
import math
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit.errors import ImageError, ProjectError
from handoff_kit.runtime import Container
from handoff_runtime.grace import grace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from handoff_kit.image.builder import Builder
    from handoff_kit.names import ProjectPlace

__all__ = ["Caller", "container", "make_places", "memory_limit", "remove", "was_killed_for_memory"]

PREFIX = "handoff-run-"
LABEL = "handoff.run"
KEPT = (".artifacts", ".env")
PASSED = ("STOP_TIMEOUT", "TRIGGER")
_MEMORY = re.compile(r"[1-9][0-9]*[bkmg]?", re.IGNORECASE)


@dataclass(frozen=True)
class Caller:
    """Who runs it: whose the artifacts shall be."""

    uid: int
    gid: int


def memory_limit(asked: str) -> str | None:
    """The memory a container may use, as docker takes it; None where nobody said."""
    if not asked or _MEMORY.fullmatch(asked):
        return asked or None
    raise ProjectError(f"--memory: found {asked!r}, expected bytes, or a number with k, m or g", "--memory 512m")


def container(
    builder: Builder,
    image: str,
    place: ProjectPlace,
    *,
    environ: Mapping[str, str],
    caller: Caller,
    memory: str | None = None,
) -> Container:
    """The words that start it: what it may do, what is mounted, what it is told by its environment."""
    _refuse_elsewhere(builder, environ)
    name = f"{PREFIX}{place.name}-{secrets.token_hex(4)}"
    options = (
        *("--rm", "--interactive", "--name", name, "--label", f"{LABEL}={place.name}"),
        *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--security-opt", "label=disable"),
        *_user(builder, caller),
        *("--stop-timeout", str(math.ceil(grace(environ)))),
        *(("--memory", memory) if memory else ()),
        *_mounts(place.directory),
        *_environment(builder, image, environ),
    )
    return Container(name, (builder.kind, "run", *options, image))


def make_places(place: ProjectPlace) -> None:
    """What is mounted must be there, or it would be made by, and belong to, the one who mounts."""
    (place.directory / ".artifacts").mkdir(exist_ok=True)
    (place.directory / ".env").mkdir(mode=0o700, exist_ok=True)


def was_killed_for_memory(builder: Builder, name: str, since: float) -> bool:
    """Whether the kernel ended something in it for want of memory; the container itself is gone by now."""
    span = ("--since", str(int(since)), "--until", f"{time.time() + 1:.0f}")
    wanted = ("--filter", f"container={name}", "--filter", "event=oom", "--format", "{{.Status}}")
    return bool(builder.ask((builder.kind, "events", *span, *wanted)).stdout.strip())


def remove(builder: Builder, name: str) -> None:
    """Remove it and its volumes; a run that we could not await is ended by it."""
    builder.ask((builder.kind, "rm", "--force", "--volumes", name))


def _refuse_elsewhere(builder: Builder, environ: Mapping[str, str]) -> None:
    host = environ.get("DOCKER_HOST", "") if builder.kind == "docker" else environ.get("CONTAINER_HOST", "")
    if host.startswith(("ssh:", "tcp:")):
        message = f"{builder.kind} runs on another machine ({host}), expected this one: artifacts are to be kept here"
        raise ImageError(message, f"unset {'DOCKER_HOST' if builder.kind == 'docker' else 'CONTAINER_HOST'}")


def _user(builder: Builder, caller: Caller) -> Iterator[str]:
    """The caller; where the whole builder runs as the caller, its root is the caller already."""
    rootless = builder.is_rootless
    if rootless and builder.kind == "podman":
        yield from ("--userns", "keep-id")
    mapped = rootless and builder.kind == "docker"
    yield from ("--user", "0:0" if mapped else f"{caller.uid}:{caller.gid}")


def _mounts(directory: Path) -> Iterator[str]:
    for name in KEPT:
        yield from ("--mount", _mount(directory / name, f"/app/{name}"))
    if (directory / "files").is_dir():
        yield from ("--mount", _mount(directory / "files", "/app/files", "readonly"))


def _mount(source: Path, target: str, *more: str) -> str:
    """One line of CSV, which lets a path hold commas."""
    line = io.StringIO()
    words = ("type=bind", f"source={source.resolve()}", f"target={target}", *more)
    csv.writer(line, lineterminator="\n").writerow(words)
    return line.getvalue().removesuffix("\n")


def _environment(builder: Builder, image: str, environ: Mapping[str, str]) -> Iterator[str]:
    found = builder.image(image)
    digest = f"sha256:{found['Id'].removeprefix('sha256:')}" if found else ""
    told = {name: environ[name] for name in PASSED if name in environ}
    for name, value in {**told, "IMAGE_DIGEST": digest}.items():
        yield from ("--env", f"{name}={value}")
