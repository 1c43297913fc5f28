"""Find, print and follow the logs of a project's tasks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from handoff_kit import resource_names
from handoff_kit.fargate import ending, tasks
from handoff_kit.fargate.ground import Cluster
from handoff_kit.fargate.log import ABSENT, LOGS, Event, Form, Tail, since
from handoff_kit.fargate.observer import BRIEF, Absence, Observer
from handoff_kit.remote import history
from handoff_kit.remote.errors import AWSError

Put = Callable[[str], None]

BEGAN = re.compile(r"(\d{8}T\d{6}Z)-")
CLOCK_SKEW = 10 * 60  # seconds that the clocks of a container and of CloudWatch may differ, and more
EVERY, NEW_EVERY = 2.0, 5.0
QUIET = 5  # reads without a line, until ECS is query whether the task still runs
NEWEST = 50


@dataclass(frozen=True)
class Effects:
    """Print log lines (`put`) and progress (`say`), pause, read the clock."""

    put: Put
    say: Callable[[str], None]
    pause: Callable[[float], None]
    clock: Callable[[], float] = time.monotonic
    absence: Absence = BRIEF


@dataclass(frozen=True)
class Asked:
    """Lines of one stream (empty: of all), since a moment (seconds since the epoch), the last so many."""

    stream: str = ""
    since: float | None = None
    lines: int | None = None


def moment(text: str) -> float | None:
    """`--since` in seconds since the epoch."""
    given = history.since(text, datetime.now(timezone.utc))
    return datetime.fromisoformat(given.replace("Z", "+00:00")).timestamp() if given else None


def stream(cluster: Cluster, run: str) -> str:
    """The log stream of a task, by its id or ARN, or by the id of its run; without either that of the newest."""
    if not run:
        return _newest_stream(cluster)
    task = tasks.id_of(run)
    if tasks.ID.fullmatch(task):
        return cluster.log_stream(task)
    request: dict[str, Any] = {"logGroupName": cluster.log_group, "filterPattern": f'"{run}"'}
    if begun := BEGAN.match(run):  # no need to search what was logged before
        moment = datetime.strptime(begun[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        request |= since(moment.timestamp() - CLOCK_SKEW)
    found = next((event for page in _filter_events(cluster, request) for event in page), None)
    if found is None:
        where = f"run {run}: found in no stream of log group {cluster.log_group}"
        raise AWSError(f"{where}, expected the id of a run on Fargate", cluster.known.invoke("history --remote"))
    return str(found["logStreamName"])


def _newest_stream(cluster: Cluster) -> str:
    """That of the newest task, while ECS knows one: lastEventTimestamp of a stream lags by hours."""
    if task := tasks.newest(cluster):
        return cluster.log_stream(tasks.id_of(task["taskArn"]))
    request = {"logGroupName": cluster.log_group, "orderBy": "LastEventTime", "descending": True, "limit": NEWEST}
    page = cluster.stack.call_unless(ABSENT, LOGS, "describe_log_streams", **request)
    found = page["logStreams"] if page else []
    if not found:
        raise _no_log(cluster)
    return str(max(found, key=lambda one: one.get("creationTime", 0))["logStreamName"])


def _no_log(cluster: Cluster, stream: str = "") -> AWSError:
    what = f"no stream {stream}" if stream else "no log"
    where = f"log group {cluster.log_group}: found {what}, expected the log of a run"
    invoke = cluster.known.invoke
    return AWSError(where, f"start one: {invoke('run')}; not deployed yet: {invoke('deploy')}")


def read(cluster: Cluster, query: Asked, form: Form, put: Put) -> int:
    """Print the lines; the number of lines."""
    count = 0
    last: list[Event] = []
    for events in _pages(cluster, query):
        count += len(events)
        if query.lines is None:
            put(form.lines(events))
        else:
            last = [*last, *events][-query.lines :]
    put(form.lines(last))
    return count


def _pages(cluster: Cluster, query: Asked) -> Iterator[Sequence[Event]]:
    if query.stream:
        tail = _tail(cluster, query, query.stream)
        yield tail.read()
        if not tail.there:
            raise _no_log(cluster, query.stream)
    else:
        prefix = f"{resource_names.log_prefix()}/"
        request = {"logGroupName": cluster.log_group, "logStreamNamePrefix": prefix, **since(query.since)}
        yield from _filter_events(cluster, request)


def _tail(cluster: Cluster, query: Asked, stream: str) -> Tail:
    return Tail(cluster.stack, cluster.log_group, stream, query.since, query.lines)


def _filter_events(cluster: Cluster, request: Mapping[str, Any]) -> Iterator[Sequence[Event]]:
    """The pages of FilterLogEvents; a page may be empty and not the last."""
    page = None
    for page in cluster.stack.pages(LOGS, "filter_log_events", allow=ABSENT, **request):
        yield page["events"]
    if page is None:
        raise _no_log(cluster)


def follow(cluster: Cluster, query: Asked, form: Form, effects: Effects, *, on: bool) -> None:
    """Print new lines until the task has ended; with `on` also those of the tasks after it, without end."""
    seen, stream = set[str](), query.stream
    while True:
        effects.say(f"following {stream}")
        _follow_one(cluster, _tail(cluster, query, stream), form, effects)
        seen.add(stream)
        if not on:
            return
        effects.say("task ended; waiting for the next one (Ctrl-C stops following)")
        while stream in seen:
            effects.pause(NEW_EVERY)
            task = tasks.newest(cluster)
            stream = cluster.log_stream(tasks.id_of(task["taskArn"])) if task else stream
        query = Asked(stream)


def _follow_one(cluster: Cluster, tail: Tail, form: Form, effects: Effects) -> None:
    """Until the last line of the runtime; without one until the task has ended and its log is quiet."""
    quiet, over, task = 0, False, tasks.id_of(tail.stream)
    observer = Observer(cluster, task, effects.say, effects.clock, effects.absence)
    while not tail.said and not (over and quiet >= QUIET):
        events = tail.read()
        effects.put(form.lines(events))
        quiet = 0 if events else quiet + 1
        if quiet >= QUIET and not over and not _is_running(observer, effects):
            quiet, over = 0, True
        if not tail.said:
            effects.pause(EVERY)


def _is_running(observer: Observer, effects: Effects) -> bool:
    """Whether the task may still run; says how it ended where only its record tells."""
    found = observer.look()
    if isinstance(found, ending.Ending):
        effects.say(f"task {observer.task} {found.words}")
        return False
    return found is None or not ending.is_over(found)
