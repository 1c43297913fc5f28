"""The artifacts in S3: those of the last run, and the copies of each run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from handoff_kit.aws.buckets import list_objects
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError, ProjectError, translate_store_errors
from handoff_kit.paths import ProjectPaths
from handoff_kit.steps import DeleteObjects
from handoff_runtime import s3_keys
from handoff_runtime.aws import transfer
from handoff_runtime.aws.transfer import Item, Place
from handoff_runtime.terminal import safe_name

CURRENT = "current"
MOST_NAMES = 5  # in a question


def check_run_id(run: str) -> str:
    """The id of a run; ProjectError where it cannot be part of a key."""
    if "/" in run or run in (".", "..") or not run.isprintable():
        raise ProjectError(f"--run: found {run!r}, expected the id of a run", "the ids: invoke history")
    return run


def artifacts_prefix(target: Target, run: str) -> str:
    """The prefix of the artifacts of a run, or of the last run (`current` or empty)."""
    return s3_keys.artifacts(target.name) if run in ("", CURRENT) else f"{run_prefix(target, run)}artifacts/"


def run_prefix(target: Target, run: str) -> str:
    """The prefix of all that is stored of a run."""
    return s3_keys.run(target.name, check_run_id(run))


def find_artifacts(target: Target, run: str) -> list[Item]:
    """The artifacts; AWSError where a named run has none."""
    artifacts = list_objects(target, artifacts_prefix(target, run))
    if not artifacts and run not in ("", CURRENT):
        message = f"run {run}: no artifacts found below {target.url(artifacts_prefix(target, run))}"
        raise AWSError(message, f"the runs: invoke history --remote {target.options}")
    return artifacts


def download_directory(paths: ProjectPaths, run: str) -> Path:
    """The default directory for fetched artifacts, apart from that of local runs."""
    return paths.build / "artifacts" / (run or CURRENT)


def download_artifacts(target: Target, run: str, directory: Path) -> None:
    """Download all artifacts into a directory; AWSError unless each arrives complete and with its checksum."""
    with translate_store_errors():
        transfer.fetch(target.session, Place(target.bucket, artifacts_prefix(target, run)), str(directory))


def current_artifacts(target: Target) -> list[Item]:
    """The artifacts of the last run but its state, which `state.clear` removes."""
    return [item for item in find_artifacts(target, "") if item.path != s3_keys.STATE]


def deletion_question(target: Target, artifacts: Sequence[Item]) -> str:
    names = ", ".join(safe_name(item.path) for item in artifacts[:MOST_NAMES])
    names += ", ..." if len(artifacts) > MOST_NAMES else ""
    return f"delete {len(artifacts)} artifact{'s' if len(artifacts) > 1 else ''} of project {target.project} ({names})"


def plan_clear(target: Target, artifacts: Sequence[Item]) -> DeleteObjects:
    """The step after which the next run starts without artifacts."""
    return DeleteObjects(target.bucket, tuple(item.key for item in artifacts))
