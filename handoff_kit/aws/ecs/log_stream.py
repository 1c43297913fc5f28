"""The log stream of a task in CloudWatch, and its lines as run-local shows them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from handoff_kit.aws.target import Target
from handoff_runtime.terminal import safe_line, safe_name

LogEvent = Mapping[str, Any]

LOGS = "logs"
NO_LOG = ("ResourceNotFoundException",)
RUNTIME = "handoff"
OTHER_PROGRAM = "container"
LAST_LINE = re.compile(r"(succeeded|failed|stopped) after [0-9.]+ s|(skipped|duplicate): ")
MOST_PAGES = 10_000
LAST_EVENTS, FIRST_EVENTS = 5, 100  # among which the runtime's last and first lines are


@dataclass
class LogTail:
    """A log stream and how far it was read; `last_line` is that of the runtime, once it was read.

    It is read from the moment `since` (seconds since the epoch), or from the `last` so many lines.
    """

    target: Target
    group: str
    stream: str
    since: float | None = None
    last: int | None = None
    token: str = ""
    last_line: str = ""
    exists: bool = False

    def read(self) -> list[LogEvent]:
        """The events since the last call; none where the stream does not exist yet."""
        events: list[LogEvent] = []
        for _ in range(MOST_PAGES):
            request: dict[str, Any] = {"logGroupName": self.group, "logStreamName": self.stream, "startFromHead": True}
            request |= start_time(self.since)
            if self.token:  # GetLogEvents has no paginator: at the end it returns the token of the request
                request["nextToken"] = self.token
            elif self.last is not None:
                request |= {"startFromHead": False, "limit": self.last}
            page = self.target.call(LOGS, "get_log_events", allow=NO_LOG, **request)
            if page is None:
                break
            self.exists = True
            events += page["events"]
            before, self.token = self.token, page["nextForwardToken"]
            if self.token == before:
                break
        messages = filter(None, map(_runtime_message, events[-LAST_EVENTS:]))
        self.last_line = next(filter(LAST_LINE.match, messages), self.last_line)
        return events


def first_messages(target: Target, group: str, stream: str) -> list[str]:
    """The runtime's own messages among the first lines of a stream; none where it does not exist."""
    request = {"logGroupName": group, "logStreamName": stream, "startFromHead": True, "limit": FIRST_EVENTS}
    page = target.call(LOGS, "get_log_events", allow=NO_LOG, **request)
    return [*filter(None, map(_runtime_message, page["events"]))] if page else []


def start_time(moment: float | None) -> dict[str, int]:
    """The part of a request that names the first moment."""
    return {} if moment is None else {"startTime": max(0, int(moment * 1000))}


def _runtime_message(event: LogEvent) -> str:
    """The message of a line of the runtime itself; empty for any other line."""
    line = _parse(event["message"])
    return str(line["message"]) if line and line["stage"] == RUNTIME else ""


def _parse(text: str) -> Mapping[str, Any] | None:
    """A line that the runtime wrote, of itself or of a stage; None for another program's."""
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) and {"time", "stage", "message"} <= record.keys() else None


@dataclass
class LogFormatter:
    """Formats events as text, the column of stages as wide as the widest so far, or as JSON lines."""

    raw: bool = False
    width: int = field(default=len(RUNTIME))

    def lines(self, events: Iterable[LogEvent]) -> str:
        lines: list[str] = []
        for event in events:
            message = str(event["message"]).rstrip("\n")
            record, seconds = _parse(message), event["timestamp"] / 1000
            if self.raw and record:
                lines.append(message)
            elif self.raw:
                moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
                record = {"time": f"{moment}.{event['timestamp'] % 1000:03d}Z", "stage": OTHER_PROGRAM}
                lines.append(json.dumps({**record, "message": message}, ensure_ascii=False))
            else:
                stage = safe_name(str(record["stage"])) if record else OTHER_PROGRAM
                self.width = max(self.width, len(stage))
                text = safe_line(str(record["message"] if record else message))
                clock = time.strftime("%H:%M:%S", time.localtime(seconds))
                lines.append(f"{clock} {stage:<{self.width}} | {text}")
        return "".join(f"{line}\n" for line in lines)
