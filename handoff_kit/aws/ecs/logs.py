"""Find, print and follow the logs of a project's tasks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.executions import EXECUTION_NAME, execution_arn, last_task
from handoff_kit.aws.ecs.log_stream import LOGS, NO_LOG, LogEvent, LogFormatter, LogTail, start_time
from handoff_kit.aws.ecs.stop_reasons import TaskResult, is_stopped
from handoff_kit.aws.ecs.task_observer import BRIEF, Absence, TaskObserver
from handoff_kit.aws.ecs.tasks import TASK_ID, newest_task, task_id
from handoff_kit.aws.history import parse_since
from handoff_kit.console import Say
from handoff_kit.errors import AWSError

RUN_ID = re.compile(r"(\d{8}T\d{6}Z)-")
CLOCK_SKEW = 10 * 60  # seconds that the clocks of a container and of CloudWatch may differ, and more
POLL_EVERY, POLL_NEW_TASK_EVERY = 2.0, 5.0
QUIET_POLLS = 5  # reads without a line, after which ECS is queried whether the task still runs
NEWEST_STREAMS = 50


@dataclass(frozen=True)
class LogSink:
    """Print log lines (`put`) and progress (`say`), pause, read the clock."""

    put: Say
    say: Say
    pause: Callable[[float], None]
    clock: Callable[[], float] = time.monotonic
    absence: Absence = BRIEF


@dataclass(frozen=True)
class LogQuery:
    """Lines of one stream (empty: of all), since a moment (seconds since the epoch), the last so many."""

    stream: str = ""
    since: float | None = None
    lines: int | None = None


def since_seconds(text: str) -> float | None:
    """`--since` in seconds since the epoch."""
    moment = parse_since(text, datetime.now(timezone.utc))
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp() if moment else None


def find_stream(tasks: ProjectTasks, run: str) -> str:
    """The log stream of a task, by its id or ARN, the id of its run, or its execution's name; else of the newest."""
    if not run:
        return _newest_stream(tasks)
    task = task_id(run)
    if tasks.machine and EXECUTION_NAME.fullmatch(run):
        task = task_id(last_task(tasks.target, execution_arn(tasks, run)))
        if not task:
            raise AWSError(f"execution {run}: found no task that it has started, expected one", tasks.invoke("status"))
    if TASK_ID.fullmatch(task):
        return tasks.log_stream(task)
    request: dict[str, Any] = {"logGroupName": tasks.log_group, "filterPattern": f'"{run}"'}
    if begun := RUN_ID.match(run):  # no need to search what was logged before
        with suppress(ValueError):  # an id that no run of ours has
            moment = datetime.strptime(begun[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
            request |= start_time(moment.timestamp() - CLOCK_SKEW)
    events = (event for page in _filter_events(tasks, request) for event in page)
    first = next(events, None)
    if first is None:
        where = f"run {run}: found in no stream of log group {tasks.log_group}"
        raise AWSError(f"{where}, expected the id of a run on Fargate", tasks.invoke("history --remote"))
    return str(first["logStreamName"])


def _newest_stream(tasks: ProjectTasks) -> str:
    """That of the newest task, while ECS knows one: lastEventTimestamp of a stream lags by hours."""
    if task := newest_task(tasks):
        return tasks.log_stream(task_id(task["taskArn"]))
    request = {
        "logGroupName": tasks.log_group,
        "orderBy": "LastEventTime",
        "descending": True,
        "limit": NEWEST_STREAMS,
    }
    page = tasks.target.call(LOGS, "describe_log_streams", allow=NO_LOG, **request)
    streams = page["logStreams"] if page else []
    if not streams:
        raise _no_log_error(tasks)
    return str(max(streams, key=lambda one: one.get("creationTime", 0))["logStreamName"])


def _no_log_error(tasks: ProjectTasks, stream: str = "") -> AWSError:
    what = f"no stream {stream}" if stream else "no log"
    where = f"log group {tasks.log_group}: found {what}, expected the log of a run"
    invoke = tasks.invoke
    return AWSError(where, f"start one: {invoke('run')}; not deployed yet: {invoke('deploy')}")


def print_logs(tasks: ProjectTasks, query: LogQuery, form: LogFormatter, put: Say) -> int:
    """Print the lines; the number of lines."""
    count = 0
    last: list[LogEvent] = []
    for events in _pages(tasks, query):
        count += len(events)
        if query.lines is None:
            put(form.lines(events))
        else:
            last = [*last, *events][-query.lines :]
    put(form.lines(last))
    return count


def _pages(tasks: ProjectTasks, query: LogQuery) -> Iterator[Sequence[LogEvent]]:
    if query.stream:
        tail = _tail_of(tasks, query, query.stream)
        yield tail.read()
        if not tail.exists:
            raise _no_log_error(tasks, query.stream)
    else:
        prefix = f"{resource_names.log_prefix()}/"
        request = {"logGroupName": tasks.log_group, "logStreamNamePrefix": prefix, **start_time(query.since)}
        yield from _filter_events(tasks, request)


def _tail_of(tasks: ProjectTasks, query: LogQuery, stream: str) -> LogTail:
    return LogTail(tasks.target, tasks.log_group, stream, query.since, query.lines)


def _filter_events(tasks: ProjectTasks, request: Mapping[str, Any]) -> Iterator[Sequence[LogEvent]]:
    """The pages of FilterLogEvents; a page may be empty and not the last."""
    page = None
    for page in tasks.target.pages(LOGS, "filter_log_events", allow=NO_LOG, **request):
        yield page["events"]
    if page is None:
        raise _no_log_error(tasks)


def follow_logs(tasks: ProjectTasks, query: LogQuery, form: LogFormatter, sink: LogSink, *, on: bool) -> None:
    """Print new lines until the task has ended; with `on` also those of the tasks after it, without end."""
    followed, stream = set[str](), query.stream
    while True:
        sink.say(f"following {stream}")
        _follow_task(tasks, _tail_of(tasks, query, stream), form, sink)
        followed.add(stream)
        if not on:
            return
        sink.say("task ended; waiting for the next one (Ctrl-C stops following)")
        while stream in followed:
            sink.pause(POLL_NEW_TASK_EVERY)
            task = newest_task(tasks)
            stream = tasks.log_stream(task_id(task["taskArn"])) if task else stream
        query = LogQuery(stream)


def _follow_task(tasks: ProjectTasks, tail: LogTail, form: LogFormatter, sink: LogSink) -> None:
    """Until the last line of the runtime; without one until the task has ended and its log is quiet."""
    quiet, over = 0, False
    observer = TaskObserver(tasks, task_id(tail.stream), sink.say, sink.clock, sink.absence)
    while not tail.last_line and not (over and quiet >= QUIET_POLLS):
        events = tail.read()
        sink.put(form.lines(events))
        quiet = 0 if events else quiet + 1
        if quiet >= QUIET_POLLS and not over:
            task = observer.look()
            if isinstance(task, TaskResult):
                sink.say(f"task {observer.task} {task.sentence}")
            if task is not None and (isinstance(task, TaskResult) or is_stopped(task)):
                quiet, over = 0, True
        if not tail.last_line:
            sink.pause(POLL_EVERY)
