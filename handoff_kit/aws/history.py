"""The history of runs, local or in S3: the index by day, and the record of one run."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from handoff_kit.aws.artifacts import check_run_id, run_prefix
from handoff_kit.aws.buckets import list_objects
from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.errors import AWSError, ProjectError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.execution_input import SCHEDULER_KEYS
from handoff_kit.text import count, duration, table
from handoff_runtime import exact_json, s3_keys, stored_json, symlinks
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.session import S3
from handoff_runtime.history import encode_line, index_line, start_day
from handoff_runtime.stored_json import Shape
from handoff_runtime.supervisor.outcome import signal_name
from handoff_runtime.terminal import safe_name, safe_text

HistoryLine = Mapping[str, Any]
DEFAULT_RUNS = 20
READS_AT_ONCE = 16
WIDTH = 120
OMITTED = ((), ("ATTEMPT",), ("ATTEMPT", "STATE"), ("ATTEMPT", "STATE", "DURATION"))
"""Columns that the table of runs is without, from the first on that leaves it no wider than WIDTH."""
NARROW, NARROWEST = 16, 8
"""Characters of the column DATA: for fewer than NARROW, other columns are left out; it has at least NARROWEST."""
LONGEST_CULPRIT = 20
NUMBER_COLUMNS = ("DURATION", "ROWS", "ATTEMPT")
DIRECTORY = "history"
SUFFIX = ".jsonl"
DAY = re.compile(r"\d{4}-\d\d-\d\d")
SPAN = re.compile(r"(\d{1,6})([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
SUCCEEDED = ("succeeded", "skipped", "duplicate", "running", "waiting")
SINCE_EXPECTED = "a time like 2026-01-31 or 2026-01-31T06:00:00Z, or a span like 90m, 24h, 7d, 2w"
LOG_LINES = 20
LOG_BYTES = 256 << 10
RECORD, LOG = "run.json", "stderr.log"
STAGE_COLUMNS = ("STAGE", "ENDED", "SECONDS", "CPU S", "MEMORY MB", "ROWS IN", "ROWS OUT", "BYTES OUT")
MEGABYTE = 1e6


@dataclass(frozen=True)
class HistorySource:
    """The days that have runs, a function that reads some of them, and where notes of damage go (`say`)."""

    days: tuple[str, ...]
    read: Callable[[Sequence[str]], Iterable[bytes]]
    target: Target | None = None
    where: str = ""
    say: Say = print


@dataclass(frozen=True)
class HistoryQuery:
    """Which runs: of one environment, only failed ones, since a moment (as in a record), the last so many.

    `where` is a further condition.
    """

    environment: str | None = None
    failed: bool = False
    since: str = ""
    last: int | None = DEFAULT_RUNS
    where: Callable[[HistoryLine], bool] = lambda _: True

    def matches(self, line: HistoryLine) -> bool:
        """Whether a run is one of the query, but for the number of runs."""
        return (
            str(line.get("started_at")) >= self.since
            and not (self.failed and line.get("outcome") in SUCCEEDED)
            and self.environment in (None, line.get("environment"))
            and self.where(line)
        )


def unrecorded_line(**known: object) -> dict[str, Any]:
    """A row for what left no line: it has every field of one, None where it is not known."""
    return {**dict.fromkeys(stored_json.SUMMARY), "rows": None, "state_replaced": False, **known}


def local_history(paths: ProjectPaths, say: Say) -> HistorySource:
    """The runs on this machine; where there is no index yet, the last one by its record."""
    where = f"projects/{paths.name}/.artifacts/{DIRECTORY}/"
    directory = paths.directory / ".artifacts" / DIRECTORY
    days = tuple(path.name.removesuffix(SUFFIX) for path in directory.glob(f"*{SUFFIX}"))
    if not days:
        return _history_of_last_run(paths, say)

    def read(day: str) -> bytes:
        try:
            return symlinks.read_file(str(directory / f"{day}{SUFFIX}"))
        except OSError as error:
            say(f"note: {where}{day}{SUFFIX}: {error.strerror}, a file of lines expected: skipped")
            return b""

    return HistorySource(_newest_days_first(days), lambda some: map(read, some), None, where, say)


def _history_of_last_run(paths: ProjectPaths, say: Say) -> HistorySource:
    try:
        content = symlinks.read_file(str(paths.directory / ".artifacts/run.json"))
        record, problem = stored_json.parse(content, stored_json.RECORD)
    except FileNotFoundError:
        return HistorySource((), lambda _: [])
    except OSError as error:
        record, problem = None, str(error.strerror)
    if record is None:
        say(f"note: projects/{paths.name}/.artifacts/run.json: this record cannot be read ({problem}): skipped")
        return HistorySource((), lambda _: [])
    line = index_line(record)
    return HistorySource((start_day(record),), lambda _: [line], None, "", say)


def stored_history(target: Target, say: Say) -> HistorySource:
    """The runs in S3: one listing, and one GET for each day."""
    prefix = s3_keys.history(target.name)
    days = tuple(item.path.removesuffix(SUFFIX) for item in list_objects(target, prefix))

    def read(day: str) -> bytes:
        answer = target.call(
            S3, "get_object", allow=("NoSuchKey",), Bucket=target.bucket, Key=s3_keys.history(target.name, day)
        )
        return bytes(answer["Body"].read()) if answer else b""

    return HistorySource(
        _newest_days_first(days),
        lambda some: map_concurrently(read, some, READS_AT_ONCE),
        target,
        target.url(prefix),
        say,
    )


def single_line(line: HistoryLine | None) -> HistorySource:
    """A history of one line, or none."""
    if line is None:
        return HistorySource((), lambda _: [])
    return HistorySource((start_day(line),), lambda _: [encode_line(line)])


def _newest_days_first(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted((name for name in names if DAY.fullmatch(name)), reverse=True))


def list_runs(source: HistorySource, query: HistoryQuery) -> list[HistoryLine]:
    """The runs of a query, the newest first."""
    days = [day for day in source.days if day >= query.since[:10]]
    runs: list[HistoryLine] = []
    size = READS_AT_ONCE  # few days first, since the newest runs are most often enough; then twice as many each time
    while days:
        some, days, size = days[:size], days[size:], 2 * size
        for day, content in zip(some, source.read(some), strict=True):
            lines = parse_lines(content, f"{source.where}{day}{SUFFIX}", source.say)
            last = {line["run_id"]: line for line in lines}  # a later line of a run corrects an earlier one
            matching = [line for line in last.values() if query.matches(line)]
            runs += sorted(matching, key=lambda line: str(line.get("started_at")), reverse=True)
        if query.last is not None and len(runs) >= query.last:
            return runs[: query.last]
    return runs


def parse_lines(content: bytes, where: str, say: Say, shape: Shape = stored_json.LINE) -> Iterator[HistoryLine]:
    """The lines that are complete; a run killed while it wrote may have left a part of one."""
    skipped: list[tuple[int, str]] = []
    for number, text in enumerate(content.split(b"\n"), 1):
        line, problem = stored_json.parse(text, shape) if text.strip() else (None, "")
        if line is not None:
            yield line
        elif problem:
            skipped.append((number, problem))
    if skipped:
        (number, problem), more = skipped[0], len(skipped) - 1
        others = f", nor {more} more" if more else ""
        say(f"note: {where}: line {number} cannot be read ({problem}){others}: skipped")


def runs_table(runs: Sequence[HistoryLine]) -> str:
    """A table of runs, with their data where any has some; empty where there is none."""
    has_data = any(map(data_text, runs))
    rows = list(map(_run_cells, runs))
    for omitted in OMITTED:
        width = max((len(line) for line in _table_without(omitted, rows).splitlines()), default=0)
        room = WIDTH - width - len("  ")
        if room >= (NARROW if has_data else -len("  ")):
            break
    if not has_data:
        return _table_without(omitted, rows)
    room = max(room, NARROWEST)
    for cells, line in zip(rows, runs, strict=True):
        text = data_text(line) or "-"
        run = cells.pop("RUN")
        cells |= {"DATA": _shorten(text, room), "RUN": run}
    return _table_without(omitted, rows)


def _table_without(omitted: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    head = [name for name in rows[0] if name not in omitted] if rows else []
    right = [name for name in NUMBER_COLUMNS if name in head]
    return table(head, ([cells[name] for name in head] for cells in rows), right=right) if rows else ""


def _run_cells(line: HistoryLine) -> dict[str, str]:
    outcome = str(line.get("outcome"))
    return {
        "START": f"{str(line.get('started_at'))[:19]}Z",
        "TRIGGER": describe_trigger(line),
        "OUTCOME": outcome if line.get("exit") in (0, None) else f"{outcome} ({line['exit']})",
        "CULPRIT": _shorten(str(line.get("culprit") or "-"), LONGEST_CULPRIT),
        "DURATION": duration(line.get("seconds")),
        "ROWS": count(line.get("rows")),
        "ATTEMPT": str(line.get("attempt") or "-"),
        "STATE": "replaced" if line.get("state_replaced") else "unchanged",
        "RUN": str(line["run_id"] or "-"),
    }


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def describe_trigger(line: HistoryLine) -> str:
    """What started a run: a schedule by its name, else the trigger."""
    return f"schedule {line['schedule']}" if line.get("schedule") else str(line.get("trigger") or "-")


def data_text(line: HistoryLine) -> str:
    """The data of a run as JSON, without what a schedule adds to its own; empty where it has none."""
    data = line.get("data")
    own = {key: value for key, value in data.items() if key not in SCHEDULER_KEYS} if isinstance(data, Mapping) else {}
    return exact_json.dumps(own, ensure_ascii=False, separators=(", ", ": ")) if own else ""


def command_after_history(runs: Sequence[HistoryLine], source: HistorySource, options: str) -> str:
    """The next command: show the newest run, drop the filters, or run."""
    if runs and runs[0]["run_id"] is None:
        return f"next: invoke missed {options.removeprefix('--remote ')}"
    if runs:
        return f"next: invoke history.show --run {shlex.quote(safe_name(runs[0]['run_id']))} {options}"
    command = f"invoke history {options}" if source.days else _run_command(source, options)
    return f"no run found\nnext: {command}"


def parse_count(flag: str, text: str) -> int | None:
    """A positive number; None for an empty text."""
    if not text:
        return None
    if not re.fullmatch(r"0*[1-9][0-9]{0,17}", text):
        raise ProjectError(f"{flag}: found {text!r}, expected a number from 1", f"for example: {flag} {DEFAULT_RUNS}")
    return int(text)


def parse_since(text: str, now: datetime) -> str:
    """--since in the form of records, UTC; empty for an empty text."""
    if not text:
        return ""
    try:
        if span := SPAN.fullmatch(text):
            moment = now - timedelta(**{UNITS[span[2]]: int(span[1])})
        else:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        moment = moment.astimezone(timezone.utc).replace(microsecond=0, tzinfo=None)
        return f"{moment.isoformat(timespec='milliseconds')}Z"
    except (ValueError, OverflowError):
        raise ProjectError(f"--since: found {text!r}, expected {SINCE_EXPECTED}", "for example: --since 7d") from None


@dataclass(frozen=True)
class RecordedRun:
    """The record of a run and the end of its log."""

    record: Mapping[str, Any]
    log: str


def newest_run(runs: Iterable[HistoryLine], source: HistorySource, options: str) -> str:
    """The id of the first of these that is a run, none that was missed; AWSError where there is none."""
    for line in runs:
        if line["run_id"]:
            return str(line["run_id"])
    raise AWSError("history: found no run", f"run the project: {_run_command(source, options)}")


def _run_command(source: HistorySource, options: str) -> str:
    """The command for a first run, where its record will be."""
    return f"invoke {'run' if source.target else 'run-local'} {options.removeprefix('--remote ')}"


def local_run(paths: ProjectPaths, run: str) -> RecordedRun:
    """A local run; those before the last one have a record, but no log."""
    artifacts = paths.directory / ".artifacts"
    own = artifacts / "runs" / check_run_id(run)
    for directory in (artifacts, own):
        record, problem = _parse_record(_read_file(directory / RECORD))
        if record and record["run_id"] == run:
            return RecordedRun(record, _end_of_log(_read_file(directory / LOG)))
        if problem and directory == own:
            where = f"projects/{paths.name}/.artifacts/runs/{run}/{RECORD}"
            remove = f"rm -r {shlex.quote(os.path.relpath(own))}"
            raise _damaged_record(where, problem, remove, f"--project {paths.name}")
    raise _no_such_run(run, f"projects/{paths.name}/.artifacts", f"invoke history --project {paths.name}")


def _read_file(path: Path) -> bytes | None:
    try:
        return symlinks.read_file(str(path))
    except FileNotFoundError:
        return None
    except OSError:
        return b""


class UnknownRunError(AWSError):
    """No run of this id has a record."""


def stored_run(target: Target, run: str) -> RecordedRun:
    """A run in S3; of its log only the end is fetched. UnknownRunError for one without a record."""
    prefix = run_prefix(target, run)
    record, problem = _parse_record(_get_object(target, f"{prefix}{RECORD}"))
    if problem:
        where = target.url(f"{prefix}{RECORD}")
        raise _damaged_record(where, problem, f"aws s3 rm {shlex.quote(where)}", f"--remote {target.options}")
    if record is None:
        raise _no_such_run(run, target.url(prefix), f"invoke history --remote {target.options}")
    log = _get_object(target, f"{prefix}artifacts/{LOG}", Range=f"bytes=-{LOG_BYTES}")
    return RecordedRun(record, _end_of_log(log))


def _get_object(target: Target, key: str, **more: str) -> bytes | None:
    """An object; None where there is none, or a range of an empty one is requested (416)."""
    codes = ("NoSuchKey", "InvalidRange", "416")
    answer = target.call(S3, "get_object", allow=codes, Bucket=target.bucket, Key=key, **more)
    return bytes(answer["Body"].read()) if answer else None


def _no_such_run(run: str, where: str, command: str) -> AWSError:
    return UnknownRunError(
        f"run {run!r}: found none in {where}, expected the id of a run", f"see which there are: {command}"
    )


def _damaged_record(where: str, problem: str, remove: str, options: str) -> AWSError:
    hint = f"to remove it: {remove}; the line of that run in the history: invoke history --json {options}"
    return AWSError(f"{where}: this record cannot be read ({problem})", hint)


def _parse_record(content: bytes | None) -> stored_json.Parsed:
    return stored_json.Parsed(None) if content is None else stored_json.parse(content, stored_json.RECORD)


def _end_of_log(log: bytes | None) -> str:
    return (log or b"")[-LOG_BYTES:].decode("utf-8", "replace")


def format_run(run: RecordedRun, lines: int) -> str:
    """The facts and stages of a run, and the last lines of its log."""
    facts = "".join(f"{name:<9} {safe_name(value)}\n" for name, value in _run_facts(run.record))
    stages = table(STAGE_COLUMNS, map(_stage_row, run.record["stages"]), right=STAGE_COLUMNS[2:])
    last = safe_text(run.log).removesuffix("\n").split("\n")[-lines:] if run.log else []
    if not last:
        return f"{facts}\n{stages}"
    head = "the last line" if len(last) == 1 else f"the last {len(last)} lines"
    return f"{facts}\n{stages}\n{head} of its log:\n" + "".join(f"{line}\n" for line in last)


def command_after_run(run: RecordedRun, paths: ProjectPaths, options: str, *, remote: bool) -> str:
    """The next command: get the artifacts of the run."""
    name = run.record["run_id"]
    if remote:
        return f"invoke artifacts.get --run {shlex.quote(safe_name(name))} {options.removeprefix('--remote ')}"
    artifacts = paths.directory / ".artifacts"
    record, _ = _parse_record(_read_file(artifacts / RECORD))
    last = record is not None and record["run_id"] == name
    return f"ls {shlex.quote(os.path.relpath(artifacts if last else artifacts / 'runs' / name))}"


def _run_facts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "run", record["run_id"]
    yield "project", f"{record['project']} ({record['environment']})"
    yield "started", f"{record['started_at']}, by {describe_trigger(record)}, attempt {record['attempt']}"
    code = "" if record["exit"] is None else f", exit {record['exit']}"
    yield "outcome", f"{record['outcome']}{code}" + (f": {record['reason']}" if record.get("reason") else "")
    yield "duration", duration(record["seconds"])
    if text := data_text(record):
        yield "data", text
    state = record["state"]
    stored = state.get("after") or state.get("before")
    change = "replaced" if state["replaced"] else "unchanged"
    yield "state", f"{change}, {count(stored['bytes'])} bytes" if stored else "none"
    versions = {"params": record.get("params_version"), "image": record.get("image_digest")}
    yield from ((name, str(value)) for name, value in versions.items() if value)


def _stage_row(stage: Mapping[str, Any]) -> tuple[str, ...]:
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
