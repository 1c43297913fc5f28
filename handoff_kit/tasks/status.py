"""What there is in AWS, against what lies here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke.tasks import task

from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import put, put_data, say, told

if TYPE_CHECKING:
    from invoke.context import Context


@task(
    auto_shortflags=False,
    help={
        "project": "name of a directory under projects/, to be told of in detail; default: every project, a line each",
        "environment": flags.ENVIRONMENT,
        "json": "one JSON object a project; default: text",
    },
)
@told
def status(c: Context, project: str = "", environment: str = "", json: bool = False) -> None:
    """Print how AWS compares with what lies here: stack, image, params, next run, last run and how it ended."""
    from handoff_kit.remote import connection
    from handoff_kit.status import shown
    from handoff_kit.status.status import read_status, read_statuses

    name, places = flags.environment(environment), flags.places(c, project, every=not project)
    clients = connection.sign_in(os.environ, say)
    if project:
        status, detail, notes = read_status(places[0], name, os.environ, clients)
        statuses = [status]
        put_data(shown.to_json(statuses, detail)) if json else put(shown.page(status, detail))
    else:
        statuses, notes = read_statuses(places, name, os.environ, clients)
        put_data(shown.to_json(statuses)) if json else put(shown.table_of(statuses))
    for note in (*(f"note: {problem}" for one in statuses for problem in one.problems), *notes):
        say(note)
    say(f"next: {shown.next_command(statuses)}")
