"""The history: a line for each run in the index of its day, and the record of each beside it.

Here both lie in `.artifacts`. A run that was killed could not add its line, nor one that ended on a full disk; the next
one finds its record, which says `running` or is not kept beside the index yet, and adds the line in its stead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from handoff_runtime import stored_json, symlinks
from handoff_runtime.annotations import Any
from handoff_runtime.workspace import ARTIFACTS, RECORD, unwritable_error

INDEX = f"{ARTIFACTS}/history"
RUNS = f"{ARTIFACTS}/runs"
KEPT_RUNS = 200


def summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a run in the index: a summary of its record, and how many rows reached the last stage."""
    stages = record["stages"]
    rows = stages[-1].get("rows_in") if stages else None
    fields = {name: record.get(name) for name in stored_json.SUMMARY}
    return {**fields, "rows": rows, "state_replaced": record["state"]["replaced"]}


def index_line(record: Mapping[str, Any]) -> bytes:
    """The entry of a record as a line of the index."""
    return encode_line(summary(record))


def encode_line(entry: Mapping[str, Any]) -> bytes:
    """An entry as a line of JSON."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace") + b"\n"


def start_day(record: Mapping[str, Any]) -> str:
    """The day whose index a run belongs to: that of its start, UTC."""
    return str(record["started_at"])[:10]


def append_missing_run() -> list[str]:
    """Add the run before, if it was killed or had no space left: who holds the lock knows that it has ended.

    Returns notes of a record that cannot be read: this run replaces it, and the history says nothing of that one.
    """
    try:
        record, wrong = stored_json.parse(symlinks.read_file(RECORD, os.path.realpath(ARTIFACTS)), stored_json.RECORD)
    except FileNotFoundError:
        return []
    except OSError as error:
        record, wrong = None, str(error.strerror)
    if record is None:
        return [f"note: {RECORD}: the record of the run before cannot be read ({wrong}); this run replaces it"]
    if record["outcome"] == "running":
        append_run({**record, "outcome": "killed"})
    elif not os.path.lexists(f"{RUNS}/{record['run_id']}/run.json"):
        append_run(record)
    return []


def append_run(record: Mapping[str, Any], kept_runs: int = KEPT_RUNS) -> None:
    """Add a run to the index of its day, and keep its record; the oldest records go."""
    append_line(record)
    directory = f"{RUNS}/{record['run_id']}"
    try:
        os.makedirs(directory, exist_ok=True)
        for old in sorted(os.listdir(RUNS))[:-kept_runs]:
            symlinks.remove_tree(f"{RUNS}/{old}")
        symlinks.remove_tree(f"{directory}/run.json")
        _link_or_copy(RECORD, f"{directory}/run.json")
    except OSError as error:
        raise unwritable_error(str(error.filename or RUNS), error) from None


def _link_or_copy(path: str, name: str) -> None:
    """Give a record a second name: every run writes a new one, so this one does not change."""
    try:
        os.link(path, name)
    except OSError:  # a file system without hard links (FAT, some of networks and containers)
        with open(name, "xb") as copy:
            copy.write(symlinks.read_file(path))


def append_line(record: Mapping[str, Any]) -> None:
    """Add a run to the index of its day; one write(2) to the end, so that two runs' lines never mix."""
    path, added = f"{INDEX}/{start_day(record)}.jsonl", index_line(record)
    try:
        os.makedirs(INDEX, exist_ok=True)
        index = symlinks.open_file(path, flags=symlinks.APPEND)
        try:
            size = os.fstat(index).st_size
            # Half of a line, of a run that was killed, must not take ours with it.
            whole = not size or os.pread(index, 1, size - 1) == b"\n"
            os.write(index, added if whole else b"\n" + added)
        finally:
            os.close(index)
    except OSError as error:
        raise unwritable_error(str(error.filename or path), error) from None
