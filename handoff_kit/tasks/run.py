"""Runs on Fargate: start one and watch it, stop it, read its log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke.exceptions import Exit
from invoke.tasks import task

from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import conclude, put, put_data, say, told

if TYPE_CHECKING:
    from invoke.context import Context

    from handoff_kit.fargate.ground import Cluster
    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project

TASK = "id of a task, as invoke status tells it"


@task(
    auto_shortflags=False,
    iterable=["var", "env"],
    help={
        "project": flags.PROJECT,
        "data": flags.DATA,
        "var": flags.VAR,
        "env": "one environment variable, as NAME=VALUE; may be given many times; no secrets: those go into .local",
        "command": "run (default), show_commands, or a public function f(params, data) of the project's impl.py",
        "cpu": "CPU units for this run, 1024 are one vCPU; default: deploy.cpu of the project",
        "memory": "memory for this run in MiB, or like 2GB; default: deploy.memory of the project",
        "no-state": flags.NO_STATE,
        "detach": "start it, print the id of its task, and do not wait; default: wait, and end with its exit code",
        "environment": flags.ENVIRONMENT,
    },
)
@told
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
    """Run a deployed project on Fargate, follow its log, and end with its exit code. Ctrl-C asks: detach or stop."""
    from handoff_kit import given
    from handoff_kit import run_local as running
    from handoff_kit.fargate import ground
    from handoff_kit.fargate import run as runs
    from handoff_kit.fargate.size import Size

    place, loaded = _loaded(c, project)
    chosen = given.choice("--command", command, running.commands(place), running.OWN_FUNCTION) or running.RUN
    words = runs.Words(chosen, given.data(data, var or []), env or [], cpu, memory, no_state)
    asked = runs.asked(place, loaded, flags.environment(environment), words)
    cluster = _cluster(place, loaded, environment)
    network = ground.read_network(cluster.stack, loaded.deploy)
    dry = c.config.run.dry
    own = Size(loaded.deploy.cpu, loaded.deploy.memory)
    say(f"{'would ' if dry else ''}{runs.told(cluster, network, asked, own)}")
    if dry:
        conclude(c, [asked], "")
    elif detach:
        started = runs.launch(cluster, network, asked, say)
        put(f"{started}\n")
        say(runs.after_launch(cluster, started))
    else:
        started, found, exit_code = runs.follow(cluster, network, asked, say, lambda lines: say(lines.rstrip("\n")))
        say(runs.conclude(cluster, started, found))
        if exit_code:
            raise Exit(code=exit_code)


def _loaded(c: Context, project: str) -> tuple[ProjectPlace, Project]:
    """The project that is meant, and what its file says."""
    from handoff_kit.project import load as projects

    place = flags.place(c, project)
    return place, projects.load(place.file, place.shown)


def _cluster(place: ProjectPlace, loaded: Project, environment: str) -> Cluster:
    """The project's tasks in AWS."""
    from handoff_kit.fargate import ground
    from handoff_kit.remote import connection, names, parameter

    name, own = flags.environment(environment), loaded.deploy.bucket
    if names.named_bucket(os.environ, own, place.shown):  # to note that the project is deployed with another one
        return ground.cluster_of(connection.connect(place, name, os.environ, say, own=own), loaded.deploy)
    clients = connection.sign_in(os.environ, say)
    stack = connection.stack(place, name, os.environ, clients, "")
    if names.given_stack(os.environ):
        parameter.check_whose(stack)
    return ground.cluster_of(stack, loaded.deploy)


@task(
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "task": f"{TASK}; default: all of the project, asked for where they are several",
        "environment": flags.ENVIRONMENT,
        "yes": flags.YES,
    },
)
@told
def stop(
    c: Context,
    project: str = "",
    task: str = "",
    environment: str = "",
    yes: bool = False,
) -> None:
    """Stop the runs of a project on Fargate, SIGKILL coming after deploy.stop_timeout, and tell how they ended."""
    from handoff_kit.fargate import run as runs
    from handoff_kit.fargate import tasks
    from handoff_kit.remote import consent

    cluster = _cluster(*_loaded(c, project), environment)
    found = runs.chosen(cluster, task)
    dry, after = c.config.run.dry, cluster.known.invoke("logs")
    if not found:
        example = f"{cluster.known.invoke('stop')} --task ID"
        listed = f"no task of {cluster.family} runs; one that has just started may not be listed yet: {example}"
        say(f"task {tasks.id_of(task)} has ended" if task else listed)
    elif len(found) > 1 and not dry:
        command = f"invoke stop {cluster.known.options}"
        consent.ask(f"stop {len(found)} tasks of project {cluster.stack.project}", command, yes=yes)
    for one in found:
        say(f"{'would ' if dry else ''}stop task {tasks.id_of(one['taskArn'])} ({one['lastStatus']})")
    if found and not dry:
        for each, how in runs.stop(cluster, found, say):
            say(runs.ended(each, how))
    conclude(c, found, after)


@task(
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "run": "id of a run, as invoke history --remote tells it, or of its task; default: the newest task",
        "since": "all tasks' lines since a time like 2026-01-31T06:00:00Z, or a span like 90m, 24h, 7d",
        "lines": "how many at most, the last ones; default: all",
        "follow": "go on printing what comes, of the next tasks too, until Ctrl-C; with --run until that one has ended",
        "json": "one JSON object a line, as the runtime wrote it; default: text",
        "environment": flags.ENVIRONMENT,
    },
)
@told
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
    """Print the log of the project's last run on Fargate, of any, or of all since a time."""
    import time

    from handoff_kit.fargate import logs as reading
    from handoff_kit.fargate.log import Form
    from handoff_kit.remote import history

    count = history.number("--lines", lines)
    moment = reading.moment(since)
    cluster = _cluster(*_loaded(c, project), environment)
    several = bool(since) and not run and not follow
    asked = reading.Asked("" if several else reading.stream(cluster, run), moment, count)
    form, show = Form(json), put_data if json else put
    if follow:
        try:
            reading.follow(cluster, asked, form, reading.Effects(show, say, time.sleep), on=not run)
        except KeyboardInterrupt:
            say("\nno longer followed; what runs is left alone")
    elif not reading.read(cluster, asked, form, show):
        say(f"no line found{f' since {since}' if since else ''}")
    say(f"next: {cluster.known.invoke('status')}")
