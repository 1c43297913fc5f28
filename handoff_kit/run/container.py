"""A run in a container of the project's image: read-only, without privileges, its artifacts kept on this machine."""

from __future__ import annotations

import csv
import io
import math
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from handoff_kit.errors import ImageError, ProjectError
from handoff_kit.image.builder import Builder
from handoff_kit.paths import ProjectPaths
from handoff_kit.run.runtime_process import Container
from handoff_runtime.supervisor.shutdown import grace_seconds

PREFIX = "handoff-run-"
LABEL = "handoff.run"
WRITABLE = (".artifacts", ".env")
FORWARDED_VARIABLES = ("STOP_TIMEOUT", "TRIGGER")
_MEMORY = re.compile(r"[1-9][0-9]*[bkmg]?", re.IGNORECASE)


def parse_memory(text: str) -> str | None:
    """The value of --memory as docker takes it; None for no limit."""
    if not text or _MEMORY.fullmatch(text):
        return text or None
    raise ProjectError(f"--memory: found {text!r}, expected bytes, or a number with k, m or g", "--memory 512m")


def create_container(
    builder: Builder,
    image: str,
    paths: ProjectPaths,
    *,
    environ: Mapping[str, str],
    user: str,
    memory: str | None = None,
) -> Container:
    """The container of a run: its permissions, mounts and environment variables; ImageError for a remote builder.

    `user` (UID:GID) will own the artifacts.
    """
    host_variable = "DOCKER_HOST" if builder.kind == "docker" else "CONTAINER_HOST"
    host = environ.get(host_variable, "")
    if host.startswith(("ssh:", "tcp:")):
        message = f"{builder.kind} runs on another machine ({host}), but the artifacts are to be written on this one"
        raise ImageError(message, f"unset {host_variable}")
    mounts = [_mount(paths.directory / name, f"/app/{name}") for name in WRITABLE]
    if (paths.directory / "files").is_dir():
        mounts.append(_mount(paths.directory / "files", "/app/files", "readonly"))
    variables = {name: environ[name] for name in FORWARDED_VARIABLES if name in environ}
    description = builder.image(image)
    variables["IMAGE_DIGEST"] = f"sha256:{description['Id'].removeprefix('sha256:')}" if description else ""
    rootless = builder.is_rootless
    if rootless and builder.kind == "docker":
        user = "0:0"  # its root is this user
    name = f"{PREFIX}{paths.name}-{secrets.token_hex(4)}"
    options = (
        *("--rm", "--interactive", "--name", name, "--label", f"{LABEL}={paths.name}"),
        *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--security-opt", "label=disable"),
        *(("--userns", "keep-id") if rootless and builder.kind == "podman" else ()),
        *("--user", user),
        *("--stop-timeout", str(math.ceil(grace_seconds(environ)))),
        *(("--memory", memory) if memory else ()),
        *(word for mount in mounts for word in ("--mount", mount)),
        *(word for variable, value in variables.items() for word in ("--env", f"{variable}={value}")),
    )
    return Container(name, (builder.kind, "run", *options, image))


def create_mounts(paths: ProjectPaths) -> None:
    """Create the directories to mount; the builder would create them as root."""
    try:
        (paths.directory / ".artifacts").mkdir(exist_ok=True)
        (paths.directory / ".env").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        place = f"projects/{paths.name}/{Path(error.filename).name}"
        hint = f"see what it is: ls -ld {place}; config belongs into projects/{paths.name}/.local"
        raise ProjectError(f"{place}: {error.strerror}, expected a directory", hint) from None


def was_out_of_memory(builder: Builder, name: str, since: float) -> bool:
    """Whether the kernel killed a process of the container for memory; the container itself is removed by now."""
    span = ("--since", str(int(since)), "--until", f"{time.time() + 1:.0f}")
    filters = ("--filter", f"container={name}", "--filter", "event=oom", "--format", "{{.Status}}")
    return bool(builder.ask((builder.kind, "events", *span, *filters)).stdout.strip())


def remove_container(builder: Builder, name: str) -> None:
    """Stop the container if it still runs, and remove it with its volumes."""
    builder.ask((builder.kind, "rm", "--force", "--volumes", name))


def _mount(source: Path, target: str, *more: str) -> str:
    """A line of CSV, so that a path may hold commas and newlines."""
    line = io.StringIO()
    words = ("type=bind", f"source={source.resolve()}", f"target={target}", *more)
    csv.writer(line, lineterminator="\n").writerow(words)
    return line.getvalue().removesuffix("\n")
