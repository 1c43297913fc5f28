"""When projects run: schedules put in force, taken away, listed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke.tasks import task

from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import conclude, put, put_data, say, told

if TYPE_CHECKING:
    from invoke.context import Context


@task(
    name="put",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "cron": "put one in force that is not in project.yml, beside those that are: five fields, six as AWS writes "
        "them, or @daily and the like",
        "rate": "the same, by how often: 15 minutes, 1 hour, 2 days",
        "at": "the same, once: a time of --timezone like 2027-01-31T06:00:00",
        "timezone": "with --cron or --at: their time zone by its IANA name; default: UTC",
        "data": "with one of these: JSON object of values for placeholders; default: {}",
        "name": "with one of these: what it is called, in place of the one that is called so; default: default",
        "environment": flags.ENVIRONMENT,
        "yes": flags.YES,
    },
)
@told
def put_in_force(
    c: Context,
    project: str = "",
    cron: str = "",
    rate: str = "",
    at: str = "",
    timezone: str = "",
    data: str = "",
    name: str = "",
    environment: str = "",
    yes: bool = False,
) -> None:
    """Put a project's schedules in force, those of project.yml and no others, and print when it runs next."""
    from datetime import datetime
    from datetime import timezone as zones

    from handoff_kit import given, render
    from handoff_kit.deployment.execute import Manner
    from handoff_kit.schedules import asked, force, listing

    words = asked.Words(name, cron, rate, at, timezone, given.data(data, ()))
    one = asked.given(words)
    place, stack = flags.stack(c, project, environment)
    now = datetime.now(zones.utc)
    wanted = force.wanted(place, stack, words, one, now=now, say=say)
    changed = force.put_in_force(wanted, stack, Manner(dry=c.config.run.dry, yes=yes, say=say))
    put(listing.next_times(wanted.schedules, now))
    for note in listing.notes(wanted.schedules, now):
        say(note)
    if warning := listing.sharing(wanted.schedules, render.state_mode(wanted.loaded)):
        say(warning)
    conclude(c, range(changed), f"invoke schedule.list {stack.options}")


@task(
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "name": "which one to take away; default: all of the project",
        "environment": flags.ENVIRONMENT,
        "yes": flags.YES,
    },
)
@told
def unschedule(c: Context, project: str = "", name: str = "", environment: str = "", yes: bool = False) -> None:
    """Take a project's schedules away, or one of them; runs that are under way go on."""
    from handoff_kit.deployment.execute import Manner
    from handoff_kit.schedules import force

    place, stack = flags.stack(c, project, environment)
    changed = force.take_away(place, stack, name, Manner(dry=c.config.run.dry, yes=yes, say=say))
    conclude(c, range(changed), f"invoke schedule.list {stack.options}")


@task(
    name="list",
    auto_shortflags=False,
    help={
        "project": "list those of this project alone; default: of every project",
        "environment": "list those of this environment alone; default: of every one",
        "json": "one JSON object a line; default: a table",
    },
)
@told
def list_(c: Context, project: str = "", environment: str = "", json: bool = False) -> None:
    """Print the schedules in force, of every project: when, in which zone, when next."""
    from datetime import datetime, timezone

    from handoff_kit import names
    from handoff_kit.aws.cloudformation.stack import describe_all
    from handoff_kit.aws.session import open_session
    from handoff_kit.schedules import listing

    chosen = names.checked(project) if project else ""
    within = flags.environment(environment) if environment else ""
    now, clients = datetime.now(timezone.utc), open_session(os.environ, say)
    found = listing.lines(describe_all(clients), now, project=chosen, environment=within)
    if json:
        put_data(listing.to_json(found))
    elif found:
        put(listing.table_of(found, now))
    if not found:
        say(f"no schedule of {f'project {chosen}' if chosen else 'any project'} is in force")
    say(f"next: invoke {'status' if found else 'schedule --project ' + (chosen or 'NAME')}")
