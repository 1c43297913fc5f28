"""Deploy the schedules of a project, and delete them.

from_options, from_project   a schedule of the command line, or those of the project file
desired_schedules            checked, and merged with those that are deployed -> DesiredSchedules
deploy_schedules             plan the schedule stack and apply the steps
delete_schedules             one schedule, or the whole stack
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from handoff_kit import resource_names
from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.aws.cloudformation.stack import (
    FAILED_CREATION,
    STABLE_STATUSES,
    StackDescription,
    check_owner,
    describe_existing,
)
from handoff_kit.aws.ecs.cluster import deployed_settings, tasks_of_project
from handoff_kit.aws.ecs.executions import check_machine
from handoff_kit.aws.ecs.overrides import check_data
from handoff_kit.aws.ecs.secret_detection import project_mask
from handoff_kit.aws.ecs.start_check import check_last_start
from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.deploy.schedule_template import deployed_schedules, render_schedule_template, settings_of_schedules
from handoff_kit.errors import AWSError, ProjectError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project import name_limits
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.project.execution_input import overrides_length
from handoff_kit.project.model import Project
from handoff_kit.project.patterns import MAX_OVERRIDES, SCHEDULE_NAME, is_name, matches
from handoff_kit.project.schedule_settings import Schedule, schedule_input
from handoff_kit.scheduling.expression import KINDS, expression_problem
from handoff_kit.scheduling.next_times import next_times
from handoff_kit.scheduling.timezones import timezone_problem, zone_of
from handoff_kit.steps import DeleteStack, DeployStack, WriteFile
from handoff_kit.text import did_you_mean
from handoff_runtime import exact_json


@dataclass(frozen=True)
class ScheduleOptions:
    """The options of `invoke schedule` that describe one schedule, as they were typed."""

    name: str = ""
    cron: str = ""
    rate: str = ""
    at: str = ""
    timezone: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def typed(self) -> str:
        """The options for a shell."""
        texts = {name: getattr(self, name) for name in ("name", "cron", "rate", "at", "timezone")}
        texts["data"] = exact_json.dumps(dict(self.data), ensure_ascii=False) if self.data else ""
        return "".join(f" --{name} {shlex.quote(text)}" for name, text in texts.items() if text)


@dataclass(frozen=True)
class DesiredSchedules:
    """The schedules of a project after the deployment; `command` is the command that repeats it.

    Of `deploy`, tags and permissions boundary are used. `made_from` is as in DeployStack.
    """

    paths: ProjectPaths
    deploy: Deploy
    schedules: tuple[Schedule, ...]
    command: str
    made_from: str | None = None


def from_options(options: ScheduleOptions) -> Schedule | None:
    """The schedule that the options describe; None if they describe none."""
    kinds = [kind for kind in KINDS if getattr(options, kind)]
    if not kinds:
        for name in ("name", "timezone", "data"):
            if getattr(options, name):
                message = f"--{name}: found without a time, expected --cron, --rate or --at with it"
                raise ProjectError(message, f"for example: --cron '0 2 * * *'{options.typed}")
        return None
    if len(kinds) > 1:
        message = f"--{kinds[1]}: found together with --{kinds[0]}, expected one of --cron, --rate and --at"
        raise ProjectError(message, "create two schedules, each with its own --name")
    kind, timezone, name = kinds[0], options.timezone or "UTC", options.name or "default"
    text = getattr(options, kind)
    if problem := timezone_problem(timezone):
        raise ProjectError(f"--timezone: {problem[0]}", problem[1])
    if problem := expression_problem(kind, text, timezone):
        raise ProjectError(f"--{kind}: {problem[0]}", problem[1])
    if not matches(SCHEDULE_NAME, name):
        message = f"--name: found {name!r}, expected letters, digits, -, _ and ., at most 64 characters"
        raise ProjectError(message, "for example: --name nightly")
    return Schedule(name=name, timezone=timezone, data=_data_texts(options.data), **{kind: text})


def _data_texts(data: Mapping[str, Any]) -> dict[str, str]:
    """Values as texts, which placeholders take."""
    for name in data:
        if not is_name(name):
            message = f"--data: found the name {name!r}, expected letters, digits and _"
            raise ProjectError(message, "for example: base_2")
    return {
        name: value if isinstance(value, str) else exact_json.dumps(value, separators=(",", ":"))
        for name, value in data.items()
    }


def from_project(project: Project, paths: ProjectPaths, target: Target) -> tuple[Schedule, ...]:
    """The schedules of the project file; ProjectError if it has none."""
    if project.schedules:
        return project.schedules
    snippet = 'schedules: [{name: nightly, cron: "0 2 * * *", timezone: Europe/Berlin}]'
    hint = f"add {snippet}; or, without the file: invoke schedule {target.options} --cron '0 2 * * *'"
    raise ProjectError(f"{paths.display_path}: found no schedules, expected at least one", hint)


def desired_schedules(
    paths: ProjectPaths,
    project: Project,
    target: Target,
    options: ScheduleOptions,
    schedule: Schedule | None,
    *,
    now: datetime,
    say: Say,
) -> DesiredSchedules:
    """The deployed schedules and `schedule`, that of the options; without it those of the project file alone."""
    check_secrets(paths, options.data)
    chosen = (schedule,) if schedule else from_project(project, paths, target)
    stack = _schedule_stack(target)
    existing = _schedules_of(stack, target, required=schedule is not None)
    check_schedules(chosen, existing, now)
    if schedule is None:
        kept = {each.name for each in chosen}
        for name in (each.name for each in existing if each.name not in kept):
            say(f"note: schedule {name} is deployed, but not in {paths.display_path}: it will be deleted")
    schedules = add_schedule(existing, schedule) if schedule else chosen
    command = f"invoke schedule {target.options}{options.typed}"
    return DesiredSchedules(paths, project.deploy, schedules, command, made_from(stack) if schedule else None)


def made_from(deployed: StackDescription | None) -> str | None:
    """The template that the deployed schedules are read from; None while it is not certain which one that is."""
    if deployed is None:
        return ""
    return deployed.template if deployed.status in STABLE_STATUSES else None


def add_schedule(deployed: Sequence[Schedule], schedule: Schedule) -> tuple[Schedule, ...]:
    """The deployed schedules and `schedule`, which replaces a deployed one of its name."""
    return (*(other for other in deployed if other.name != schedule.name), schedule)


def remove_schedule(deployed: Sequence[Schedule], name: str, target: Target) -> tuple[Schedule, ...]:
    """The deployed schedules without the one of this name; ProjectError if there is none."""
    known = [schedule.name for schedule in deployed]
    if name in known:
        return tuple(schedule for schedule in deployed if schedule.name != name)
    suggestion = did_you_mean(name, known)
    hint = f"did you mean: --name {suggestion}" if suggestion else f"invoke schedule.list {target.options}"
    raise ProjectError(f"--name: found {name!r}, expected a deployed schedule: {', '.join(known)}", hint)


def check_schedules(schedules: Sequence[Schedule], deployed: Sequence[Schedule], now: datetime) -> None:
    """Refuse schedules that RunTask would, and those that never run; one that is over may stay deployed."""
    for schedule in schedules:
        where = f"schedule {schedule.name}"
        if (length := overrides_length(schedule_input(schedule.name, schedule.data))) > MAX_OVERRIDES:
            message = f"{where}: data: found {length:,} characters with all overrides of a run"
            hint = "put what is long into a file: projects/NAME/files/, then: invoke files.push"
            raise ProjectError(f"{message}, expected at most {MAX_OVERRIDES:,}", hint)
        if schedule in deployed or schedule.kind == "rate":
            continue
        if not next_times(schedule.expression, schedule.timezone, now, 1).times:
            found = f"{schedule.kind}: found `{schedule.text}`, which never comes again"
            message = f"{where}: {found}, expected a time in the future"
            raise ProjectError(
                message,
                f"in {schedule.timezone} it is {now.astimezone(zone_of(schedule.timezone)):%Y-%m-%dT%H:%M:%S} now",
            )


def check_secrets(paths: ProjectPaths, data: Mapping[str, Any]) -> None:
    """Refuse data that holds a secret: anyone with scheduler:GetSchedule can read it."""
    if data:
        check_data(data, paths.name, project_mask(paths))


def deploy_schedules(desired: DesiredSchedules, target: Target, options: ApplyOptions) -> int:
    """Create or update the schedule stack; how many steps changed something."""
    stack = check_machine(target, describe_existing(target.session, target.name))
    settings = deployed_settings(stack, None)
    tasks = tasks_of_project(target, settings, stack)
    check_last_start(tasks, stack, settings, options.say, force=options.dry or None)
    return apply(plan_schedules(desired, target), target, options)


def plan_schedules(desired: DesiredSchedules, target: Target) -> tuple[WriteFile, DeployStack]:
    """The steps that make the schedule stack hold these schedules and no others."""
    paths, deploy = desired.paths, desired.deploy
    for message, hint in name_limits.stack_name_problems(target.name, target.environment, deploy, schedules=True):
        raise ProjectError(f"{paths.display_path}: {message}", hint)
    file, name = paths.build / "schedule.yml", resource_names.schedule_stack(target.name)
    tags = {**deploy.tags, **resource_names.owner_tags(paths.name, target.environment)}
    text = render_schedule_template(paths.root, paths.name, desired.schedules, deploy, target.name, target.environment)
    return (
        WriteFile(file, text),
        DeployStack(name, file, text, {}, tags, desired.command, target.bucket, made_from=desired.made_from),
    )


def delete_schedules(paths: ProjectPaths, target: Target, name: str, options: ApplyOptions) -> int:
    """Delete the schedule of a name, or all; how many steps changed something. The others stay as they are deployed."""
    deployed, command = _schedule_stack(target), f"invoke unschedule {target.options}"
    if name and not deployed:
        message = f"project {target.project}: no schedule is deployed, expected {name}"
        raise AWSError(message, f"invoke schedule.list {target.options}")
    if name and deployed:
        command = f"{command} --name {name}"
        remaining = remove_schedule(_schedules_of(deployed, target, required=True), name, target)
        if remaining:
            desired = DesiredSchedules(paths, settings_of_schedules(deployed), remaining, command, made_from(deployed))
            check_machine(target, describe_existing(target.session, target.name))
            return apply(plan_schedules(desired, target), target, options)
    return apply((DeleteStack(resource_names.schedule_stack(target.name), command),), target, options)


def _schedule_stack(target: Target) -> StackDescription | None:
    """The schedule stack with its template; None also if its creation failed: then it has no schedules.

    AWSError for a stack of another owner: the task stack of a project NAME-schedule has this name too.
    """
    deployed = describe_existing(target.session, resource_names.schedule_stack(target.name), template=True)
    if deployed:
        check_owner(deployed, resource_names.owner_tags(target.project, target.environment))
    return None if deployed and deployed.status == FAILED_CREATION else deployed


def _schedules_of(deployed: StackDescription | None, target: Target, *, required: bool) -> tuple[Schedule, ...]:
    """The deployed schedules; where they are `required`, an error if the stack's template does not hold them."""
    schedules = deployed_schedules(deployed) if deployed else ()
    if schedules is None and deployed and required:
        message = f"stack {deployed.name}: found no list of its schedules, expected one in its template"
        raise AWSError(message, f"write them all into project.yml, then: invoke schedule {target.options}")
    return schedules or ()
