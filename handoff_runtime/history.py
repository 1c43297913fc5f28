"""The history: a line for each run in the index of its day, and the record of each kept beside it.

Here both lie in `.artifacts`. A run that was killed could not add its line; the next one finds its record, which
says `running`, and adds the line in its stead.
"""

from __future__ import annotations

import json
import os

from handoff_runtime import containment, damage
from handoff_runtime.workspace import ARTIFACTS, RECORD, unwritable

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


def note_killed() -> list[str]:
    """Add the run before, if it was killed: who holds the lock knows that it does not go on any more.

    Notes of a record that cannot be read: this run replaces it, and the history tells nothing of that one.
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
        append({**record, "outcome": "killed"})
    return []


def append(record: Mapping[str, Any]) -> None:
    """Add a run to the index of its day, and keep its record; the oldest records go."""
    note(record)
    try:
        _keep_record(str(record["run_id"]))
    except OSError as error:
        raise unwritable(str(error.filename or RUNS), error) from None


def note(record: Mapping[str, Any]) -> None:
    """Add a run to the index of its day; one write(2) to the end, so that two runs' lines never mix."""
    path, added = f"{INDEX}/{day(record)}.jsonl", line(record)
    try:
        os.makedirs(INDEX, exist_ok=True)
        index = containment.open_to_append(path)
        try:
            os.write(index, added if _ends_a_line(index) else b"\n" + added)
        finally:
            os.close(index)
    except OSError as error:
        raise unwritable(str(error.filename or path), error) from None


def _ends_a_line(index: int) -> bool:
    """Whether the next line can begin: half of one, of a run that was killed, must not take ours with it."""
    size = os.fstat(index).st_size
    return not size or os.pread(index, 1, size - 1) == b"\n"


def _keep_record(run_id: str) -> None:
    os.makedirs(f"{RUNS}/{run_id}", exist_ok=True)
    for old in sorted(os.listdir(RUNS))[:-KEPT_RUNS]:
        containment.remove(f"{RUNS}/{old}")
    target = f"{RUNS}/{run_id}/run.json"
    containment.remove(target)
    os.link(RECORD, target)  # every run writes its record anew, so this one stays as it is
