"""What is done on this machine: check, install, run, make a project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit
from invoke.tasks import task

from handoff_kit.errors import ProjectError
from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import do, put, say, told

if TYPE_CHECKING:
    from invoke.context import Context

    from handoff_kit.image.builder import Builder
    from handoff_kit.names import ProjectPlace
    from handoff_kit.runtime import Container


@task(auto_shortflags=False, help={"project": flags.PROJECT, "environment": flags.ENVIRONMENT})
@told
def check(c: Context, project: str = "", environment: str = "") -> None:
    """Check a project's file and config, and tell every problem with its line; note what an image would lack."""
    from handoff_kit import names, run_local, shell
    from handoff_kit.deploy.schedule_output import shared_state_warning
    from handoff_kit.image import obstacles
    from handoff_kit.project import load as projects
    from handoff_kit.project import name_limits as limits
    from handoff_kit.project import params_document as params
    from handoff_kit.project.params_document import state_choice, state_mode
    from handoff_kit.venvs.install import venv_status

    place = flags.place(c, project)
    asked = flags.environment(environment)
    loaded = projects.load(place.file, place.shown)
    limits.refuse(place, asked, loaded, names.known(place.root))
    params.check_functions(place)
    missing = run_local.not_given(params.document(place, loaded, asked))
    say(f"{place.shown}: no problem found")
    if chosen := state_choice(loaded):
        say(chosen)
    if warning := shared_state_warning(loaded.schedules, state_mode(loaded)):
        say(warning)
    for pipe in shell.unguarded_pipes(place, loaded, os.environ):
        say(f"note: {pipe.where}:{pipe.line}:{pipe.column}: {pipe.message}\nhint: {pipe.hint}")
    for obstacle in obstacles.obstacles(place, loaded):
        say(f"note: for an image: {obstacle.message}\nhint: {obstacle.hint}")
    flags.warn_of_git(place)
    unready = [venv.name for venv in loaded.venvs if venv_status(place, venv) != "ready"]
    given = f" --var {missing}=VALUE" if missing and not unready else ""
    if missing:
        say(f"note: placeholder {{{{ {missing} }}}} has no default; every run is to give it a value")
    say(f"next: invoke {'install' if unready else 'run-local'} --project {place.name}{given}")


@task(
    auto_shortflags=False,
    iterable=["var"],
    help={"project": flags.PROJECT, "data": flags.DATA, "var": flags.VAR, "environment": flags.ENVIRONMENT},
)
@told
def show_commands(
    c: Context, project: str = "", data: str = "", var: list[str] | None = None, environment: str = ""
) -> None:
    """Print the pipeline that would run, one stage a line, secrets masked."""
    from handoff_kit import given, run_local
    from handoff_kit.project import params_document as params

    place = flags.place(c, project)
    document = params.to_json(params.of_place(place, flags.environment(environment)))
    put(run_local.preview(document, "run", given.data(data, var or []), os.environ))


@task(
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "upgrade": "resolve the requirements anew and rewrite the locks; default: keep them",
    },
)
@told
def install(c: Context, project: str = "", upgrade: bool = False) -> None:
    """Install the project's virtual environments from their locks; nothing where nothing changed."""
    from handoff_kit.project import load as projects
    from handoff_kit.venvs.install import find_installer, plan_install, read_venv_state

    place = flags.place(c, project)
    wanted = projects.load(place.file, place.shown).venvs
    states = {venv.name: read_venv_state(place, venv) for venv in wanted}
    steps = plan_install(place, wanted, states, find_installer(), upgrade=upgrade)
    if not steps:
        say(_up_to_date(len(wanted)))
    do(c, steps, f"invoke run-local --project {place.name}")


def _up_to_date(venvs: int) -> str:
    if not venvs:
        return "nothing to install: the project declares no virtual environment"
    return f"{venvs} virtual environment{'s' if venvs > 1 else ''} up to date"


@task(
    auto_shortflags=False,
    iterable=["var"],
    help={
        "project": flags.PROJECT,
        "data": flags.DATA,
        "var": flags.VAR,
        "command": "run (default), show_commands, or a public function f(params, data) of the project's impl.py",
        "params": "a params document to run instead of the project file",
        "meter": flags.METER,
        "log-format": "text (default), or json: the log alone, one object a line, without live view and summary",
        "environment": flags.ENVIRONMENT,
        "container": "run in a container of the project's image (invoke build makes it); default: run here",
        "memory": "with --container: what it may use, like 512m or 2g; default: no limit",
        "builder": "with --container: " + flags.BUILDER,
        "remote": "run here with the params, files, artifacts and state that are stored in AWS; default: those here",
        "no-state": flags.NO_STATE,
    },
)
@told
def run_local(
    c: Context,
    project: str = "",
    data: str = "",
    var: list[str] | None = None,
    command: str = "",
    params: str = "",
    meter: str = "",
    log_format: str = "",
    environment: str = "",
    container: bool = False,
    memory: str = "",
    builder: str = "",
    remote: bool = False,
    no_state: bool = False,
) -> None:
    """Run a project's pipeline on this machine: as it is, in a container of its image, or with what is in AWS."""
    from handoff_kit import given
    from handoff_kit import run_local as running

    place = flags.place(c, project)
    _check_belongs("--container", given=container, memory=memory, builder=builder)
    _check_apart("--remote", given=remote, container=container, params=bool(params))
    words: dict[str, Any] = {
        "command": given.choice("--command", command, running.commands(place), running.OWN_FUNCTION) or running.RUN,
        "data": given.data(data, var or []),
        "meter": given.choice("--meter", meter, given.METERS),
        "log_format": given.choice("--log-format", log_format, given.LOG_FORMATS) or "text",
        "no_state": no_state,
    }
    dry = c.config.run.dry
    if remote:
        _, stack = flags.stack(c, place.name, environment)
        exit_code = running.run_remote(place, stack, words, os.environ, dry=dry, say=say)
    else:
        inside = _inside(place, memory, builder) if container else None
        file = Path.cwd() / params if params else None
        words |= {
            "environment": flags.environment(environment),
            "params": file,
            "container": inside[1] if inside else None,
        }
        asked = running.plan(place, **words)
        if inside:
            exit_code = running.run_contained(asked, inside[0], place, os.environ, dry=dry, say=say)
        else:
            exit_code = running.run(asked, place, os.environ, dry=dry, say=say)
    if exit_code:
        raise Exit(code=exit_code)


def _inside(place: ProjectPlace, memory: str, asked: str) -> tuple[Builder, Container]:
    """The container that the project's image is run in."""
    from handoff_kit.image import container as containers

    limit = containers.memory_limit(memory)
    worker, image = flags.image(place, asked)
    caller = containers.Caller(os.getuid(), os.getgid())
    return worker, containers.container(worker, image, place, environ=os.environ, caller=caller, memory=limit)


def _check_apart(flag: str, *, given: bool, **others: bool) -> None:
    """Refuse flags that say the opposite of another one."""
    for name, also in others.items():
        if given and also:
            raise ProjectError(f"{flag}: found together with --{name}, expected one of them", f"leave out --{name}")


def _check_belongs(flag: str, *, given: bool, **others: str) -> None:
    """Refuse flags that mean nothing without another one."""
    for name, value in others.items():
        if value and not given:
            raise ProjectError(f"--{name}: found {value!r} without {flag}, to which it belongs", f"add {flag}")


@task(
    auto_shortflags=False,
    help={"project": "name of the new project", "starter": "what to begin from: shell (default), python or singer"},
)
@told
def new(c: Context, project: str = "", starter: str = "shell") -> None:
    """Make a project from a starter: a directory under projects/ that runs at once."""
    from handoff_kit.starters import plan_new

    if not project:
        raise ProjectError("no project is named, expected --project NAME", "for example: invoke new --project mine")
    do(c, plan_new(flags.root(c), project, starter), f"invoke check --project {project}")
