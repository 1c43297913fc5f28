"""Tasks for schedules: schedule, unschedule, schedule.list."""

from __future__ import annotations

import os

from invoke.context import Context

from handoff_kit.console import confirm, print_data, print_output, print_progress
from handoff_kit.tasks import options
from handoff_kit.tasks.task import apply_options, command, finish


@command(
    "put",
    help={
        "at": "Create a schedule besides those of project.yml that runs once at this local time (see --timezone), "
        "e.g. 2027-01-31T06:00:00; default: none",
        "cron": "Create a schedule besides those of project.yml with this cron expression: five fields, "
        'six as EventBridge takes them, or a preset, e.g. "0 2 * * *" or @daily; default: none',
        "data": """With --cron, --rate or --at: JSON object with values for placeholders, """
        """e.g. '{"start_at": "2026-01-01"}'; default: {}""",
        "name": "With --cron, --rate or --at: name of the schedule, which replaces a deployed one of this name, "
        "e.g. nightly; default: default",
        "rate": "Create a schedule besides those of project.yml that runs at this interval, e.g. 15 minutes or 1 hour; "
        "default: none",
        "timezone": "With --cron or --at: IANA name of their time zone, e.g. Europe/Berlin; default: UTC",
    },
)
def put_schedules(
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
    """Create, update and delete a project's schedules until they match project.yml, and print the next runs."""
    from handoff_kit.deploy import schedule_output, schedule_project
    from handoff_kit.project.params_document import state_mode

    schedule_options = schedule_project.ScheduleOptions(name, cron, rate, at, timezone, options.parse_data(data, ()))
    schedule = schedule_project.from_options(schedule_options)
    paths, loaded, target = options.load_target(c, project, environment)
    now = options.utc_now()
    desired = schedule_project.desired_schedules(
        paths, loaded, target, schedule_options, schedule, now=now, say=print_progress
    )
    changes = schedule_project.deploy_schedules(desired, target, apply_options(c, yes=yes))
    print_output(schedule_output.next_times_table(desired.schedules, now))
    for note in schedule_output.schedule_notes(desired.schedules, now):
        print_progress(note)
    if warning := schedule_output.shared_state_warning(desired.schedules, state_mode(loaded)):
        print_progress(warning)
    finish(c, changes, f"invoke schedule.list {target.options}")


@command(
    operates=True, help={"name": "Name of the schedule to delete, e.g. nightly; default: all schedules of the project"}
)
def unschedule(c: Context, project: str = "", name: str = "", environment: str = "", yes: bool = False) -> None:
    """Delete a project's schedules, or one of them; tasks that are running continue."""
    from handoff_kit.deploy.schedule_project import delete_schedules

    paths, target = options.find_target(c, project, environment)
    changes = delete_schedules(paths, target, name, apply_options(c, yes=yes))
    finish(c, changes, f"invoke schedule.list {target.options}")


@command(
    "list",
    help={
        "environment": "Environment to list, e.g. prod; default: every environment",
        "project": "Name of the only project to list, e.g. word-count; default: every project",
    },
)
def list_schedules(c: Context, project: str = "", environment: str = "", json: bool = False) -> None:
    """Print the deployed schedules of every project: expression, time zone, next run."""
    from handoff_kit.aws.cloudformation.stack import describe_all
    from handoff_kit.aws.session import open_session
    from handoff_kit.deploy import schedule_output
    from handoff_kit.paths import check_project_name

    chosen = check_project_name(project) if project else ""
    within = options.parse_environment(environment, os.environ) if environment else ""
    now, session = options.utc_now(), open_session(os.environ, print_progress)
    schedules = schedule_output.list_schedules(describe_all(session), now, project=chosen, environment=within)
    if json:
        print_data(schedule_output.schedules_json(schedules))
    elif schedules:
        print_output(schedule_output.schedules_table(schedules, now))
    if not schedules:
        print_progress(f"no schedule of {f'project {chosen}' if chosen else 'any project'} is deployed")
    print_progress(f"next: invoke {'status' if schedules else 'schedule --project ' + (chosen or 'NAME')}")


@command(
    operates=True,
    help={"clear": "Delete what is printed from the list, after a confirmation; default: keep it, 14 days in all"},
)
def missed(
    c: Context,
    project: str = "",
    clear: bool = False,
    json: bool = False,
    environment: str = "",
    yes: bool = False,
) -> None:
    """Print the runs that a project's schedules could not start: when they were due, why, the commands to run them."""
    from handoff_kit.aws import dead_letters
    from handoff_kit.aws.ecs.secret_detection import project_mask
    from handoff_kit.text import json_lines, plural

    paths, target = options.find_target(c, project, environment, bucket=False)
    url, mask = dead_letters.find_queue(target), project_mask(paths)
    letters = [letter.masked(mask) for letter in dead_letters.list_all(target, url)] if url else []
    if json:
        print_data(json_lines(dead_letters.letter_as_json(letter, target.options) for letter in letters))
    else:
        print_output(dead_letters.format_letters(letters, target.options))
    if not url or not letters:
        found = "no schedule was missed" if url else "it has no schedules, and so no queue of missed ones"
        print_progress(f"project {target.project}: {found}")
        print_progress(f"next: invoke schedule.list --project {target.project}")
        return
    subject, command = plural(len(letters), "missed run"), f"invoke missed --clear {target.options}"
    if not clear:
        print_progress(f"{subject}; to clear the list: {command}")
        print_progress(f"next: {dead_letters.run_command(letters[0], target.options)}")
        return
    if c.config.run.dry:
        print_progress(f"would clear {subject}")
    else:
        confirm(f"clear {subject}", command, yes=yes)
        print_progress(
            f"cleared {plural(dead_letters.delete(target, url, [each.id for each in letters]), 'missed run')}"
        )
    finish(c, len(letters), f"invoke history --remote {target.options}")
