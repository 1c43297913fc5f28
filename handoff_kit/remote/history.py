"""The runs that were: an index by day, here or in S3, of which no more days are read than are asked for."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from handoff_kit.errors import ProjectError
from handoff_kit.remote.objects import items
from handoff_kit.text import count, elapsed, table
from handoff_runtime import containment, damage, keys
from handoff_runtime import history as index
from handoff_runtime.aws.clients import S3
from handoff_runtime.aws.together import each
from handoff_runtime.terminal import safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from handoff_kit.names import ProjectPlace
    from handoff_kit.remote.stack import Stack

    Line = Mapping[str, Any]
    Say = Callable[[str], None]

__all__ = ["LAST", "Asked", "Source", "after", "here", "in_aws", "lines", "number", "since", "table_of", "to_json"]

LAST = 20
AT_ONCE = 16
HEAD = ("START", "TRIGGER", "OUTCOME", "CULPRIT", "DURATION", "ROWS", "ATTEMPT", "STATE", "RUN")
RIGHT = ("DURATION", "ROWS", "ATTEMPT")
DIRECTORY = "history"
SUFFIX = ".jsonl"
DAY = re.compile(r"\d{4}-\d\d-\d\d")
SPAN = re.compile(r"(\d{1,6})([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
SUCCEEDED = ("succeeded", "skipped", "running")
SINCE_TOLD = "a time like 2026-01-31 or 2026-01-31T06:00:00Z, or a span like 90m, 24h, 7d, 2w"


@dataclass(frozen=True)
class Source:
    """The days that have runs, how several of them are read, and where notes of damage go."""

    days: tuple[str, ...]
    read: Callable[[Sequence[str]], Iterable[bytes]]
    stack: Stack | None = None
    where: str = ""
    say: Say = print


@dataclass(frozen=True)
class Asked:
    """Which runs: of one environment, failed ones, since a moment (as in a record), so many at most."""

    environment: str | None = None
    failed: bool = False
    since: str = ""
    last: int | None = LAST

    def of(self, environment: str | None) -> Asked:
        """The same, of one environment."""
        return replace(self, environment=environment)


def here(place: ProjectPlace, say: Say) -> Source:
    """The runs on this machine; where there is no index yet, the last one by its record."""
    where = f"projects/{place.name}/.artifacts/{DIRECTORY}/"
    directory = place.directory / ".artifacts" / DIRECTORY
    days = tuple(path.name.removesuffix(SUFFIX) for path in directory.glob(f"*{SUFFIX}"))
    if not days:
        return _by_record(place, say)

    def read(day: str) -> bytes:
        try:
            return containment.read_file(str(directory / f"{day}{SUFFIX}"))
        except OSError as error:
            say(f"note: {where}{day}{SUFFIX}: {error.strerror}, a file of lines expected: skipped")
            return b""

    return Source(_of_days(days), lambda some: map(read, some), None, where, say)


def _by_record(place: ProjectPlace, say: Say) -> Source:
    try:
        content = containment.read_file(str(place.directory / ".artifacts/run.json"))
        record, wrong = damage.parse(content, damage.RECORD)
    except FileNotFoundError:
        return Source((), lambda _: [])
    except OSError as error:
        record, wrong = None, str(error.strerror)
    if record is None:
        say(f"note: projects/{place.name}/.artifacts/run.json: this record cannot be read ({wrong}): skipped")
        return Source((), lambda _: [])
    line = index.line(record)
    return Source((index.day(record),), lambda _: [line], None, "", say)


def in_aws(stack: Stack, say: Say) -> Source:
    """The runs whose history is in S3: one listing, and one GET a day."""
    prefix = keys.history(stack.name)
    days = tuple(item.path.removesuffix(SUFFIX) for item in items(stack, prefix))

    def read(day: str) -> bytes:
        found = stack.call_unless(
            ("NoSuchKey",), S3, "get_object", Bucket=stack.bucket, Key=keys.history(stack.name, day)
        )
        return bytes(found["Body"].read()) if found else b""

    return Source(_of_days(days), lambda some: each(read, some, AT_ONCE), stack, stack.shown(prefix), say)


def _of_days(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted((name for name in names if DAY.fullmatch(name)), reverse=True))


def lines(source: Source, asked: Asked) -> list[Line]:
    """The runs asked for, the newest first."""
    days = [day for day in source.days if day >= asked.since[:10]]
    found: list[Line] = []
    for some in _batches(days):
        for day, content in zip(some, source.read(some), strict=True):
            found += _of_day(_parsed(content, f"{source.where}{day}{SUFFIX}", source.say), asked)
        if asked.last is not None and len(found) >= asked.last:
            return found[: asked.last]
    return found


def _batches(days: Sequence[str]) -> Iterator[Sequence[str]]:
    """Few days first, since the newest runs are most often enough; then twice as many each time."""
    start, size = 0, AT_ONCE
    while start < len(days):
        yield days[start : start + size]
        start, size = start + size, 2 * size


def _of_day(told: Iterable[Line], asked: Asked) -> list[Line]:
    """The last line of a run counts: what was told of it before did not hold."""
    newest = {line["run_id"]: line for line in told}
    wanted = [line for line in newest.values() if _is_wanted(line, asked)]
    return sorted(wanted, key=lambda line: str(line.get("started_at")), reverse=True)


def _parsed(content: bytes, where: str, say: Say) -> Iterator[Line]:
    """Each line that is one; a run killed while it wrote may have left half of one."""
    skipped: list[tuple[int, str]] = []
    for number, text in enumerate(content.split(b"\n"), 1):
        found, wrong = damage.parse(text, damage.LINE) if text.strip() else (None, "")
        if found is not None:
            yield found
        elif wrong:
            skipped.append((number, wrong))
    if skipped:
        (number, wrong), more = skipped[0], len(skipped) - 1
        others = f", nor {more} more" if more else ""
        say(f"note: {where}: line {number} cannot be read ({wrong}){others}: skipped")


def _is_wanted(line: Line, asked: Asked) -> bool:
    return (
        str(line.get("started_at")) >= asked.since
        and not (asked.failed and line.get("outcome") in SUCCEEDED)
        and asked.environment in (None, line.get("environment"))
    )


def table_of(found: Iterable[Line]) -> str:
    """One line a run under a head; nothing where there is none."""
    rows = [_row(line) for line in found]
    return table(HEAD, rows, right=RIGHT) if rows else ""


def _row(line: Line) -> tuple[str, ...]:
    replaced = "replaced" if line.get("state_replaced") else "unchanged"
    outcome = str(line.get("outcome"))
    return (
        f"{str(line.get('started_at'))[:19]}Z",
        str(line.get("trigger") or "-"),
        outcome if line.get("exit") in (0, None) else f"{outcome} ({line['exit']})",
        str(line.get("culprit") or "-"),
        elapsed(line.get("seconds")),
        count(line.get("rows")),
        str(line.get("attempt") or "-"),
        replaced,
        str(line["run_id"]),
    )


def after(found: Sequence[Line], source: Source, options: str) -> str:
    """What to do next: look at the newest one, ask for more, or make one."""
    if found:
        return f"next: invoke history.show --run {shlex.quote(safe_name(found[0]['run_id']))} {options}"
    command = f"history {options}" if source.days else f"run-local {options.removeprefix('--remote ')}"
    return f"no run found\nnext: invoke {command}"


def to_json(found: Iterable[Line]) -> str:
    """One JSON object a line."""
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in found)


def number(flag: str, text: str) -> int | None:
    """A count that was given; None where none was."""
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise ProjectError(f"{flag}: found {text!r}, expected a number from 1", f"for example: {flag} {LAST}")
    return int(text)


def since(text: str, now: datetime) -> str:
    """The moment a run must have begun by, in the form of records; empty where none was given."""
    if not text:
        return ""
    try:
        moment = now - _span(text) if SPAN.fullmatch(text) else datetime.fromisoformat(text.replace("Z", "+00:00"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    except (ValueError, OverflowError):
        raise ProjectError(f"--since: found {text!r}, expected {SINCE_TOLD}", "for example: --since 7d") from None


def _span(text: str) -> timedelta:
    return timedelta(**{UNITS[text[-1]]: int(text[:-1])})
