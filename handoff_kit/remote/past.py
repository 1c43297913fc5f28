"""One run of the past: its record and the last lines of its log, from here or from S3."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_kit.remote import history
from handoff_kit.remote.artifacts import checked_run, of_run
from handoff_kit.remote.errors import AWSError
from handoff_kit.remote.history import Asked
from handoff_kit.text import count, elapsed, table
from handoff_runtime import containment, damage
from handoff_runtime.aws.clients import S3
from handoff_runtime.outcome import signal_name
from handoff_runtime.terminal import safe_name, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from handoff_kit.names import ProjectPlace
    from handoff_kit.remote.stack import Stack

__all__ = ["LINES", "Past", "after", "here", "in_aws", "newest", "shown"]

LINES = 20
TAIL = 256 << 10
RECORD, LOG = "run.json", "stderr.log"
HEAD = ("STAGE", "ENDED", "SECONDS", "CPU S", "MEMORY MB", "ROWS IN", "ROWS OUT", "BYTES OUT")
MEGABYTE = 1e6


@dataclass(frozen=True)
class Past:
    """The record of a run, and the end of its log."""

    record: Mapping[str, Any]
    log: str


def newest(source: history.Source, environment: str | None, options: str) -> str:
    """The id of the last run; an error where there was none."""
    found = history.lines(source, Asked(environment=environment, last=1))
    if not found:
        again = options.removeprefix("--remote ")
        raise AWSError("history: found no run", f"make one: invoke run-local {again}")
    return str(found[0]["run_id"])


def here(place: ProjectPlace, run: str) -> Past:
    """A run on this machine; of those before the last one the record is kept, and no log."""
    artifacts = place.directory / ".artifacts"
    own = artifacts / "runs" / checked_run(run)
    for directory in (artifacts, own):
        record, wrong = _record(_read(directory / RECORD))
        if record and record["run_id"] == run:
            return Past(record, _end(_read(directory / LOG)))
        if wrong and directory == own:
            where = f"projects/{place.name}/.artifacts/runs/{run}/{RECORD}"
            raise _unreadable(where, wrong, f"rm -r {shlex.quote(os.path.relpath(own))}", f"--project {place.name}")
    raise _unknown(run, f"projects/{place.name}/.artifacts", f"invoke history --project {place.name}")


def _read(path: Path) -> bytes | None:
    try:
        return containment.read_file(str(path))
    except FileNotFoundError:
        return None
    except OSError:
        return b""


def in_aws(stack: Stack, run: str) -> Past:
    """A run whose record lies in S3; of its log only the end is fetched."""
    prefix = of_run(stack, run)
    record, wrong = _record(_fetched(stack, f"{prefix}{RECORD}"))
    if wrong:
        where = stack.shown(f"{prefix}{RECORD}")
        raise _unreadable(where, wrong, f"aws s3 rm {shlex.quote(where)}", f"--remote {stack.options}")
    if record is None:
        raise _unknown(run, stack.shown(prefix), f"invoke history --remote {stack.options}")
    log = _fetched(stack, f"{prefix}artifacts/{LOG}", Range=f"bytes=-{TAIL}")
    return Past(record, _end(log))


def _fetched(stack: Stack, key: str, **more: str) -> bytes | None:
    """An object; a range of an empty one cannot be had (416)."""
    codes = ("NoSuchKey", "InvalidRange", "416")
    found = stack.call_unless(codes, S3, "get_object", Bucket=stack.bucket, Key=key, **more)
    return bytes(found["Body"].read()) if found else None


def _unknown(run: str, where: str, command: str) -> AWSError:
    return AWSError(f"run {run!r}: found none in {where}, expected the id of a run", f"see which there are: {command}")


def _unreadable(where: str, wrong: str, remove: str, options: str) -> AWSError:
    hint = f"to remove it: {remove}; what the history tells of that run: invoke history --json {options}"
    return AWSError(f"{where}: this record cannot be read ({wrong})", hint)


def _record(content: bytes | None) -> damage.Parsed:
    return damage.Parsed(None) if content is None else damage.parse(content, damage.RECORD)


def _end(log: bytes | None) -> str:
    return (log or b"")[-TAIL:].decode("utf-8", "replace")


def shown(run: Past, lines: int) -> str:
    """The run's facts, its stages, and the last lines of its log."""
    facts = "".join(f"{name:<9} {safe_name(value)}\n" for name, value in _facts(run.record))
    stages = table(HEAD, map(_stage, run.record["stages"]), right=HEAD[2:])
    last = safe_text(run.log).removesuffix("\n").split("\n")[-lines:] if run.log else []
    return f"{facts}\n{stages}{_log(last)}"


def _log(last: Sequence[str]) -> str:
    if not last:
        return ""
    head = "the last line" if len(last) == 1 else f"the last {len(last)} lines"
    return f"\n{head} of its log:\n" + "".join(f"{line}\n" for line in last)


def after(run: Past, place: ProjectPlace, options: str, *, remote: bool) -> str:
    """What to do next: look at what it left."""
    name = run.record["run_id"]
    if remote:
        return f"invoke artifacts.get --run {shlex.quote(safe_name(name))} {options.removeprefix('--remote ')}"
    artifacts = place.directory / ".artifacts"
    record, _ = _record(_read(artifacts / RECORD))
    last = record is not None and record["run_id"] == name
    return f"ls {shlex.quote(os.path.relpath(artifacts if last else artifacts / 'runs' / name))}"


def _facts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "run", record["run_id"]
    yield "project", f"{record['project']} ({record['environment']})"
    yield "started", f"{record['started_at']}, by {record['trigger']}, attempt {record['attempt']}"
    yield "outcome", _outcome(record)
    yield "duration", elapsed(record["seconds"])
    yield "state", _state(record["state"])
    versions = {"params": record.get("params_version"), "image": record.get("image_digest")}
    yield from ((name, str(value)) for name, value in versions.items() if value)


def _outcome(record: Mapping[str, Any]) -> str:
    code = "" if record["exit"] is None else f", exit {record['exit']}"
    return f"{record['outcome']}{code}" + (f": {record['reason']}" if record.get("reason") else "")


def _state(state: Mapping[str, Any]) -> str:
    found = state.get("after") or state.get("before")
    kept = "replaced" if state["replaced"] else "unchanged"
    return f"{kept}, {count(found['bytes'])} bytes" if found else "none"


def _stage(stage: Mapping[str, Any]) -> tuple[str, ...]:
    memory = stage.get("peak_memory_bytes")
    return (
        stage["name"],
        _ended(stage),
        *("-" if stage.get(name) is None else f"{stage[name]:.2f}" for name in ("seconds", "cpu_seconds")),
        "-" if memory is None else f"{memory / MEGABYTE:.1f}",
        *(count(stage.get(name)) for name in ("rows_in", "rows_out", "bytes_out")),
    )


def _ended(stage: Mapping[str, Any]) -> str:
    verdict = stage.get("verdict")
    if verdict is None:
        return "not started"
    how = str(stage.get("exit")) if stage.get("signal") is None else signal_name(stage["signal"])
    return how if verdict == "ok" else f"{how} ({verdict})"
