"""The log of a task: its stream in CloudWatch followed to the end, and its lines as a run here would show them."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handoff_runtime.terminal import safe_line, safe_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from handoff_kit.remote.stack import Stack

    Event = Mapping[str, Any]

__all__ = ["ABSENT", "LOGS", "Form", "Tail", "head", "since"]

LOGS = "logs"
ABSENT = ("ResourceNotFoundException",)
OURS = "handoff"
CONTAINER = "container"
LAST = re.compile(r"(succeeded|failed|stopped) after [0-9.]+ s|skipped: ")
MOST_PAGES, LAST_OF, FIRST_OF = 10_000, 5, 100


@dataclass
class Tail:
    """A stream, and how far it was read; `said` are the runtime's last words, once they were read.

    `there` tells whether there is such a stream. It is read from what was logged since a moment (seconds since the
    epoch), or from the last so many lines.
    """

    stack: Stack
    group: str
    stream: str
    since: float | None = None
    last: int | None = None
    token: str = ""
    said: str = ""
    there: bool = False

    def read(self) -> list[Event]:
        """What has come since the last time; nothing where the stream is not there yet."""
        found: list[Event] = []
        for _ in range(MOST_PAGES):
            page = self._page()
            if page is None:
                break
            self.there = True
            found += page["events"]
            before, self.token = self.token, page["nextForwardToken"]
            if self.token == before:
                break
        self.said = next(filter(None, map(_last_words, found[-LAST_OF:])), self.said)
        return found

    def _page(self) -> Mapping[str, Any] | None:
        request = {"logGroupName": self.group, "logStreamName": self.stream, **since(self.since)}
        if self.token:
            where: dict[str, object] = {"nextToken": self.token, "startFromHead": True}
        else:
            where = {"startFromHead": self.last is None, **({"limit": self.last} if self.last else {})}
        return self.stack.call_unless(ABSENT, LOGS, "get_log_events", **request, **where)


def head(stack: Stack, group: str, stream: str) -> list[str]:
    """The runtime's own messages among the first lines of a stream; none where there is no such stream."""
    request = {"logGroupName": group, "logStreamName": stream, "startFromHead": True, "limit": FIRST_OF}
    page = stack.call_unless(ABSENT, LOGS, "get_log_events", **request)
    found = [_parsed(event["message"]) for event in page["events"]] if page else []
    return [str(line["message"]) for line in found if line and line["stage"] == OURS]


def since(moment: float | None) -> dict[str, int]:
    """The part of a request that says from when on."""
    return {} if moment is None else {"startTime": max(0, int(moment * 1000))}


def _last_words(event: Event) -> str:
    """What the runtime says at the end, if that is what it is."""
    found = _parsed(event["message"])
    said = str(found["message"]) if found and found["stage"] == OURS else ""
    return said if LAST.match(said) else ""


def _parsed(text: str) -> Mapping[str, Any] | None:
    """A line of the runtime's; None for one that something else in the container wrote."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and {"time", "stage", "message"} <= found.keys() else None


@dataclass
class Form:
    """Lines as text, the stages' names as wide as the widest so far, or as JSON, one object a line."""

    raw: bool = False
    width: int = field(default=len(OURS))

    def lines(self, events: Iterable[Event]) -> str:
        """Each event as a line."""
        return "".join(f"{self._line(event)}\n" for event in events)

    def _line(self, event: Event) -> str:
        message = str(event["message"]).rstrip("\n")
        found = _parsed(message)
        if self.raw:
            return message if found else json.dumps({**_head(event), "message": message}, ensure_ascii=False)
        stage = safe_name(str(found["stage"])) if found else CONTAINER
        self.width = max(self.width, len(stage))
        text = safe_line(str(found["message"] if found else message))
        return f"{_clock(event)} {stage:<{self.width}} | {text}"


def _head(event: Event) -> dict[str, str]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(event["timestamp"] / 1000))
    return {"time": f"{moment}.{event['timestamp'] % 1000:03d}Z", "stage": CONTAINER}


def _clock(event: Event) -> str:
    return time.strftime("%H:%M:%S", time.localtime(event["timestamp"] / 1000))
