"""Tasks for runs on Fargate: run, stop, logs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from handoff_kit.console import confirm, print_data, print_output, print_progress
from handoff_kit.tasks import options
from handoff_kit.tasks.task import command, finish

if TYPE_CHECKING:
    from handoff_kit.aws.ecs.cluster import ProjectTasks
    from handoff_kit.paths import ProjectPaths
    from handoff_kit.project.model import Project


@command(
    iterable=["var", "env"],
    help={
        "cpu": "CPU units of this run, e.g. 512 (1024 are one vCPU); default: deploy.cpu of the project",
        "detach": "Start the task, print its id and exit; default: wait for the task, and exit with its exit code",
        "env": "Environment variable as NAME=VALUE, e.g. LOG_LEVEL=debug, no secrets (those belong into .local); "
        "may be repeated; default: none",
        "memory": "Memory of this run, e.g. 2048 (MiB) or 2GB; default: deploy.memory of the project",
    },
)
def run(
    c: Context,
    project: str = "",
    data: str = "",
    var: list[str] | None = None,
    env: list[str] | None = None,
    command: str = "",
    cpu: str = "",
    memory: str = "",
    no_state: bool = False,
    detach: bool = False,
    environment: str = "",
) -> None:
    """Run a deployed project on Fargate, follow its log, and exit with its exit code. Ctrl-C asks: detach or stop."""
    from handoff_kit.aws.ecs.executions import describe_machine
    from handoff_kit.run import fargate_run, local_run

    paths, loaded = options.load_project(c, project)
    chosen = options.parse_choice("--command", command, local_run.list_commands(paths), local_run.FUNCTION_HINT)
    values = options.parse_data(data, var or [])
    flags = fargate_run.RunFlags(chosen or local_run.RUN, values, env or [], cpu, memory, no_state)
    overrides = fargate_run.validate_options(paths, loaded, options.parse_environment(environment, os.environ), flags)
    tasks = _project_tasks(paths, loaded, environment)
    machine = describe_machine(tasks.target)
    summary = fargate_run.describe_start(tasks, machine, overrides)
    if c.config.run.dry:
        print_progress(f"would {summary}")
        finish(c, 1, "")
        return
    print_progress(summary)
    if detach:
        started, exit_code = fargate_run.start_detached(tasks, machine, overrides, print_progress)
        print_output(f"{started}\n")
        print_progress(fargate_run.commands_for_running(tasks, started))
    else:
        started, result, exit_code = fargate_run.run_attached(
            tasks, machine, overrides, print_progress, lambda lines: print_progress(lines.rstrip("\n"))
        )
        print_progress(fargate_run.describe_result(tasks, started, result))
    if exit_code:
        raise Exit(code=exit_code)


def _project_tasks(paths: ProjectPaths, loaded: Project, environment: str) -> ProjectTasks:
    from handoff_kit import resource_names
    from handoff_kit.aws.ecs.cluster import tasks_of_project
    from handoff_kit.aws.params import check_params_owner
    from handoff_kit.aws.session import open_session, target_by_name, target_from_project

    name, own = options.parse_environment(environment, os.environ), loaded.deploy.bucket
    if resource_names.named_bucket(os.environ, own, paths.display_path):  # a note if it is deployed with another one
        target = target_from_project(paths, name, os.environ, print_progress, own=own)
    else:
        target = target_by_name(paths, name, os.environ, open_session(os.environ, print_progress), "")
        if resource_names.stack_from_environment(os.environ):
            check_params_owner(target)
    return tasks_of_project(target, loaded.deploy)


@command(
    help={
        "task": "Id of the task to stop, as `invoke status` prints it, e.g. 0123456789abcdef0123456789abcdef, or name "
        "of an execution that waits to start its task, as `invoke run` prints it; default: every one of the project, "
        "after a confirmation if there are several",
    }
)
def stop(c: Context, project: str = "", task: str = "", environment: str = "", yes: bool = False) -> None:
    """Stop a project's runs on Fargate (SIGTERM, SIGKILL after deploy.stop_timeout), and print how they ended."""
    from handoff_kit.run.fargate_run import describe_stopped, find_stoppable, stop_and_wait, subject_of

    tasks = _project_tasks(*options.load_project(c, project), environment)
    running, dry = find_stoppable(tasks, task), c.config.run.dry
    if not running and task:
        print_progress(f"{subject_of(task)} has ended")
    elif not running:
        example = f"{tasks.invoke('stop')} --task ID"
        print_progress(f"no task of {tasks.family} runs; one just started may not be listed yet: {example}")
    elif len(running) > 1 and not dry:
        question = f"stop {len(running)} tasks of project {tasks.target.project}"
        confirm(question, f"invoke stop {tasks.target.options}", yes=yes)
    for each in running:
        print_progress(f"{'would ' if dry else ''}stop {each.description}")
    if running and not dry:
        for stopped, result in stop_and_wait(tasks, running, print_progress):
            print_progress(describe_stopped(stopped, result))
    finish(c, len(running), tasks.invoke("logs"))


@command(
    help={
        "follow": "Print new lines until Ctrl-C, those of later tasks too; with --run until that run ends; "
        "default: exit after the last line",
        "json": "Print JSON as the runtime wrote it, one object per line; default: text",
        "lines": "Number of lines to print, the last ones, e.g. 100; default: all",
        "run": "Id of a run as `invoke history --remote` prints it, e.g. 20270131T060000Z-3fc643, or of its task, or "
        "name of its execution; "
        "default: the newest task",
        "since": "Start of the log of all tasks: a time, e.g. 2027-01-31T06:00:00Z, or an age, e.g. 90m, 24h or 7d; "
        "default: the log of one task",
    },
)
def logs(
    c: Context,
    project: str = "",
    run: str = "",
    since: str = "",
    lines: str = "",
    follow: bool = False,
    json: bool = False,
    environment: str = "",
) -> None:
    """Print the log of a project's last run on Fargate, of another run, or of all runs since a time."""
    from handoff_kit.aws.ecs.log_stream import LogFormatter
    from handoff_kit.aws.ecs.logs import LogQuery, LogSink, find_stream, follow_logs, print_logs, since_seconds
    from handoff_kit.aws.history import parse_count
    from handoff_runtime import polling

    count = parse_count("--lines", lines)
    moment = since_seconds(since)
    tasks = _project_tasks(*options.load_project(c, project), environment)
    several = bool(since) and not run and not follow
    query = LogQuery("" if several else find_stream(tasks, run), moment, count)
    form, show = LogFormatter(json), print_data if json else print_output
    if follow:
        try:
            follow_logs(tasks, query, form, LogSink(show, print_progress, polling.sleep), on=not run)
        except KeyboardInterrupt:
            print_progress("\nstopped following; the task keeps running")
    elif not print_logs(tasks, query, form, show):
        print_progress(f"no line found{f' since {since}' if since else ''}")
    print_progress(f"next: {tasks.invoke('status')}")
