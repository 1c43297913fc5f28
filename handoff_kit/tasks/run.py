"""Tasks for runs on Fargate: run, stop, exec, logs."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from handoff_kit.console import confirm, print_data, print_output, print_progress
from handoff_kit.errors import ProjectError
from handoff_kit.tasks import options
from handoff_kit.tasks.task import command, finish

if TYPE_CHECKING:
    from handoff_kit.paths import ProjectPaths


@command(
    operates=True,
    iterable=["var", "env"],
    help={
        "cpu": "CPU units of this run, e.g. 512 (1024 are one vCPU); default: that of the deployed task",
        "detach": "Start the task, print its id and exit; default: wait for the task, and exit with its exit code",
        "env": "Environment variable as NAME=VALUE, e.g. LOG_LEVEL=debug, no secrets (those belong into .local); "
        "may be repeated; default: none",
        "force": "Start a run although the last one could not start, and what it lacked is still missing; "
        "default: refuse then",
        "memory": "Memory of this run, e.g. 2048 (MiB) or 2GB; default: that of the deployed task",
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
    force: bool = False,
    environment: str = "",
) -> None:
    """Run a deployed project on Fargate, follow its log, and exit with its exit code. Ctrl-C asks: detach or stop."""
    from handoff_kit.aws.ecs.cluster import settings_in_use, tasks_of_project
    from handoff_kit.aws.ecs.executions import check_machine
    from handoff_kit.aws.ecs.overrides import TaskSize
    from handoff_kit.aws.ecs.start_check import check_last_start
    from handoff_kit.run import fargate_run

    values = options.parse_data(data, var or [])
    deployed = options.find_deployed(c, project, environment)
    settings = settings_in_use(deployed, print_progress)
    tasks = tasks_of_project(deployed.target, settings, deployed.stack)
    flags = fargate_run.RunFlags(_parse_command(deployed.paths, command), values, env or [], cpu, memory, no_state)
    size = TaskSize(settings.cpu, settings.memory)
    overrides = fargate_run.validate_options(deployed, size, flags, print_progress)
    stack = check_machine(deployed.target, deployed.stack)
    summary = fargate_run.describe_start(tasks, settings, overrides)
    if c.config.run.dry:
        print_progress(f"would {summary}")
        finish(c, 1, "")
        return
    check_last_start(tasks, stack, settings, print_progress, force=force)
    print_progress(summary)
    if detach:
        started, exit_code = fargate_run.start_detached(tasks, overrides, print_progress)
        print_output(f"{started}\n")
        print_progress(fargate_run.commands_for_running(tasks, started))
    else:
        started, result, exit_code = fargate_run.run_attached(
            tasks, overrides, print_progress, lambda lines: print_progress(lines.rstrip("\n"))
        )
        print_progress(fargate_run.describe_result(tasks, started, result))
    if exit_code:
        raise Exit(code=exit_code)


def _parse_command(paths: ProjectPaths, text: str) -> str:
    """--command; a function is looked up in the project's impl.py, where that can be read."""
    from handoff_kit.project.params_document import RESERVED
    from handoff_kit.run import local_run

    if not text or text in RESERVED:
        return text or local_run.RUN
    try:
        known = local_run.list_commands(paths) if paths.directory.is_dir() else ()
    except ProjectError:
        known = ()
    if not known:
        print_progress(f"note: --command {text} is not checked: projects/{paths.name}/impl.py cannot be read")
        return text
    return options.parse_choice("--command", text, known, local_run.FUNCTION_HINT) or text


@command(
    operates=True,
    help={
        "task": "Id of the task to stop, as `invoke status` prints it, e.g. 0123456789abcdef0123456789abcdef, or name "
        "of an execution that waits to start its task, as `invoke run` prints it; default: every one of the project, "
        "after a confirmation if there are several",
    },
)
def stop(c: Context, project: str = "", task: str = "", environment: str = "", yes: bool = False) -> None:
    """Stop a project's runs on Fargate (SIGTERM, SIGKILL after deploy.stop_timeout), and print how they ended."""
    from handoff_kit.run.fargate_run import describe_stopped, find_stoppable, stop_and_wait, subject_of

    tasks = options.find_tasks(c, project, environment)
    running, dry = find_stoppable(tasks, task), c.config.run.dry
    if not running and task:
        print_progress(f"{subject_of(task)} has ended")
    elif not running:
        example = f"{tasks.invoke('stop')} --task ID"
        print_progress(f"no task of {tasks.family} runs; one just started may not be listed yet: {example}")
    elif len(running) > 1 and not dry:
        question = f"stop {len(running)} runs of project {tasks.target.project}"
        confirm(question, f"invoke stop {tasks.target.options}", yes=yes)
    for each in running:
        print_progress(f"{'would ' if dry else ''}stop {each.description}")
    if running and not dry:
        for stopped, result in stop_and_wait(tasks, running, print_progress):
            print_progress(describe_stopped(stopped, result))
    finish(c, len(running), tasks.invoke("logs"))


@command(
    "exec",
    operates=True,
    help={
        "shell": "Command to run in the task, e.g. 'python -q' or 'ls /app'; default: sh",
        "task": "Id of a running task, as `invoke status` prints it; default: the newest one",
    },
)
def open_shell(c: Context, project: str = "", task: str = "", shell: str = "sh", environment: str = "") -> None:
    """Open a shell in a running task on Fargate, by the AWS CLI and its Session Manager plugin. Needs deploy.exec."""
    from handoff_kit.aws.ecs.execute_command import check_programs, execute_command, find_executable_task

    tasks = options.find_tasks(c, project, environment)
    words = execute_command(tasks, find_executable_task(tasks, task), shell)
    if c.config.run.dry:
        print_progress(f"would run {shlex.join(words)}")
        finish(c, 1, "")
        return
    check_programs(shlex.join(words))
    print_progress(f"run {shlex.join(words)}")
    os.execvp(words[0], words)  # noqa: S606  # the session gets this terminal and its signals


@command(
    operates=True,
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
    tasks = options.find_tasks(c, project, environment)
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
