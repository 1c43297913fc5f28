"""How the status of projects is printed: a table of all, a page of one, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timezone
from typing import Any

from handoff_kit.deploy.status import OUT_OF_DATE, RUNNING, STORED_ONLY, ProjectDetail, ProjectStatus, ScheduleStatus
from handoff_kit.text import duration, table, timestamp
from handoff_runtime.terminal import safe_name

MINUTES = len("2026-01-31T06:00")
HEAD = ("PROJECT", "STACK", "IMAGE", "PARAMS", "NEXT RUN", "LAST RUN", "OUTCOME")
NOTHING, NOT_KNOWN = "-", "?"
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
WIDTH = 10


def status_table(statuses: Iterable[ProjectStatus]) -> str:
    """One line a project under a head."""
    rows = [_row(status) for status in statuses]
    return table(HEAD, rows) if rows else ""


def _row(status: ProjectStatus) -> tuple[str, ...]:
    last = status.last_run or {}
    started = str(last.get("started_at") or "")[:19]
    stack = status.stack_status or "none"
    return (
        status.project,
        "deployed" if stack in GOOD else stack,
        status.image,
        status.params,
        _next_run(status),
        f"{started}Z" if started else NOTHING,
        NOT_KNOWN if status.is_last_run_unknown else _outcome(last),
    )


def _next_run(status: ProjectStatus) -> str:
    if status.next_schedule and status.next_schedule.next_time:
        return f"{timestamp(status.next_schedule.next_time)[:MINUTES]}Z"
    rates = [one for one in status.schedules if one.entry.enabled]
    return rates[0].entry.expression if rates else NOTHING


def _outcome(last: Mapping[str, Any]) -> str:
    if not last:
        return NOTHING
    return str(last["outcome"]) if last.get("exit") in (0, None) else f"{last['outcome']} ({last['exit']})"


def status_page(status: ProjectStatus, detail: ProjectDetail) -> str:
    """One project, a line for each part of it."""
    return "".join(f"{name:<{WIDTH}} {safe_name(text)}\n" for name, text in _lines(status, detail))


def _lines(status: ProjectStatus, detail: ProjectDetail) -> Iterator[tuple[str, str]]:
    yield "project", f"{status.project} ({status.environment})"
    yield "stack", f"{status.stack}: {status.stack_status or 'not deployed'}"
    image = status.deployed_tag or "none is deployed"
    if status.image == OUT_OF_DATE:
        image = f"deployed {status.deployed_tag}, here {status.local_tag}"
    yield "image", f"{status.image}: {image}"
    yield "params", f"{status.params}: version {status.params_version}" if status.params_version else status.params
    if status.stored_only:
        stored_only = ", ".join(status.stored_only)
        yield "", stored_only if status.params == STORED_ONLY else f"stored only: {stored_only}"
    yield "files", detail.files
    yield from (("schedule", _schedule(one)) for one in status.schedules)
    last = _last_run(status.last_run) if status.last_run else NOTHING
    yield "last run", NOT_KNOWN if status.is_last_run_unknown else last
    yield from (("task", task) for task in detail.tasks)


def _schedule(one: ScheduleStatus) -> str:
    entry, time = one.entry, one.next_time
    text = f"{entry.name}: {entry.expression} {entry.timezone}"
    if time is None:
        return text if entry.enabled else f"{text}, disabled"
    local = time.strftime("%Y-%m-%d %H:%M")
    return f"{text}, next {local} there, {time.astimezone(timezone.utc).strftime('%Y-%m-%d %H:%M')} UTC"


def _last_run(last: Mapping[str, Any]) -> str:
    reason = f": {last['reason']}" if last.get("reason") else ""
    took = "" if last["outcome"] == RUNNING else f" after {duration(last.get('seconds'))}"
    started = f"{str(last.get('started_at'))[:19]}Z"
    return f"{last['run_id']} of {started} ({last.get('trigger')}): {_outcome(last)}{took}{reason}"


def status_json(statuses: Iterable[ProjectStatus], detail: ProjectDetail | None = None) -> str:
    """One JSON object a line."""
    more = {"files": detail.files, "tasks": list(detail.tasks)} if detail else {}
    return "".join(f"{json.dumps({**_object(status), **more}, ensure_ascii=False)}\n" for status in statuses)


def _object(status: ProjectStatus) -> dict[str, Any]:
    following = status.next_schedule
    return {
        "project": status.project,
        "environment": status.environment,
        "stack": {"name": status.stack, "status": status.stack_status},
        "image": {"state": status.image, "deployed": status.deployed_tag, "here": status.local_tag},
        "params": {
            "state": status.params,
            "version": status.params_version,
            "stored_only": list(status.stored_only),
        },
        "schedules": [
            {
                "name": one.entry.name,
                "expression": one.entry.expression,
                "timezone": one.entry.timezone,
                "enabled": one.entry.enabled,
                "next": timestamp(one.next_time) if one.next_time else None,
            }
            for one in status.schedules
        ],
        "next_run": timestamp(following.next_time) if following and following.next_time else None,
        "last_run": dict(status.last_run) if status.last_run else None,
        "problems": list(status.problems),
    }


def next_command(statuses: Sequence[ProjectStatus]) -> str:
    """Fix what is broken, deploy what is out of date, look at what failed, deploy what is missing, run."""
    choices = (
        ("check", [one for one in statuses if one.problems]),
        ("deploy", [one for one in statuses if one.is_out_of_date]),
        ("logs", [one for one in statuses if one.last_run and one.last_run.get("exit")]),
        ("deploy", [one for one in statuses if one.stack_status is None]),
        ("run", statuses),
    )
    return next((f"invoke {task} {found[0].options}" for task, found in choices if found), "invoke new --project NAME")
