"""The runs there were."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke.tasks import task

from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import put, put_data, say, told

if TYPE_CHECKING:
    from invoke.context import Context

    from handoff_kit.remote.history import Source


@task(
    name="list",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "remote": flags.REMOTE,
        "failed": "only runs that did not succeed",
        "last": "so many runs at most; default: 20, or all with --since",
        "since": "only runs begun since then: 2026-01-31, 2026-01-31T06:00:00Z, 90m, 24h, 7d, 2w",
        "json": "one JSON object a line, with every figure; default: a table",
        "environment": flags.ENVIRONMENT,
    },
)
@told
def list_(
    c: Context,
    project: str = "",
    remote: bool = False,
    failed: bool = False,
    last: str = "",
    since: str = "",
    json: bool = False,
    environment: str = "",
) -> None:
    """Print the runs there were, the newest first: when, by what, outcome, culprit, duration, rows, state."""
    from datetime import datetime, timezone

    from handoff_kit.remote import history

    begun = history.since(since, datetime.now(timezone.utc))
    asked = history.Asked(None, failed, begun, history.number("--last", last) or (None if begun else history.LAST))
    source, options, own = _runs(c, project, environment, remote=remote)
    found = history.lines(source, asked.of(own))
    put_data(history.to_json(found)) if json else put(history.table_of(found))
    say(history.after(found, source, options))


@task(
    name="show",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "run": "id of a run, as invoke history tells it; default: the last",
        "remote": flags.REMOTE,
        "lines": "so many lines of the log's end; default: 20",
        "json": "the record as it is; default: what a person reads",
        "environment": flags.ENVIRONMENT,
    },
)
@told
def show(
    c: Context,
    project: str = "",
    run: str = "",
    remote: bool = False,
    lines: str = "",
    json: bool = False,
    environment: str = "",
) -> None:
    """Print one run: how it ended, its stages, the last lines of its log."""
    from handoff_kit.project import params_document as documents
    from handoff_kit.remote import history, past

    wanted = history.number("--lines", lines) or past.LINES
    source, options, own = _runs(c, project, environment, remote=remote)
    name = run or past.newest(source, own, options)
    found = past.in_aws(source.stack, name) if source.stack else past.here(flags.place(c, project), name)
    put_data(documents.to_json(found.record)) if json else put(past.shown(found, wanted))
    say(f"next: {past.after(found, flags.place(c, project), options, remote=remote)}")


def _runs(c: Context, project: str, environment: str, *, remote: bool) -> tuple[Source, str, str | None]:
    """Where runs are told of, the flags that name it again, and the environment they are to be of, if any."""
    from handoff_kit.remote import history

    if remote:
        _, stack = flags.stack(c, project, environment)
        return history.in_aws(stack, say), f"--remote {stack.options}", None
    place = flags.place(c, project)
    own = flags.environment(environment) if environment or os.environ.get("HANDOFF_ENVIRONMENT") else None
    return history.here(place, say), f"--project {place.name}", own
