"""The invoke tasks of handoff: read the flags, load the project, plan, execute, say what next."""

from __future__ import annotations

import os
import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from invoke.exceptions import Exit
from invoke.tasks import task

from handoff_kit.errors import HandoffError, ProjectError

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoke.context import Context

    from handoff_kit.names import ProjectPlace

    Task = TypeVar("Task", bound=Callable[..., None])

ROOT = Path(__file__).resolve().parent
PROJECT = (
    "name of a directory under projects/; may be left out inside one, with HANDOFF_PROJECT set, or with one project"
)
ENVIRONMENT = "dev, prod, ...; default: HANDOFF_ENVIRONMENT, else dev"
DATA = """JSON object of values for placeholders, like '{"start_at": "2026-01-01"}'; default: {}"""
VAR = "one value for a placeholder, as NAME=VALUE; may be given many times; goes before --data"
METER = "rows, bytes or off: what to count between stages; default: the project's"


def _told(body: Task) -> Task:
    """A task whose expected errors are told in one line and a hint, and end invoke with their exit code."""

    @wraps(body)
    def telling(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # whatever invoke hands over
        try:
            body(*args, **kwargs)
        except HandoffError as error:
            raise Exit(str(error), code=error.exit_code) from None

    return cast("Task", telling)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # progress goes to stderr


def _place(project: str) -> ProjectPlace:
    from handoff_kit import names

    return names.find(ROOT, project or None, Path.cwd(), os.environ)


def _environment(environment: str) -> str:
    return environment or os.environ.get("HANDOFF_ENVIRONMENT") or "dev"


@task(auto_shortflags=False, help={"project": PROJECT, "environment": ENVIRONMENT})
@_told
def check(c: Context, project: str = "", environment: str = "") -> None:
    """Check a project's file and config, and tell every problem with its line."""
    from handoff_kit import params
    from handoff_kit import project as projects
    from handoff_kit.venvs import status

    place = _place(project)
    loaded = projects.load(place.file, place.shown)
    params.check_functions(place)
    params.document(place, loaded, _environment(environment))
    _say(f"{place.shown}: no problem found")
    unready = [venv.name for venv in loaded.venvs if status(place, venv) != "ready"]
    _say(f"next: invoke {'install' if unready else 'run-local'} --project {place.name}")


@task(
    auto_shortflags=False,
    iterable=["var"],
    help={"project": PROJECT, "data": DATA, "var": VAR, "environment": ENVIRONMENT},
)
@_told
def show_commands(
    c: Context, project: str = "", data: str = "", var: list[str] | None = None, environment: str = ""
) -> None:
    """Print the pipeline that would run, one stage a line, secrets masked."""
    from handoff_kit import given, params
    from handoff_runtime import show, store

    place = _place(project)
    document = params.to_json(params.of_place(place, _environment(environment)))
    shown = show.commands(store.parse(document.encode(), place.shown), given.data(data, var or []), os.environ)
    sys.stdout.write(shown)


@task(
    auto_shortflags=False,
    help={"project": PROJECT, "upgrade": "resolve the requirements anew and rewrite the locks; default: keep them"},
)
@_told
def install(c: Context, project: str = "", upgrade: bool = False) -> None:
    """Install the project's virtual environments from their locks; nothing where nothing changed."""
    from handoff_kit import project as projects
    from handoff_kit import venvs
    from handoff_kit.execute import execute

    place = _place(project)
    wanted = projects.load(place.file, place.shown).venvs
    states = {venv.name: venvs.read_state(place, venv) for venv in wanted}
    steps = venvs.plan_install(place, wanted, states, venvs.find_installer(), upgrade=upgrade)
    execute(steps, dry=c.config.run.dry, say=_say)
    _say(f"{len(wanted)} virtual environments up to date" if not steps else "")
    _say(f"next: invoke run-local --project {place.name}")


@task(
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "output": "file to write, readable by you alone; default: print it",
        "environment": ENVIRONMENT,
    },
)
@_told
def params(c: Context, project: str = "", output: str = "", environment: str = "") -> None:
    """Print or write the params document: the pipeline, and the sensitive config of .local in plain text."""
    from handoff_kit import params as documents
    from handoff_kit.execute import execute
    from handoff_kit.steps import WriteFile

    place = _place(project)
    text = documents.to_json(documents.of_place(place, _environment(environment)))
    if not output:
        sys.stdout.write(text)
        return
    execute((WriteFile(Path.cwd() / output, text, 0o600),), dry=c.config.run.dry, say=_say)
    _say(f"next: invoke run-local --project {place.name} --params {output}")


@task(auto_shortflags=False, help={"project": PROJECT, "environment": ENVIRONMENT})
@_told
def render(c: Context, project: str = "", environment: str = "") -> None:
    """Write what would be sent elsewhere to build/NAME/, to be read: pipeline.json."""
    from handoff_kit import params as documents
    from handoff_kit import project as projects
    from handoff_kit import render as rendering
    from handoff_kit.execute import execute
    from handoff_kit.steps import WriteFile

    place = _place(project)
    pipeline = documents.pipeline_of(place, projects.load(place.file, place.shown), _environment(environment))
    execute((WriteFile(place.build / "pipeline.json", rendering.to_json(pipeline)),), dry=c.config.run.dry, say=_say)
    _say(f"next: invoke run-local --project {place.name}")


@task(
    auto_shortflags=False,
    iterable=["var"],
    help={
        "project": PROJECT,
        "data": DATA,
        "var": VAR,
        "command": "run (default), show_commands, or a public function f(params, data) of the project's impl.py",
        "params": "a params document to run instead of the project file",
        "meter": METER,
        "log-format": "text or json; default: text",
        "environment": ENVIRONMENT,
    },
)
@_told
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
) -> None:
    """Run a project's pipeline on this machine, by the module that runs it in the container."""
    from handoff_kit import given
    from handoff_kit import run_local as running

    place = _place(project)
    asked = running.plan(
        place,
        environment=_environment(environment),
        data=given.data(data, var or []),
        command=given.choice("--command", command, running.commands(place)) or "run",
        params=Path.cwd() / params if params else None,
        meter=given.choice("--meter", meter, given.METERS),
        log_format=given.choice("--log-format", log_format, given.LOG_FORMATS) or "text",
    )
    exit_code = running.run(asked, place, os.environ, dry=c.config.run.dry, say=_say)
    if exit_code:
        raise Exit(code=exit_code)


@task(
    auto_shortflags=False,
    help={"project": "name of the new project", "starter": "what to begin from: shell (default), python or singer"},
)
@_told
def new(c: Context, project: str = "", starter: str = "shell") -> None:
    """Make a project from a starter: a directory under projects/ that runs at once."""
    from handoff_kit.execute import execute
    from handoff_kit.starters import plan_new

    if not project:
        raise ProjectError("no project is named, expected --project NAME", "for example: invoke new --project mine")
    execute(plan_new(ROOT, project, starter), dry=c.config.run.dry, say=_say)
    _say(f"next: invoke check --project {project}")
