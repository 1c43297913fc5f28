"""The invoke tasks of handoff: read the flags, load the project, plan, execute, say what next."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
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

    from handoff_kit.image.builder import Builder
    from handoff_kit.names import ProjectPlace
    from handoff_kit.runtime import Container
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
PLATFORM = "linux/amd64 or linux/arm64; default: the project's, else the builder's own"
BUILDER = "docker, podman or auto (default): docker where it works, else podman"
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
    _execute(c, steps)
    _conclude(c, steps, after)


def _execute(c: Context, steps: Sequence[Step]) -> None:
    from handoff_kit.execute import execute

    execute(steps, dry=c.config.run.dry, say=_say)


def _conclude(c: Context, steps: Sequence[Step], after: str) -> None:
    _say("nothing was done: --dry" if c.config.run.dry and steps else f"next: {after}")


def _place(project: str) -> ProjectPlace:
    from handoff_kit import names

    return names.find(ROOT, project or None, Path.cwd(), os.environ)


def _environment(environment: str) -> str:
    from handoff_kit import given

    return given.environment(environment, os.environ)


def _builder(asked: str) -> Builder:
    from handoff_kit import given
    from handoff_kit.image import builder

    found = builder.find(given.choice("--builder", asked, builder.CHOICES))
    if found.note:
        _say(f"note: {found.note}")
    return found


def _platform(asked: str) -> str | None:
    from handoff_kit import given

    return given.choice("--platform", asked, given.PLATFORMS)


@task(auto_shortflags=False, help={"project": PROJECT, "environment": ENVIRONMENT})
@_told
def check(c: Context, project: str = "", environment: str = "") -> None:
    """Check a project's file and config, and tell every problem with its line; note what an image would lack."""
    from handoff_kit import params, run_local, venvs
    from handoff_kit import project as projects
    from handoff_kit.image import obstacles

    place = _place(project)
    loaded = projects.load(place.file, place.shown)
    params.check_functions(place)
    missing = run_local.not_given(params.document(place, loaded, _environment(environment)))
    _say(f"{place.shown}: no problem found")
    for obstacle in obstacles.obstacles(place, loaded):
        _say(f"note: for an image: {obstacle.message}\nhint: {obstacle.hint}")
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


@task(
    auto_shortflags=False,
    help={"project": PROJECT, "environment": ENVIRONMENT, "platform": PLATFORM},
)
@_told
def render(c: Context, project: str = "", environment: str = "", platform: str = "") -> None:
    """Write what would be sent elsewhere to build/NAME/, to be read: pipeline.json, Dockerfile, context/."""
    from handoff_kit import params as documents
    from handoff_kit import project as projects
    from handoff_kit import render as rendering
    from handoff_kit.image import build as building
    from handoff_kit.steps import WriteFile

    place = _place(project)
    loaded = projects.load(place.file, place.shown)
    pipeline = documents.pipeline_of(place, loaded, _environment(environment))
    made = building.source(place, loaded, _platform(platform) or loaded.image.platform or "")
    steps = (WriteFile(place.build / "pipeline.json", rendering.to_json(pipeline)), *building.plan_render(made))
    _do(c, steps, f"invoke build --project {place.name}")


@task(
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "tag": "name of the image; default: handoff-NAME with a tag that follows from what it is made of",
        "platform": PLATFORM,
        "no-cache": "build every layer anew, also where nothing changed; default: only what changed",
        "builder": BUILDER,
    },
)
@_told
def build(
    c: Context, project: str = "", tag: str = "", platform: str = "", no_cache: bool = False, builder: str = ""
) -> None:
    """Build the project's image; nothing where nothing changed. Prints its name, id, size and the seconds it took."""
    from handoff_kit import project as projects
    from handoff_kit.image import build as building
    from handoff_kit.image import dockerfile, listing
    from handoff_kit.image.revision import revision

    begun = time.monotonic()
    place = _place(project)
    loaded = projects.load(place.file, place.shown)
    worker = _builder(builder)
    asked = _platform(platform) or loaded.image.platform
    made = building.source(place, loaded, asked or worker.platform)
    reference = building.checked(tag) if tag else made.reference
    steps = building.plan_build(
        made,
        worker,
        worker.image(reference),
        reference=reference,
        platform=asked,
        revision=revision(place, worker.ask),
        settings=[name for name in dockerfile.INDEX_SETTINGS if name in os.environ],
        no_cache=no_cache,
    )
    if not steps:
        _say(f"{reference} is up to date")
    _execute(c, steps)
    if not c.config.run.dry:
        _put(listing.line(worker, reference, time.monotonic() - begun))
    _conclude(c, steps, f"invoke run-local --container --project {place.name}")


@task(
    auto_shortflags=False,
    help={"project": "list the images of this project alone; default: those of every project", "builder": BUILDER},
)
@_told
def images(c: Context, project: str = "", builder: str = "") -> None:
    """Print the images there are of projects: name, id, size, age, platform, source revision."""
    from datetime import datetime, timezone

    from handoff_kit import names
    from handoff_kit.image import listing

    found = listing.images(_builder(builder), names.checked(project) if project else None)
    if not found:
        _say(f"no image of {f'project {project}' if project else 'any project'}")
        _say("next: invoke build" + (f" --project {project}" if project else ""))
        return
    _put(listing.table(found, datetime.now(timezone.utc)))


@task(
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "repository": "required: where to, as docker takes it, like 127.0.0.1:5000/team/elements",
        "tag": "its tag there; default: the one that follows from what the image is made of",
        "builder": BUILDER,
    },
)
@_told
def push(c: Context, project: str = "", repository: str = "", tag: str = "", builder: str = "") -> None:
    """Push the project's image to a registry. Prints its name there, digest, size and the seconds it took."""
    from handoff_kit.image import listing
    from handoff_kit.image import push as pushing

    begun = time.monotonic()
    place, repository = _place(project), pushing.checked(repository)
    worker, image = _image(place, builder)
    target = pushing.named(repository, tag or image.rpartition(":")[2])
    steps = pushing.plan_push(worker, image, target, place)
    _execute(c, steps)
    if not c.config.run.dry:
        digest = pushing.pushed(worker, target, place)
        _put(listing.line(worker, target, time.monotonic() - begun, digest))
    _conclude(c, steps, f"docker run {repository}@DIGEST show_commands --params FILE")


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
        "container": "run in a container of the project's image (invoke build makes it); default: run here",
        "memory": "with --container: what it may use, like 512m or 2g; default: no limit",
        "builder": "with --container: " + BUILDER,
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
    container: bool = False,
    memory: str = "",
    builder: str = "",
) -> None:
    """Run a project's pipeline on this machine: as it is, or in a container of its image."""
    from handoff_kit import given
    from handoff_kit import run_local as running

    place = _place(project)
    _check_belongs("--container", given=container, memory=memory, builder=builder)
    inside = _inside(place, memory, builder) if container else None
    asked = running.plan(
        place,
        environment=_environment(environment),
        data=given.data(data, var or []),
        command=given.choice("--command", command, running.commands(place), running.OWN_FUNCTION) or running.RUN,
        params=Path.cwd() / params if params else None,
        meter=given.choice("--meter", meter, given.METERS),
        log_format=given.choice("--log-format", log_format, given.LOG_FORMATS) or "text",
        container=inside[1] if inside else None,
    )
    dry = c.config.run.dry
    if inside:
        exit_code = running.run_contained(asked, inside[0], place, os.environ, dry=dry, say=_say)
    else:
        exit_code = running.run(asked, place, os.environ, dry=dry, say=_say)
    if exit_code:
        raise Exit(code=exit_code)


def _inside(place: ProjectPlace, memory: str, asked: str) -> tuple[Builder, Container]:
    """The container that the project's image is run in."""
    from handoff_kit.image import container as containers

    limit = containers.memory_limit(memory)
    worker, image = _image(place, asked)
    caller = containers.Caller(os.getuid(), os.getgid())
    return worker, containers.container(worker, image, place, environ=os.environ, caller=caller, memory=limit)


def _image(place: ProjectPlace, asked: str) -> tuple[Builder, str]:
    """The project's image, built from it as it is now."""
    from handoff_kit import project as projects
    from handoff_kit.image import build as building

    loaded = projects.load(place.file, place.shown)
    worker = _builder(asked)
    made = building.source(place, loaded, loaded.image.platform or worker.platform)
    return worker, building.existing(made, worker)


def _check_belongs(flag: str, *, given: bool, **others: str) -> None:
    """Refuse flags that mean nothing without another one."""
    for name, value in others.items():
        if value and not given:
            raise ProjectError(f"--{name}: found {value!r} without {flag}, to which it belongs", f"add {flag}")


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


namespace = Collection(build, check, images, install, new, params, push, render, run_local, show_commands)
_understand(namespace)
