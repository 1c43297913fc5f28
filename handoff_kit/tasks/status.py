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
    from handoff_kit.aws.session import open_session
    from handoff_kit.status import shown
    from handoff_kit.status import status as looking

    name, places = flags.environment(environment), flags.places(c, project, every=not project)
    clients = open_session(os.environ, say)
    if project:
        row, detail, notes = looking.one(places[0], name, os.environ, clients)
        rows = [row]
        put_data(shown.to_json(rows, detail)) if json else put(shown.page(row, detail))
    else:
        rows, notes = looking.every(places, name, os.environ, clients)
        put_data(shown.to_json(rows)) if json else put(shown.table_of(rows))
    for note in (*(f"note: {problem}" for row in rows for problem in row.problems), *notes):
        say(note)
    say(f"next: {shown.after(rows)}")
