"""The history: a line for each run in the index of its day, and the record of each beside it.

Here both lie in `.artifacts`. A run that was killed could not add its line; the next one finds its record, which
says `running`, and adds the line in its stead.
"""

from __future__ import annotations

import json
import os

from handoff_runtime import containment, damage, exact_json
from handoff_runtime.workspace import ARTIFACTS, RECORD, unwritable_error

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


def summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a run in the index: a summary of its record, and how many rows reached the last stage."""
    stages = record["stages"]
    rows = stages[-1].get("rows_in") if stages else None
    return {**{name: record[name] for name in FIELDS}, "rows": rows, "state_replaced": record["state"]["replaced"]}


def index_line(record: Mapping[str, Any]) -> bytes:
    """The entry of a record as a line of the index."""
    return encode_line(summary(record))


def encode_line(entry: Mapping[str, Any]) -> bytes:
    """An entry as a line of JSON."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace") + b"\n"


def encode_record(record: Mapping[str, Any]) -> bytes:
    """The record as `run.json` holds it."""
    return exact_json.dumps(record, indent=2, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def start_day(record: Mapping[str, Any]) -> str:
    """The day whose index a run belongs to: that of its start, UTC."""
    return str(record["started_at"])[:10]


def append_killed_run() -> list[str]:
    """Add the run before, if it was killed: who holds the lock knows that it does not go on any more.

    Returns notes of a record that cannot be read: this run replaces it, and the history says nothing of that one.
    """
    try:
        record, wrong = damage.parse(containment.read_file(RECORD, os.path.realpath(ARTIFACTS)), damage.RECORD)
    except FileNotFoundError:
        return []
    except OSError as error:
        record, wrong = None, str(error.strerror)
    if record is None:
        return [f"note: {RECORD}: the record of the run before cannot be read ({wrong}); this run replaces it"]
    if record["outcome"] == "running":
        append_run({**record, "outcome": "killed"})
    return []


def append_run(record: Mapping[str, Any], kept_runs: int = KEPT_RUNS) -> None:
    """Add a run to the index of its day, and keep its record; the oldest records go."""
    append_line(record)
    directory = f"{RUNS}/{record['run_id']}"
    try:
        os.makedirs(directory, exist_ok=True)
        for old in sorted(os.listdir(RUNS))[:-kept_runs]:
            containment.remove_tree(f"{RUNS}/{old}")
        containment.remove_tree(f"{directory}/run.json")
        os.link(RECORD, f"{directory}/run.json")  # every run writes a new record, so this one does not change
    except OSError as error:
        raise unwritable_error(str(error.filename or RUNS), error) from None


def append_line(record: Mapping[str, Any]) -> None:
    """Add a run to the index of its day; one write(2) to the end, so that two runs' lines never mix."""
    path, added = f"{INDEX}/{start_day(record)}.jsonl", index_line(record)
    try:
        os.makedirs(INDEX, exist_ok=True)
        index = containment.open_to_append(path)
        try:
            size = os.fstat(index).st_size
            # Half of a line, of a run that was killed, must not take ours with it.
            whole = not size or os.pread(index, 1, size - 1) == b"\n"
            os.write(index, added if whole else b"\n" + added)
        finally:
            os.close(index)
    except OSError as error:
        raise unwritable_error(str(error.filename or path), error) from None
