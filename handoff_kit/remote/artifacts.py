"""The artifacts in S3: those of the last run, and the copies of each run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from handoff_kit.aws.objects import list_objects, place_below
from handoff_kit.aws.target import Target
from handoff_kit.errors import ProjectError
from handoff_kit.names import ProjectPlace
from handoff_kit.remote.errors import AWSError, told
from handoff_kit.steps import DeleteObjects
from handoff_runtime import keys
from handoff_runtime.aws import transfer
from handoff_runtime.aws.listing import Item
from handoff_runtime.terminal import safe_name

CURRENT = "current"
MOST_NAMES = 5  # in a question


def checked_run(run: str) -> str:
    """The id of a run; ProjectError where it cannot be part of a key."""
    if "/" in run or run in (".", "..") or not run.isprintable():
        raise ProjectError(f"--run: found {run!r}, expected the id of a run", "the ids: invoke history")
    return run


def prefix(stack: Target, run: str) -> str:
    """The prefix of the artifacts of a run, or of the last run (`current` or empty)."""
    return keys.artifacts(stack.name) if run in ("", CURRENT) else f"{of_run(stack, run)}artifacts/"


def of_run(stack: Target, run: str) -> str:
    """The prefix of all that is stored of a run."""
    return keys.run(stack.name, checked_run(run))


def find(stack: Target, run: str) -> list[Item]:
    """The artifacts; AWSError where a named run has none."""
    found = list_objects(stack, prefix(stack, run))
    if not found and run not in ("", CURRENT):
        message = f"run {run}: no artifacts found below {stack.shown(prefix(stack, run))}"
        raise AWSError(message, f"the runs: invoke history --remote {stack.options}")
    return found


def directory(place: ProjectPlace, run: str) -> Path:
    """The default directory for fetched artifacts, apart from that of local runs."""
    return place.build / "artifacts" / (run or CURRENT)


def fetch(stack: Target, run: str, target: Path) -> None:
    """Download all artifacts into a directory; AWSError unless each arrives complete and with its checksum."""
    with told():
        transfer.fetch(stack.clients, place_below(stack, prefix(stack, run)), str(target))


def clearable(stack: Target) -> list[Item]:
    """The artifacts of the last run but its state, which `state.clear` removes."""
    return [item for item in find(stack, "") if item.path != keys.STATE]


def question(stack: Target, found: Sequence[Item]) -> str:
    names = ", ".join(safe_name(item.path) for item in found[:MOST_NAMES])
    names += ", ..." if len(found) > MOST_NAMES else ""
    return f"delete {len(found)} artifact{'s' if len(found) > 1 else ''} of project {stack.project} ({names})"


def plan_clear(stack: Target, found: Sequence[Item]) -> DeleteObjects:
    """The step after which the next run starts without artifacts."""
    return DeleteObjects(stack.bucket, tuple(item.key for item in found))
