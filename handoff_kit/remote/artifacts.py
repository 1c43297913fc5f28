"""The artifacts in S3: those of the last run, and those kept of each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.aws.objects import list_objects, place_below
from handoff_kit.errors import ProjectError
from handoff_kit.remote.errors import AWSError, told
from handoff_runtime import keys
from handoff_runtime.aws import transfer
from handoff_runtime.terminal import safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from handoff_kit.aws.target import Target
    from handoff_kit.names import ProjectPlace
    from handoff_runtime.aws.listing import Item

    Say = Callable[[str], None]

__all__ = ["checked_run", "clear", "clearable", "directory", "fetch", "find", "of_run", "prefix", "question"]

CURRENT = "current"
NAMED = 5  # of those a question names


def checked_run(run: str) -> str:
    """The id of a run, if it may be a part of a key."""
    if "/" in run or run in (".", "..") or not run.isprintable():
        raise ProjectError(f"--run: found {run!r}, expected the id of a run", "invoke history tells the ids")
    return run


def prefix(stack: Target, run: str) -> str:
    """What their keys begin with: of a run, or (current, or none named) of the last."""
    return keys.artifacts(stack.name) if run in ("", CURRENT) else f"{of_run(stack, run)}artifacts/"


def of_run(stack: Target, run: str) -> str:
    """What the keys of all that is kept of a run begin with."""
    return keys.run(stack.name, checked_run(run))


def find(stack: Target, run: str) -> list[Item]:
    """The artifacts; an error where a run is named of which there are none."""
    found = list_objects(stack, prefix(stack, run))
    if not found and run not in ("", CURRENT):
        message = f"run {run}: no artifacts found below {stack.shown(prefix(stack, run))}"
        raise AWSError(message, f"see which runs there are: invoke history --remote {stack.options}")
    return found


def directory(place: ProjectPlace, run: str) -> Path:
    """Where they are put unless another place is named: not where a run here would take them for its own."""
    return place.build / "artifacts" / (run or CURRENT)


def fetch(stack: Target, run: str, target: Path) -> None:
    """Fetch them all; each is whole and right, or this fails."""
    with told():
        transfer.fetch(stack.clients, place_below(stack, prefix(stack, run)), str(target))


def clearable(stack: Target) -> list[Item]:
    """The artifacts of the last run without the state, which goes its own way."""
    return [item for item in find(stack, "") if item.path != keys.STATE]


def question(stack: Target, found: Sequence[Item]) -> str:
    """What to ask before they are removed."""
    names = ", ".join(safe_name(item.path) for item in found[:NAMED]) + (", ..." if len(found) > NAMED else "")
    return f"remove {len(found)} artifact{'s' if len(found) > 1 else ''} of project {stack.project} ({names})"


def clear(stack: Target, found: Sequence[Item], *, dry: bool, say: Say) -> None:
    """Remove them from where the next run would fetch them, or only say it."""
    for item in found:
        say(f"{'would ' if dry else ''}remove {stack.shown(item.key)}")
    if not dry:
        with told():
            transfer.remove(stack.clients, stack.bucket, [item.key for item in found])
