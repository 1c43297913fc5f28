"""How the status of projects is shown: a table of all, a page of one, or JSON."""

from __future__ import annotations

import json
from datetime import timezone
from typing import TYPE_CHECKING, Any

from handoff_kit.status.row import DIFFERS, RUNNING, STORED_ONLY
from handoff_kit.text import elapsed, stamp, table
from handoff_runtime.terminal import safe_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from handoff_kit.status.detail import Detail
    from handoff_kit.status.row import Row, Scheduled

__all__ = ["after", "page", "table_of", "to_json"]

MINUTES = len("2026-01-31T06:00")
HEAD = ("PROJECT", "STACK", "IMAGE", "PARAMS", "NEXT RUN", "LAST RUN", "OUTCOME")
NOTHING, UNSEEN = "-", "?"
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
WIDTH = 10


def table_of(rows: Iterable[Row]) -> str:
    """One line a project under a head."""
    found = [_line(row) for row in rows]
    return table(HEAD, found) if found else ""


def _line(row: Row) -> tuple[str, ...]:
    last = row.last or {}
    began = str(last.get("started_at") or "")[:19]
    return (
        row.project,
        _status(row),
        row.image,
        row.params,
        _next(row),
        f"{began}Z" if began else NOTHING,
        UNSEEN if row.unseen else _outcome(last),
    )


def _status(row: Row) -> str:
    if row.status is None:
        return "none"
    return "deployed" if row.status in GOOD else row.status


def _next(row: Row) -> str:
    if row.next and row.next.coming:
        return f"{stamp(row.next.coming)[:MINUTES]}Z"
    rates = [one for one in row.schedules if one.entry.enabled]
    return rates[0].entry.expression if rates else NOTHING


def _outcome(last: Mapping[str, Any]) -> str:
    if not last:
        return NOTHING
    return str(last["outcome"]) if last.get("exit") in (0, None) else f"{last['outcome']} ({last['exit']})"


def page(row: Row, detail: Detail) -> str:
    """One project, a line each thing."""
    return "".join(f"{name:<{WIDTH}} {safe_name(text)}\n" for name, text in _told(row, detail))


def _told(row: Row, detail: Detail) -> Iterator[tuple[str, str]]:
    yield "project", f"{row.project} ({row.environment})"
    yield "stack", f"{row.stack}: {row.status or 'not deployed'}"
    image = f"deployed {row.source}, here {row.tag}" if row.image == DIFFERS else row.source or "none is deployed"
    yield "image", f"{row.image}: {image}"
    yield "params", f"{row.params}: version {row.version}" if row.version else row.params
    if row.stored_only:
        yield (
            "",
            ", ".join(row.stored_only) if row.params == STORED_ONLY else f"stored only: {', '.join(row.stored_only)}",
        )
    yield "files", detail.files
    yield from (("schedule", _scheduled(one)) for one in row.schedules)
    yield "last run", UNSEEN if row.unseen else _run(row.last) if row.last else NOTHING
    yield from (("task", task) for task in detail.tasks)


def _scheduled(one: Scheduled) -> str:
    entry, coming = one.entry, one.coming
    what = f"{entry.name}: {entry.expression} {entry.timezone}"
    if coming is None:
        return what if entry.enabled else f"{what}, off"
    local = coming.strftime("%Y-%m-%d %H:%M")
    return f"{what}, next {local} there, {coming.astimezone(timezone.utc).strftime('%Y-%m-%d %H:%M')} UTC"


def _run(last: Mapping[str, Any]) -> str:
    reason = f": {last['reason']}" if last.get("reason") else ""
    took = "" if last["outcome"] == RUNNING else f" after {elapsed(last.get('seconds'))}"
    began = f"{str(last.get('started_at'))[:19]}Z"
    return f"{last['run_id']} of {began} ({last.get('trigger')}): {_outcome(last)}{took}{reason}"


def to_json(rows: Iterable[Row], detail: Detail | None = None) -> str:
    """One JSON object a project."""
    more = {"files": detail.files, "tasks": list(detail.tasks)} if detail else {}
    return "".join(f"{json.dumps({**_object(row), **more}, ensure_ascii=False)}\n" for row in rows)


def _object(row: Row) -> dict[str, Any]:
    return {
        "project": row.project,
        "environment": row.environment,
        "stack": {"name": row.stack, "status": row.status},
        "image": {"state": row.image, "deployed": row.source, "here": row.tag},
        "params": {"state": row.params, "version": row.version, "stored_only": list(row.stored_only)},
        "schedules": [
            {
                "name": one.entry.name,
                "expression": one.entry.expression,
                "timezone": one.entry.timezone,
                "enabled": one.entry.enabled,
                "next": stamp(one.coming) if one.coming else None,
            }
            for one in row.schedules
        ],
        "next_run": stamp(row.next.coming) if row.next and row.next.coming else None,
        "last_run": dict(row.last) if row.last else None,
        "problems": list(row.problems),
    }


def after(rows: Sequence[Row]) -> str:
    """What to do next: mend what is broken, deploy what differs, look at what failed, deploy what is not there, run."""
    broken = [row for row in rows if row.problems]
    behind = [row for row in rows if row.is_behind]
    failed = [row for row in rows if row.last and row.last.get("exit")]
    absent = [row for row in rows if row.status is None]
    for task, found in (("check", broken), ("deploy", behind), ("logs", failed), ("deploy", absent), ("run", rows)):
        if found:
            return f"invoke {task} {found[0].options}"
    return "invoke new --project NAME"
