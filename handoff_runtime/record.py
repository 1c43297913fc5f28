"""The record of a run: one JSON object that says what ran, how it ended and what it used.

It lies in `.artifacts/run.json` from the start, as `running`, so that a run that was killed has a record too. The space
of the record at its end is reserved then, so that a run that fills the disk has one that says so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from handoff_runtime import exact_json, symlinks, workspace
from handoff_runtime.annotations import Any
from handoff_runtime.errors import StoreError
from handoff_runtime.masking import Mask
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.pipeline import Pipeline, Stage
from handoff_runtime.state import Snapshot
from handoff_runtime.supervisor.outcome import Outcome
from handoff_runtime.supervisor.supervisor import StageFigures
from handoff_runtime.workspace import RECORD, RESERVED

FORMAT = 1
RESERVED_BYTES, RESERVED_PER_STAGE = 2048, 400  # for what the record at the end has more than that at the start


class RunStart(NamedTuple):
    """What is known when a run begins."""

    run_id: str
    command: str
    trigger: str
    scheduled_at: float
    started_at: float
    data: Mapping[str, Any]
    pipeline: Pipeline


class RunEnd(NamedTuple):
    """How it went, in the words of the record; with `keeps_state` the state stays what it was."""

    outcome: Outcome
    culprit: str | None = None
    reason: str | None = None
    figures: Sequence[StageFigures] = ()
    keeps_state: bool = False


def start_record(run_start: RunStart, state_before: Snapshot | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """The record of a run that has begun."""
    return {
        "format": FORMAT,
        "run_id": run_start.run_id,
        "project": run_start.pipeline.project,
        "environment": run_start.pipeline.environment,
        "command": run_start.command,
        "trigger": run_start.trigger,
        "attempt": 1,
        "execution": environ.get("HANDOFF_EXECUTION") or None,
        "schedule": environ.get("HANDOFF_SCHEDULE") or None,
        "scheduled_at": timestamp(run_start.scheduled_at),
        "started_at": timestamp(run_start.started_at),
        "ended_at": None,
        "seconds": None,
        "outcome": "running",
        "exit": None,
        "culprit": None,
        "reason": None,
        "data": dict(run_start.data),
        "params_version": environ.get("PARAMS_VERSION"),
        "params_sha256": environ.get("PARAMS_SHA256"),
        "image_digest": environ.get("IMAGE_DIGEST"),
        "meter": run_start.pipeline.meter,
        "stages": [{"name": stage.name, "argv": display_words(stage)} for stage in run_start.pipeline.stages],
        "state": {
            "mode": run_start.pipeline.state,
            "before": _snapshot(state_before),
            "after": None,
            "replaced": False,
        },
    }


def end_record(
    record: Mapping[str, Any],
    ended: RunEnd,
    now: float,
    seconds: float,
    state_after: Snapshot | None,
    *,
    replaced: bool,
) -> dict[str, Any]:
    """The record of the same run at its end."""
    measured: list[dict[str, Any]] = []
    for figures, verdict in zip(ended.figures, ended.outcome.verdicts, strict=True):
        status = figures.ending.status if figures.ending else None
        measured.append(
            {
                "verdict": verdict,
                "exit": status if status is None or status >= 0 else None,
                "signal": None if status is None or status >= 0 else -status,
                "seconds": round((figures.ended or figures.started) - figures.started, 3),
                "cpu_seconds": round(figures.usage.cpu_seconds, 3) if figures.usage else None,
                "peak_memory_bytes": figures.usage.peak_bytes if figures.usage else None,
                "rows_in": figures.rows_in,
                "bytes_in": figures.bytes_in,
                "rows_out": figures.rows_out,
                "bytes_out": figures.bytes_out,
            }
        )
    unmeasured: list[dict[str, Any]] = [{} for _ in record["stages"][len(measured) :]]
    return {
        **record,
        "ended_at": timestamp(now),
        "seconds": round(seconds, 3),
        "outcome": ended.outcome.word,
        "exit": ended.outcome.exit,
        "culprit": ended.culprit,
        "reason": ended.reason,
        "stages": [{**known, **more} for known, more in zip(record["stages"], measured + unmeasured, strict=True)],
        "state": {**record["state"], "after": _snapshot(state_after), "replaced": replaced},
    }


def write_record(record: Mapping[str, Any], mask: Mask) -> None:
    """Put the record in its place, whole, with every secret starred; one at the end, into the space reserved for it."""
    encoded, temporary = encode_record(mask_record(record, mask)), f"{RECORD}.new"
    try:
        if record["ended_at"] is None:
            more = RESERVED_BYTES + RESERVED_PER_STAGE * len(record["stages"])
            _write(workspace.create_file(RESERVED), b" " * (len(encoded) + more))
            _write(workspace.create_file(temporary), encoded)
        else:
            try:
                reserved, temporary = symlinks.open_file(RESERVED, flags=os.O_WRONLY | os.O_NOFOLLOW), RESERVED
            except OSError:  # a stage has removed it, or this corrects a record
                reserved = workspace.create_file(temporary)
            _write(reserved, encoded)
        os.replace(temporary, RECORD)
    except (OSError, StoreError) as error:
        try:
            os.unlink(RESERVED)  # and so give the space back
        except OSError:
            pass  # there is none
        raise workspace.unwritable_error(RECORD, error) if isinstance(error, OSError) else error from None


def _write(fd: int, content: bytes) -> None:
    with open(fd, "wb") as file:
        file.write(content)
        file.truncate()


def encode_record(record: Mapping[str, Any]) -> bytes:
    """The record as run.json holds it; half characters are escaped."""
    return exact_json.dumps(record, indent=2, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def mask_record(record: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    """The record with its free texts masked; its ids, figures and own words must stay as the log has them."""
    texts = {"data": mask.mask_data(record["data"]), "reason": record["reason"] and mask.mask_message(record["reason"])}
    stages = [{**stage, "argv": mask.mask_value(stage["argv"])} for stage in record["stages"]]
    return {**record, **texts, "stages": stages}


def new_run_id(now: float) -> str:
    """An id that no other run has: the time in UTC, and three random bytes."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{os.urandom(3).hex()}"


def display_words(stage: Stage) -> list[str]:
    """The words of a stage as the author would know them."""
    return [stage.label] if stage.label != stage.argv[0] and stage.argv[0] != "sh" else list(stage.argv)


def timestamp(moment: float) -> str:
    """Seconds since the epoch as UTC with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"


def _snapshot(snapshot: Snapshot | None) -> dict[str, Any] | None:
    return snapshot._asdict() if snapshot else None
