"""The history: a line for each run in the index of its day, and the record of each kept beside it.

Here both lie in `.artifacts`. A run that was killed could not add its line; the next one finds its record, which
says `running`, and adds the line in its stead.
"""

from __future__ import annotations

import json
import os

from handoff_runtime.errors import StoreError
from handoff_runtime.workspace import ARTIFACTS, RECORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

INDEX = f"{ARTIFACTS}/history"
RUNS = f"{ARTIFACTS}/runs"
KEPT_RUNS = 200
FIELDS = (
    "run_id",
    "environment",
    "command",
    "trigger",
    "started_at",
    "ended_at",
    "seconds",
    "outcome",
    "exit",
    "culprit",
    "reason",
    "attempt",
    "params_version",
    "image_digest",
)


def entry(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the index tells of a run: of its record the summary, and how many rows reached the last stage."""
    stages = record["stages"]
    rows = stages[-1].get("rows_in") if stages else None
    return {**{name: record[name] for name in FIELDS}, "rows": rows, "state_replaced": record["state"]["replaced"]}


def line(record: Mapping[str, Any]) -> bytes:
    """The entry of a record as a line of the index."""
    return as_line(entry(record))


def as_line(told: Mapping[str, Any]) -> bytes:
    """An entry as a line of JSON."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace") + b"\n"


def text(record: Mapping[str, Any]) -> bytes:
    """The record as `run.json` holds it."""
    return json.dumps(record, indent=2, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def day(record: Mapping[str, Any]) -> str:
    """The day whose index a run belongs to: that of its start, UTC."""
    return str(record["started_at"])[:10]


def note_killed() -> None:
    """Add the run before, if it was killed: who holds the lock knows that it does not go on any more."""
    try:
        with open(RECORD, encoding="utf-8") as file:
            record = json.load(file)
        if record["outcome"] == "running":
            append({**record, "outcome": "killed"})
    except (OSError, ValueError, LookupError, TypeError):
        return  # none, or nothing that we wrote


def append(record: Mapping[str, Any]) -> None:
    """Add a run to the index of its day, and keep its record; the oldest records go."""
    note(record)
    try:
        _keep_record(str(record["run_id"]))
    except OSError as error:
        raise StoreError(f"{RUNS}: {error.strerror}, a place one can write to expected") from None


def note(record: Mapping[str, Any]) -> None:
    """Add a run to the index of its day; one write(2) to the end, so that two runs' lines never mix."""
    path, added = f"{INDEX}/{day(record)}.jsonl", line(record)
    try:
        os.makedirs(INDEX, exist_ok=True)
        with open(path, "ab", buffering=0) as index:
            index.write(added)
    except OSError as error:
        raise StoreError(f"{INDEX}: {error.strerror}, a place one can write to expected") from None


def _keep_record(run_id: str) -> None:
    os.makedirs(f"{RUNS}/{run_id}", exist_ok=True)
    for old in sorted(os.listdir(RUNS))[:-KEPT_RUNS]:
        _forget(f"{RUNS}/{old}")
    target = f"{RUNS}/{run_id}/run.json"
    if os.path.lexists(target):
        os.unlink(target)
    os.link(RECORD, target)  # every run writes its record anew, so this one stays as it is


def _forget(directory: str) -> None:
    for name in os.listdir(directory):
        os.unlink(os.path.join(directory, name))
    os.rmdir(directory)
