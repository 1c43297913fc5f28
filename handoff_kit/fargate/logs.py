"""The task logs: which streams are meant, and printing them; whoever asks for more waits for what comes."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from handoff_kit.fargate import ending, tasks
from handoff_kit.fargate.log import ABSENT, LOGS, Tail, since
from handoff_kit.fargate.observer import BRIEF, Absence, Observer
from handoff_kit.remote import history, names
from handoff_kit.remote.errors import AWSError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from handoff_kit.fargate.ground import Cluster
    from handoff_kit.fargate.log import Form

    Event = Mapping[str, Any]
    Put = Callable[[str], None]

__all__ = ["Asked", "Effects", "follow", "moment", "read", "stream"]

BEGAN = re.compile(r"(\d{8}T\d{6}Z)-")
EARLY = 10 * 60  # seconds that clocks of a container and of CloudWatch may differ, and more
EVERY, NEW_EVERY = 2.0, 5.0
QUIET = 5  # looks without a line, until it is asked whether the task goes on
NEWEST = 50


@dataclass(frozen=True)
class Effects:
    """What following does: print lines, say where it is, wait, and tell the time."""

    put: Put
    say: Callable[[str], None]
    pause: Callable[[float], None]
    clock: Callable[[], float] = time.monotonic
    absence: Absence = BRIEF


@dataclass(frozen=True)
class Asked:
    """Which lines: of one stream (empty: of all), since a moment (seconds since the epoch), the last ones only."""

    stream: str = ""
    since: float | None = None
    lines: int | None = None


def moment(text: str) -> float | None:
    """The moment that `--since` gives, in seconds since the epoch."""
    given = history.since(text, datetime.now(timezone.utc))
    return datetime.fromisoformat(given.replace("Z", "+00:00")).timestamp() if given else None


def stream(cluster: Cluster, run: str) -> str:
    """The stream of a task, or of the task that had this run; without either that of the newest."""
    if not run:
        return _newest(cluster)
    task = tasks.id_of(run)
    if tasks.ID.fullmatch(task):
        return cluster.log_stream(task)
    return _of_run(cluster, run)


def _of_run(cluster: Cluster, run: str) -> str:
    """The stream whose first line tells the id of the run."""
    request = {"logGroupName": cluster.log_group, "filterPattern": f'"{run}"', **since(_began(run))}
    found = next((page[0] for page in _filtered(cluster, request) if page), None)
    if found is None:
        where = f"run {run}: found in no stream of log group {cluster.log_group}"
        raise AWSError(f"{where}, expected the id of a run on Fargate", cluster.known.invoke("history --remote"))
    return str(found["logStreamName"])


def _began(run: str) -> float | None:
    """When a run began, where its id says so: no need to search all that was logged before."""
    found = BEGAN.match(run)
    if found is None:
        return None
    moment = datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    return moment.timestamp() - EARLY


def _newest(cluster: Cluster) -> str:
    """By the newest task, as long as ECS knows one: Logs learns hours late when a stream was written to."""
    if task := tasks.newest(cluster):
        return cluster.log_stream(tasks.id_of(task["taskArn"]))
    request = {"logGroupName": cluster.log_group, "orderBy": "LastEventTime", "descending": True, "limit": NEWEST}
    page = cluster.stack.call_unless(ABSENT, LOGS, "describe_log_streams", **request)
    found = page["logStreams"] if page else []
    if not found:
        raise _nothing(cluster)
    return str(max(found, key=lambda each: each.get("creationTime", 0))["logStreamName"])


def _nothing(cluster: Cluster, stream: str = "") -> AWSError:
    what = f"no stream {stream}" if stream else "no log"
    where = f"log group {cluster.log_group}: found {what}, expected the log of a run"
    return AWSError(
        where, f"start one: {cluster.known.invoke('run')}; not deployed yet: {cluster.known.invoke('deploy')}"
    )


def read(cluster: Cluster, asked: Asked, form: Form, put: Put) -> int:
    """Print the lines there are; how many."""
    count = 0
    last: list[Event] = []
    for events in _pages(cluster, asked):
        count += len(events)
        if asked.lines is None:
            put(form.lines(events))
        else:
            last = [*last, *events][-asked.lines :]
    put(form.lines(last))
    return count


def _pages(cluster: Cluster, asked: Asked) -> Iterator[Sequence[Event]]:
    if asked.stream:
        tail = _tail(cluster, asked, asked.stream)
        yield tail.read()
        if not tail.there:
            raise _nothing(cluster, asked.stream)
    else:
        prefix = f"{names.log_prefix()}/"
        request = {"logGroupName": cluster.log_group, "logStreamNamePrefix": prefix, **since(asked.since)}
        yield from _filtered(cluster, request)


def _tail(cluster: Cluster, asked: Asked, stream: str) -> Tail:
    return Tail(cluster.stack, cluster.log_group, stream, asked.since, asked.lines)


def _filtered(cluster: Cluster, request: Mapping[str, Any]) -> Iterator[Sequence[Event]]:
    """What FilterLogEvents finds, page by page; a page may be empty and not the last."""
    page = None
    for page in cluster.stack.pages(LOGS, "filter_log_events", allow=ABSENT, **request):
        yield page["events"]
    if page is None:
        raise _nothing(cluster)


def follow(cluster: Cluster, asked: Asked, form: Form, effects: Effects, *, on: bool) -> None:
    """Print what comes, until the task has ended; with `on` that of the next tasks too, for ever."""
    seen, stream = set[str](), asked.stream
    while True:
        effects.say(f"following {stream}")
        _to_its_end(cluster, _tail(cluster, asked, stream), form, effects)
        seen.add(stream)
        if not on:
            return
        effects.say("it has ended; waiting for the next task (Ctrl-C ends this)")
        while stream in seen:
            effects.pause(NEW_EVERY)
            task = tasks.newest(cluster)
            stream = cluster.log_stream(tasks.id_of(task["taskArn"])) if task else stream
        asked = Asked(stream)


def _to_its_end(cluster: Cluster, tail: Tail, form: Form, effects: Effects) -> None:
    """Until the runtime has said its last words; else until the task is over, and then nothing came any more."""
    quiet, over, task = 0, False, tasks.id_of(tail.stream)
    observer = Observer(cluster, task, effects.say, effects.clock, effects.absence)
    while not tail.said and not (over and quiet >= QUIET):
        events = tail.read()
        effects.put(form.lines(events))
        quiet = 0 if events else quiet + 1
        if quiet >= QUIET and not over and not _goes_on(observer, effects):
            quiet, over = 0, True
        if not tail.said:
            effects.pause(EVERY)


def _goes_on(observer: Observer, effects: Effects) -> bool:
    """Whether the task may still run; how it ended is said where its record alone knows."""
    found = observer.look()
    if isinstance(found, ending.Ending):
        effects.say(f"task {observer.task} {found.words}")
        return False
    return found is None or not ending.is_over(found)
