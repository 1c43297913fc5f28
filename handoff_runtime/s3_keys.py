"""Where things lie in AWS: the keys of S3 and the name of the parameter, all below a project's stack name."""

from __future__ import annotations

from handoff_runtime.errors import StoreError

PARAMETER_SUFFIX = "__params"
FILES = ".env/files"
ARTIFACTS = ".artifacts"
STATE = "state"
LONGEST_ID = 100
ID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def is_run_id(found: object) -> bool:
    """Whether it can name a run, and so a directory here and a part of keys in S3."""
    if not isinstance(found, str) or not found or len(found) > LONGEST_ID:
        return False
    return not found.startswith(".") and not found.strip(ID_CHARACTERS)


def parameter(stack: str) -> str:
    """The SecureString that holds the params document."""
    return f"{stack}{PARAMETER_SUFFIX}"


def files(stack: str) -> str:
    """Below it, what `.env/files` will hold."""
    return f"{stack}/{FILES}/"


def artifacts(stack: str) -> str:
    """Below it, the artifacts as the last run left them."""
    return f"{stack}/{ARTIFACTS}/"


def state(stack: str) -> str:
    """The state; replaced by compare-and-swap only."""
    return f"{artifacts(stack)}{STATE}"


def lease(stack: str) -> str:
    """Who runs this project at present."""
    return f"{stack}/.lock"


def run(stack: str, run_id: str) -> str:
    """Below it, the record, log and artifacts of one run."""
    return f"{stack}/runs/{run_id}/"


def history(stack: str, day: str = "") -> str:
    """The index of one day (YYYY-MM-DD, UTC), a line a run; without a day, what all of them begin with."""
    return f"{stack}/history/{day}.jsonl" if day else f"{stack}/history/"


def occurrence(stack: str, schedule: str, scheduled_at: str) -> str:
    """The claim of the one execution that may run what a schedule starts for a time."""
    return f"{occurrences(stack)}{schedule}/{scheduled_at}"


def occurrences(stack: str) -> str:
    """What the claims of all schedules begin with."""
    return f"{stack}/occurrences/"


def alert(stack: str, execution: str) -> str:
    """What a run has to say to the people who are notified, under the name of its execution."""
    return f"{stack}/alerts/{execution}.json"


def open_alert(stack: str) -> str:
    """The failure that people were notified of, until a run succeeds."""
    return f"{stack}/alerts/open.json"


def expectation(stack: str, job: str = "main") -> str:
    """The time by which a run must have succeeded."""
    return f"{stack}/expect/{job}.json"


def deployments(stack: str) -> str:
    """A line for each deployment: image, params version, who, when."""
    return f"{stack}/deployments.jsonl"


def path_below(key: str, prefix: str) -> str:
    """The path of a key below a prefix; StoreError for one that would lead out of the directory it is meant for."""
    path = key[len(prefix) :]
    parts = path.split("/")
    if not key.startswith(prefix) or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise StoreError(f"S3 key {key!r}: found a path that leads out of its directory, expected one below {prefix}")
    return path
