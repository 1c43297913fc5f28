"""The record of a run and the last lines of its log, local or in S3."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handoff_kit.names import ProjectPlace
from handoff_kit.remote import history
from handoff_kit.remote.artifacts import checked_run, of_run
from handoff_kit.remote.errors import AWSError
from handoff_kit.remote.history import Asked
from handoff_kit.remote.stack import Stack
from handoff_kit.text import count, elapsed, table
from handoff_runtime import containment, damage
from handoff_runtime.aws.clients import S3
from handoff_runtime.outcome import signal_name
from handoff_runtime.terminal import safe_name, safe_text

LINES = 20
TAIL = 256 << 10
RECORD, LOG = "run.json", "stderr.log"
HEAD = ("STAGE", "ENDED", "SECONDS", "CPU S", "MEMORY MB", "ROWS IN", "ROWS OUT", "BYTES OUT")
MEGABYTE = 1e6


@dataclass(frozen=True)
class Past:
    """The record of a run and the end of its log."""

    record: Mapping[str, Any]
    log: str


def newest(source: history.Source, environment: str | None, options: str) -> str:
    """The id of the last run; AWSError where there is none."""
    found = history.lines(source, Asked(environment=environment, last=1))
    if not found:
        again = options.removeprefix("--remote ")
        raise AWSError("history: found no run", f"run the project: invoke run-local {again}")
    return str(found[0]["run_id"])


def here(place: ProjectPlace, run: str) -> Past:
    """A local run; those before the last one have a record, but no log."""
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
    """A run in S3; of its log only the end is fetched."""
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
    """An object; None where there is none, or a range of an empty one is requested (416)."""
    codes = ("NoSuchKey", "InvalidRange", "416")
    found = stack.call_unless(codes, S3, "get_object", Bucket=stack.bucket, Key=key, **more)
    return bytes(found["Body"].read()) if found else None


def _unknown(run: str, where: str, command: str) -> AWSError:
    return AWSError(f"run {run!r}: found none in {where}, expected the id of a run", f"see which there are: {command}")


def _unreadable(where: str, wrong: str, remove: str, options: str) -> AWSError:
    hint = f"to remove it: {remove}; the line of that run in the history: invoke history --json {options}"
    return AWSError(f"{where}: this record cannot be read ({wrong})", hint)


def _record(content: bytes | None) -> damage.Parsed:
    return damage.Parsed(None) if content is None else damage.parse(content, damage.RECORD)


def _end(log: bytes | None) -> str:
    return (log or b"")[-TAIL:].decode("utf-8", "replace")


def shown(run: Past, lines: int) -> str:
    """The facts and stages of a run, and the last lines of its log."""
    facts = "".join(f"{name:<9} {safe_name(value)}\n" for name, value in _facts(run.record))
    stages = table(HEAD, map(_stage, run.record["stages"]), right=HEAD[2:])
    last = safe_text(run.log).removesuffix("\n").split("\n")[-lines:] if run.log else []
    if not last:
        return f"{facts}\n{stages}"
    head = "the last line" if len(last) == 1 else f"the last {len(last)} lines"
    return f"{facts}\n{stages}\n{head} of its log:\n" + "".join(f"{line}\n" for line in last)


def after(run: Past, place: ProjectPlace, options: str, *, remote: bool) -> str:
    """The next command: get the artifacts of the run."""
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
    code = "" if record["exit"] is None else f", exit {record['exit']}"
    yield "outcome", f"{record['outcome']}{code}" + (f": {record['reason']}" if record.get("reason") else "")
    yield "duration", elapsed(record["seconds"])
    state = record["state"]
    stored = state.get("after") or state.get("before")
    change = "replaced" if state["replaced"] else "unchanged"
    yield "state", f"{change}, {count(stored['bytes'])} bytes" if stored else "none"
    versions = {"params": record.get("params_version"), "image": record.get("image_digest")}
    yield from ((name, str(value)) for name, value in versions.items() if value)


def _stage(stage: Mapping[str, Any]) -> tuple[str, ...]:
    memory, verdict = stage.get("peak_memory_bytes"), stage.get("verdict")
    ended = str(stage.get("exit")) if stage.get("signal") is None else signal_name(stage["signal"])
    if verdict != "ok":
        ended = "not started" if verdict is None else f"{ended} ({verdict})"
    return (
        stage["name"],
        ended,
        *("-" if stage.get(name) is None else f"{stage[name]:.2f}" for name in ("seconds", "cpu_seconds")),
        "-" if memory is None else f"{memory / MEGABYTE:.1f}",
        *(count(stage.get(name)) for name in ("rows_in", "rows_out", "bytes_out")),
    )
