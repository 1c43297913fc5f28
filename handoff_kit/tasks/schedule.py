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

    from handoff_kit import given
    from handoff_kit.deploy import schedule_output, schedule_project
    from handoff_kit.deployment.execute import Manner
    from handoff_kit.project import load as projects
    from handoff_kit.project.params_document import state_mode
    from handoff_kit.remote import connection

    options = schedule_project.ScheduleOptions(name, cron, rate, at, timezone, given.data(data, ()))
    one = schedule_project.from_options(options)
    place, within = flags.place(c, project), flags.environment(environment)
    loaded = projects.load(place.file, place.shown)
    stack = connection.connect(place, within, os.environ, say, own=loaded.deploy.bucket)
    now = datetime.now(zones.utc)
    desired = schedule_project.desired_schedules(place, loaded, stack, options, one, now=now, say=say)
    changed = schedule_project.deploy_schedules(desired, stack, Manner(dry=c.config.run.dry, yes=yes, say=say))
    put(schedule_output.next_times_table(desired.schedules, now))
    for note in schedule_output.notes(desired.schedules, now):
        say(note)
    if warning := schedule_output.shared_state_warning(desired.schedules, state_mode(loaded)):
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
    from handoff_kit.deploy import schedule_project
    from handoff_kit.deployment.execute import Manner
    from handoff_kit.project import load as projects
    from handoff_kit.remote import connection

    place, within = flags.place(c, project), flags.environment(environment)
    loaded = projects.load(place.file, place.shown)
    stack = connection.connect(place, within, os.environ, say, own=loaded.deploy.bucket)
    manner = Manner(dry=c.config.run.dry, yes=yes, say=say)
    changed = schedule_project.delete_schedules(place, loaded, stack, name, manner)
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
    from handoff_kit.deploy import schedule_output
    from handoff_kit.remote import connection
    from handoff_kit.stacks import deployed

    chosen = names.checked(project) if project else ""
    within = flags.environment(environment) if environment else ""
    now, clients = datetime.now(timezone.utc), connection.sign_in(os.environ, say)
    found = schedule_output.list_schedules(deployed.every(clients), now, project=chosen, environment=within)
    if json:
        put_data(schedule_output.schedules_json(found))
    elif found:
        put(schedule_output.schedules_table(found, now))
    if not found:
        say(f"no schedule of {f'project {chosen}' if chosen else 'any project'} is deployed")
    say(f"next: invoke {'status' if found else 'schedule --project ' + (chosen or 'NAME')}")
