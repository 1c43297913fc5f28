"""The status of projects for people and programs: a table of all, a page of one, or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, timezone
from typing import Any

from handoff_kit.aws.alerts import describe_subscribers
from handoff_kit.aws.ecs.run_history import UNDER_WAY
from handoff_kit.aws.history import SUCCEEDED, describe_trigger
from handoff_kit.deploy.status import KILLED, OUT_OF_DATE, STORED_ONLY, ProjectDetail, ProjectStatus
from handoff_kit.text import duration, json_lines, plural, table, timestamp
from handoff_runtime.terminal import safe_name

MINUTES = len("2026-01-31T06:00")
HEAD = ("PROJECT", "STACK", "IMAGE", "PARAMS", "NEXT RUN", "LAST RUN", "OUTCOME")
NONE, UNKNOWN = "-", "?"
COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
WIDTH = 10
NOBODY = ("nobody is notified of failures",)


def status_table(statuses: Iterable[ProjectStatus]) -> str:
    """One line a project under a head."""
    rows = []
    for status in statuses:
        last, following = status.last_run or {}, status.next_schedule
        started = str(last.get("started_at") or "")[:19]
        stack = status.stack_status or "none"
        rates = [schedule.entry.expression for schedule in status.schedules if schedule.entry.enabled]
        next_run = rates[0] if rates else NONE
        if following and following.next_time:
            next_run = f"{timestamp(following.next_time)[:MINUTES]}Z"
        rows.append(
            (
                status.project,
                "deployed" if stack in COMPLETE else stack,
                status.image,
                status.params,
                next_run,
                f"{started}Z" if started else NONE,
                UNKNOWN if status.is_last_run_unknown else _outcome(last),
            )
        )
    return table(HEAD, rows) if rows else ""


def _outcome(last: Mapping[str, Any]) -> str:
    if not last:
        return NONE
    return str(last["outcome"]) if last.get("exit") in (0, None) else f"{last['outcome']} ({last['exit']})"


def status_page(status: ProjectStatus, detail: ProjectDetail, today: date) -> str:
    """One project, a line for each part of it."""
    return "".join(f"{name:<{WIDTH}} {safe_name(text)}\n" for name, text in _page_lines(status, detail, today))


def _page_lines(status: ProjectStatus, detail: ProjectDetail, today: date) -> Iterator[tuple[str, str]]:
    yield "project", f"{status.project} ({status.environment})"
    yield "stack", f"{status.stack}: {status.stack_status or 'not deployed'}"
    image = status.deployed_tag or "none is deployed"
    if status.image == OUT_OF_DATE:
        image = f"deployed {status.deployed_tag}, here {status.local_tag}"
    yield "image", f"{status.image}: {image}"
    if status.base_created:
        days = (today - date.fromisoformat(status.base_created)).days
        yield "", f"its base is of {status.base_created} ({plural(days, 'day')} old)"
    if status.undeployed:
        yield "undeployed", ", ".join(status.undeployed)
    yield "params", f"{status.params}: version {status.params_version}" if status.params_version else status.params
    if status.stored_only:
        stored_only = ", ".join(status.stored_only)
        yield "", stored_only if status.params == STORED_ONLY else f"stored only: {stored_only}"
    yield "files", detail.files
    for schedule in status.schedules:
        entry, time = schedule.entry, schedule.next_time
        text = f"{entry.name}: {entry.expression} {entry.timezone}"
        if time:
            text += f", next {time:%Y-%m-%d %H:%M} there, {time.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
        yield "schedule", text if time or entry.enabled else f"{text}, disabled"
    if detail.subscribers:
        lines = describe_subscribers(detail.subscribers)
        yield from (("alerts", line) for line in (*lines, *(NOBODY if detail.subscribers.is_nobody else ())))
    last = UNKNOWN if status.is_last_run_unknown else NONE
    if run := status.last_run:
        reason = f": {run['reason']}" if run.get("reason") else ""
        took = "" if run["outcome"] in UNDER_WAY else f" after {duration(run.get('seconds'))}"
        started = f"{str(run.get('started_at'))[:19]}Z"
        last = f"{run['run_id']} of {started} ({describe_trigger(run)}): {_outcome(run)}{took}{reason}"
    yield "last run", last
    if detail.missed:
        yield "missed", f"{plural(detail.missed, 'run')} of its schedules: invoke missed {status.options}"
    yield from (("task", task) for task in detail.tasks)
    yield from (("execution", execution) for execution in detail.executions)


def status_json(statuses: Iterable[ProjectStatus], detail: ProjectDetail | None = None) -> str:
    """One JSON object a line."""
    more: dict[str, object] = {}
    if detail:
        tasks, executions = list(detail.tasks), list(detail.executions)
        more = {"files": detail.files, "tasks": tasks, "executions": executions, "missed": detail.missed}
        more["alerts"] = asdict(detail.subscribers) if detail.subscribers else None
    values = []
    for status in statuses:
        following = status.next_schedule
        schedules = [
            {
                "name": schedule.entry.name,
                "expression": schedule.entry.expression,
                "timezone": schedule.entry.timezone,
                "enabled": schedule.entry.enabled,
                "next": timestamp(schedule.next_time) if schedule.next_time else None,
            }
            for schedule in status.schedules
        ]
        params = {"state": status.params, "version": status.params_version, "stored_only": list(status.stored_only)}
        image = {"state": status.image, "deployed": status.deployed_tag, "here": status.local_tag}
        image["base"] = status.base_created
        value = {
            "project": status.project,
            "environment": status.environment,
            "stack": {"name": status.stack, "status": status.stack_status},
            "image": image,
            "undeployed": list(status.undeployed),
            "params": params,
            "schedules": schedules,
            "next_run": timestamp(following.next_time) if following and following.next_time else None,
            "last_run": dict(status.last_run) if status.last_run else None,
            "problems": list(status.problems),
        }
        values.append({**value, **more})
    return json_lines(values)


def _never_ran(run: Mapping[str, Any] | None) -> bool:
    return run is not None and run.get("exit") is None and run["outcome"] not in (*SUCCEEDED, KILLED)


def next_command(statuses: Sequence[ProjectStatus]) -> str:
    """Fix what is broken, deploy what is out of date, look at what failed, deploy what is missing, run."""
    choices = (
        ("check", [status for status in statuses if status.problems]),
        ("deploy", [status for status in statuses if status.is_out_of_date]),
        ("logs", [status for status in statuses if status.last_run and status.last_run.get("exit")]),
        ("history --remote", [status for status in statuses if _never_ran(status.last_run)]),
        ("deploy", [status for status in statuses if status.stack_status is None]),
        ("run", statuses),
    )
    return next((f"invoke {task} {some[0].options}" for task, some in choices if some), "invoke new --project NAME")
