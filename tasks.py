"""The invoke tasks of handoff: read the flags, load the project, plan, execute, say what next."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.tasks import task

from handoff_kit import command_line, streams
from handoff_kit.errors import HandoffError, ProjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from invoke.context import Context

    from handoff_kit.names import ProjectPlace
    from handoff_kit.steps import Step

    Task = TypeVar("Task", bound=Callable[..., None])

# invoke switches this off, which would have all of pydantic and rich compiled anew at every start.
sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))

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
    try:
        print(text, file=sys.stderr, flush=True)  # noqa: T201  # progress goes to stderr
    except BrokenPipeError:
        streams.give_up(sys.stderr)


def _put(text: str) -> None:
    """Data, and nothing else, goes to stdout: as UTF-8 wherever we are, and quietly where nobody reads on."""
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.flush()
    except BrokenPipeError:
        streams.give_up(sys.stdout)
        raise Exit(code=128 + signal.SIGPIPE) from None


def _do(c: Context, steps: Sequence[Step], after: str) -> None:
    """Do the steps, or tell them; then say what comes next."""
    from handoff_kit.execute import execute

    execute(steps, dry=c.config.run.dry, say=_say)
    _say("nothing was done: --dry" if c.config.run.dry and steps else f"next: {after}")


def _place(project: str) -> ProjectPlace:
    from handoff_kit import names

    return names.find(ROOT, project or None, Path.cwd(), os.environ)


def _environment(environment: str) -> str:
    from handoff_kit import given

    return given.environment(environment, os.environ)


@task(auto_shortflags=False, help={"project": PROJECT, "environment": ENVIRONMENT})
@_told
def check(c: Context, project: str = "", environment: str = "") -> None:
    """Check a project's file and config, and tell every problem with its line."""
    from handoff_kit import params, run_local, venvs
    from handoff_kit import project as projects

    place = _place(project)
    loaded = projects.load(place.file, place.shown)
    params.check_functions(place)
    missing = run_local.not_given(params.document(place, loaded, _environment(environment)))
    _say(f"{place.shown}: no problem found")
    unready = [venv.name for venv in loaded.venvs if venvs.status(place, venv) != "ready"]
    given = f" --var {missing}=VALUE" if missing and not unready else ""
    if missing:
        _say(f"note: placeholder {{{{ {missing} }}}} has no default; every run is to give it a value")
    _say(f"next: invoke {'install' if unready else 'run-local'} --project {place.name}{given}")


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
    from handoff_kit import given, params, run_local

    place = _place(project)
    document = params.to_json(params.of_place(place, _environment(environment)))
    _put(run_local.preview(document, "run", given.data(data, var or []), os.environ))


@task(
    auto_shortflags=False,
    help={"project": PROJECT, "upgrade": "resolve the requirements anew and rewrite the locks; default: keep them"},
)
@_told
def install(c: Context, project: str = "", upgrade: bool = False) -> None:
    """Install the project's virtual environments from their locks; nothing where nothing changed."""
    from handoff_kit import project as projects
    from handoff_kit import venvs

    place = _place(project)
    wanted = projects.load(place.file, place.shown).venvs
    states = {venv.name: venvs.read_state(place, venv) for venv in wanted}
    steps = venvs.plan_install(place, wanted, states, venvs.find_installer(), upgrade=upgrade)
    if not steps:
        _say(_up_to_date(len(wanted)))
    _do(c, steps, f"invoke run-local --project {place.name}")


def _up_to_date(venvs: int) -> str:
    if not venvs:
        return "nothing to install: the project declares no virtual environment"
    return f"{venvs} virtual environment{'s' if venvs > 1 else ''} up to date"


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
    from handoff_kit.steps import WriteFile

    place = _place(project)
    text = documents.to_json(documents.of_place(place, _environment(environment)))
    if output:
        after = f"invoke run-local --project {place.name} --params {shlex.quote(output)}"
        _do(c, (WriteFile(Path.cwd() / output, text, 0o600),), after)
    elif c.config.run.dry:
        _say(f"would print the params document ({len(text.encode()):,} bytes)")
    else:
        _put(text)


@task(auto_shortflags=False, help={"project": PROJECT, "environment": ENVIRONMENT})
@_told
def render(c: Context, project: str = "", environment: str = "") -> None:
    """Write what would be sent elsewhere to build/NAME/, to be read: pipeline.json."""
    from handoff_kit import params as documents
    from handoff_kit import project as projects
    from handoff_kit import render as rendering
    from handoff_kit.steps import WriteFile

    place = _place(project)
    pipeline = documents.pipeline_of(place, projects.load(place.file, place.shown), _environment(environment))
    steps = (WriteFile(place.build / "pipeline.json", rendering.to_json(pipeline)),)
    _do(c, steps, f"invoke run-local --project {place.name}")


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
        "log-format": "text (default), or json: the log alone, one object a line, without live view and summary",
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
        command=given.choice("--command", command, running.commands(place), running.OWN_FUNCTION) or running.RUN,
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
    from handoff_kit.starters import plan_new

    if not project:
        raise ProjectError("no project is named, expected --project NAME", "for example: invoke new --project mine")
    _do(c, plan_new(ROOT, project, starter), f"invoke check --project {project}")


@_told
def _understand(tasks: Collection) -> None:
    if words := command_line.given():
        command_line.check(words, tasks, ROOT)


namespace = Collection(check, install, new, params, render, run_local, show_commands)
_understand(namespace)
