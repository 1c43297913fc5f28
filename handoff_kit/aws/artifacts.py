"""The artifacts in S3: those of the last run, and the copies of each run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from handoff_kit.aws.objects import list_objects, place_below
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError, ProjectError, translate_store_errors
from handoff_kit.paths import ProjectPaths
from handoff_kit.steps import DeleteObjects
from handoff_runtime import s3_keys
from handoff_runtime.aws import transfer
from handoff_runtime.aws.transfer import Item
from handoff_runtime.terminal import safe_name

CURRENT = "current"
MOST_NAMES = 5  # in a question


def check_run_id(run: str) -> str:
    """The id of a run; ProjectError where it cannot be part of a key."""
    if "/" in run or run in (".", "..") or not run.isprintable():
        raise ProjectError(f"--run: found {run!r}, expected the id of a run", "the ids: invoke history")
    return run


def artifacts_prefix(stack: Target, run: str) -> str:
    """The prefix of the artifacts of a run, or of the last run (`current` or empty)."""
    return s3_keys.artifacts(stack.name) if run in ("", CURRENT) else f"{run_prefix(stack, run)}artifacts/"


def run_prefix(stack: Target, run: str) -> str:
    """The prefix of all that is stored of a run."""
    return s3_keys.run(stack.name, check_run_id(run))


def find_artifacts(stack: Target, run: str) -> list[Item]:
    """The artifacts; AWSError where a named run has none."""
    found = list_objects(stack, artifacts_prefix(stack, run))
    if not found and run not in ("", CURRENT):
        message = f"run {run}: no artifacts found below {stack.shown(artifacts_prefix(stack, run))}"
        raise AWSError(message, f"the runs: invoke history --remote {stack.options}")
    return found


def download_directory(paths: ProjectPaths, run: str) -> Path:
    """The default directory for fetched artifacts, apart from that of local runs."""
    return paths.build / "artifacts" / (run or CURRENT)


def download_artifacts(stack: Target, run: str, target: Path) -> None:
    """Download all artifacts into a directory; AWSError unless each arrives complete and with its checksum."""
    with translate_store_errors():
        transfer.fetch(stack.clients, place_below(stack, artifacts_prefix(stack, run)), str(target))


def current_artifacts(stack: Target) -> list[Item]:
    """The artifacts of the last run but its state, which `state.clear` removes."""
    return [item for item in find_artifacts(stack, "") if item.path != s3_keys.STATE]


def deletion_question(stack: Target, found: Sequence[Item]) -> str:
    names = ", ".join(safe_name(item.path) for item in found[:MOST_NAMES])
    names += ", ..." if len(found) > MOST_NAMES else ""
    return f"delete {len(found)} artifact{'s' if len(found) > 1 else ''} of project {stack.project} ({names})"


def plan_clear(stack: Target, found: Sequence[Item]) -> DeleteObjects:
    """The step after which the next run starts without artifacts."""
    return DeleteObjects(stack.bucket, tuple(item.key for item in found))
