"""A run here with what is stored in AWS: the same module, told where its store is, in a directory of its own.

The project's own `.artifacts` and `.env` stay as they are: what comes from S3 and goes back there must not mix
with what runs here have left.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from handoff_kit.errors import HandoffError
from handoff_kit.resource_names import OWNER_VARIABLE
from handoff_kit.runtime import LocalRun

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from handoff_kit.aws.target import Target
    from handoff_kit.names import ProjectPlace

__all__ = ["directory", "make_directory", "plan", "told"]

OWN = (".artifacts", ".env", "files")


def directory(place: ProjectPlace) -> Path:
    """Where such a run takes place: all of the project is seen there, by links, but what a run itself makes."""
    return place.build / "remote"


def plan(
    place: ProjectPlace,
    stack: Target,
    *,
    data: Mapping[str, Any],
    command: str,
    meter: str | None,
    log_format: str,
    no_state: bool = False,
) -> LocalRun:
    """What the runtime is to be started with; its params, and so what may be wrong with them, are in AWS."""
    store = {"STACK_NAME": stack.name, "S3_BUCKET_NAME": stack.bucket, OWNER_VARIABLE: stack.bucket_owner}
    return LocalRun(directory(place), "", command, data, meter, log_format, None, store, no_state)


def told(stack: Target, *, no_state: bool = False) -> str:
    """Where it takes its params, files and state from, in words."""
    what = "files and artifacts" if no_state else "files, artifacts and state"
    return f"params of {stack.parameter}; {what} of s3://{stack.bucket}/{stack.name}/{', no state' if no_state else ''}"


def make_directory(place: ProjectPlace) -> None:
    """Make it anew."""
    target = directory(place)
    try:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for path in sorted(place.directory.iterdir()):
            if path.name not in OWN:
                (target / path.name).symlink_to(path)
    except OSError as error:
        raise HandoffError(f"could not make {target}: {error.strerror}") from error
