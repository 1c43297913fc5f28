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
    from collections.abc import Callable, Sequence, Sized

    from invoke.context import Context
    from invoke.tasks import Task

    from handoff_kit.image.builder import Builder
    from handoff_kit.names import ProjectPlace
    from handoff_kit.remote.history import Source
    from handoff_kit.remote.stack import Stack
    from handoff_kit.runtime import Container
    from handoff_kit.steps import Step

    Body = TypeVar("Body", bound=Callable[..., None])

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
RUN = "id of a run, as invoke history tells it, or current (default): what the last run left"
YES = "do not ask; needed where there is no terminal to ask on"
REMOTE = "the runs in AWS; default: those on this machine"


def _told(body: Body) -> Body:
    """A task whose expected errors are told in one line and a hint, and end invoke with their exit code."""

    @wraps(body)
    def telling(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # whatever invoke hands over
        try:
            body(*args, **kwargs)
        except HandoffError as error:
            raise Exit(str(error), code=error.exit_code) from None

    return cast("Body", telling)


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


def _conclude(c: Context, steps: Sized, after: str) -> None:
    _say("nothing was done: --dry" if c.config.run.dry and len(steps) else f"next: {after}")


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


def _stack(project: str, environment: str, *, bucket: bool = True) -> tuple[ProjectPlace, Stack]:
    """A project, and where it lies in AWS."""
    from handoff_kit.remote import connection

    place = _place(project)
    return place, connection.connect(place, _environment(environment), os.environ, _say, bucket=bucket)


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
    name="make",
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "output": "file to write, readable by you alone; default: print it",
        "environment": ENVIRONMENT,
    },
)
@_told
def params_make(c: Context, project: str = "", output: str = "", environment: str = "") -> None:
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
    """Write what would be sent elsewhere to build/NAME/: pipeline.json, shared.yml, Dockerfile, context/."""
    from handoff_kit import params as documents
    from handoff_kit import project as projects
    from handoff_kit import render as rendering
    from handoff_kit import templates
    from handoff_kit.image import build as building
    from handoff_kit.steps import WriteFile

    place = _place(project)
    loaded = projects.load(place.file, place.shown)
    name = _environment(environment)
    pipeline = documents.pipeline_of(place, loaded, name)
    made = building.source(place, loaded, _platform(platform) or loaded.image.platform or "")
    steps = (
        WriteFile(place.build / "pipeline.json", rendering.to_json(pipeline)),
        WriteFile(place.build / "shared.yml", templates.shared(place.root, name)),
        *building.plan_render(made),
    )
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
        "remote": "run here with the params, files, artifacts and state that are stored in AWS; default: those here",
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
    remote: bool = False,
) -> None:
    """Run a project's pipeline on this machine: as it is, in a container of its image, or with what is in AWS."""
    from handoff_kit import given
    from handoff_kit import run_local as running

    place = _place(project)
    _check_belongs("--container", given=container, memory=memory, builder=builder)
    _check_apart("--remote", given=remote, container=container, params=bool(params))
    words: dict[str, Any] = {
        "command": given.choice("--command", command, running.commands(place), running.OWN_FUNCTION) or running.RUN,
        "data": given.data(data, var or []),
        "meter": given.choice("--meter", meter, given.METERS),
        "log_format": given.choice("--log-format", log_format, given.LOG_FORMATS) or "text",
    }
    dry = c.config.run.dry
    if remote:
        _, stack = _stack(place.name, environment)
        exit_code = running.run_remote(place, stack, words, os.environ, dry=dry, say=_say)
    else:
        inside = _inside(place, memory, builder) if container else None
        file = Path.cwd() / params if params else None
        words |= {"environment": _environment(environment), "params": file, "container": inside[1] if inside else None}
        asked = running.plan(place, **words)
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
@_told
def new(c: Context, project: str = "", starter: str = "shell") -> None:
    """Make a project from a starter: a directory under projects/ that runs at once."""
    from handoff_kit.starters import plan_new

    if not project:
        raise ProjectError("no project is named, expected --project NAME", "for example: invoke new --project mine")
    _do(c, plan_new(ROOT, project, starter), f"invoke check --project {project}")


@task(
    name="push",
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "params": "a params document to store instead of the project file and .local",
        "environment": ENVIRONMENT,
    },
)
@_told
def params_push(c: Context, project: str = "", params: str = "", environment: str = "") -> None:
    """Store the params document in Parameter Store, encrypted; nothing where the same is stored."""
    from handoff_kit import project as projects
    from handoff_kit.remote import change, parameter
    from handoff_kit.remote import params as remote

    place = _place(project)
    loaded = projects.load(place.file, place.shown)
    if params:
        document = remote.of_file(Path.cwd() / params, place)
    else:
        document = remote.of_project(place, loaded, _environment(environment))
    _, stack = _stack(project, environment, bucket=False)
    stored = parameter.replaceable(stack)
    changes = remote.plan_push(stack, document, stored, advanced=remote.advanced(loaded))
    change.execute(changes, stack, dry=c.config.run.dry, say=_say)
    if not changes and stored:
        _say(f"parameter {stack.parameter} is up to date (version {stored.version})")
    after = "files.push" if (place.directory / "files").is_dir() else "params.dump"
    _conclude(c, changes, f"invoke {after} {stack.options}")


@task(
    name="dump",
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "reveal": "show secrets as they are; default: as ***",
        "version": "an earlier version, as invoke params.history tells it; default: the newest",
        "environment": ENVIRONMENT,
    },
)
@_told
def params_dump(c: Context, project: str = "", reveal: bool = False, version: str = "", environment: str = "") -> None:
    """Print the stored params document, the values of config files starred."""
    from handoff_kit import params as documents
    from handoff_kit.remote import history, parameter
    from handoff_kit.remote import params as remote

    wanted = history.number("--version", version)
    _, stack = _stack(project, environment, bucket=False)
    stored = parameter.get(stack, wanted)
    _put(documents.to_json(stored.document if reveal else remote.masked(stored.params)))
    _say(f"parameter {stack.parameter}, version {stored.version}\nnext: invoke params.diff {stack.options}")


@task(name="diff", auto_shortflags=False, help={"project": PROJECT, "environment": ENVIRONMENT})
@_told
def params_diff(c: Context, project: str = "", environment: str = "") -> None:
    """Print what differs between the stored params and those here: keys, and short hashes of their values."""
    from handoff_kit import params as documents
    from handoff_kit.remote import parameter
    from handoff_kit.remote import params as remote

    local = documents.of_place(_place(project), _environment(environment))
    _, stack = _stack(project, environment, bucket=False)
    stored = parameter.get(stack)
    found = remote.differences(stored.document, local)
    if not found:
        _say(f"no difference: version {stored.version} of parameter {stack.parameter} is what lies here")
        return
    _put(remote.told_differences(found))
    _say(f"- stored as version {stored.version}, + here\nnext: invoke params.push {stack.options}")


@task(name="history", auto_shortflags=False, help={"project": PROJECT, "environment": ENVIRONMENT})
@_told
def params_history(c: Context, project: str = "", environment: str = "") -> None:
    """Print the stored versions of the params: when, and by whom."""
    from handoff_kit.remote import params as remote

    _, stack = _stack(project, environment, bucket=False)
    _put(remote.history(stack))
    _say(f"next: invoke params.dump --version N {stack.options}")


@task(
    name="push",
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "prune": "remove stored files that are not here; default: leave and name them",
        "environment": ENVIRONMENT,
    },
)
@_told
def files_push(c: Context, project: str = "", prune: bool = False, environment: str = "") -> None:
    """Upload what changed of the project's files/ to S3."""
    from handoff_kit.remote import files as remote

    place, stack = _stack(project, environment)
    plan = remote.compare(stack, place)
    changes = remote.push(stack, plan, prune=prune, dry=c.config.run.dry, say=_say)
    if not changes:
        _say(remote.up_to_date(plan, place))
    _conclude(c, [*plan.send, *(plan.gone if prune else ())], f"invoke files.list {stack.options}")


@task(name="list", auto_shortflags=False, help={"project": PROJECT, "environment": ENVIRONMENT})
@_told
def files_list(c: Context, project: str = "", environment: str = "") -> None:
    """Print the project's files in S3: path, bytes, when each was stored."""
    from handoff_kit.remote import files as remote

    _, stack = _stack(project, environment)
    found = remote.table_of(stack)
    _put(found)
    if not found:
        _say(f"no files of project {stack.project} in bucket {stack.bucket}")
    _say(f"next: invoke files.push {stack.options}")


@task(
    name="get",
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "run": RUN,
        "output": "directory to put them into; default: build/NAME/artifacts/RUN",
        "environment": ENVIRONMENT,
    },
)
@_told
def artifacts_get(c: Context, project: str = "", run: str = "", output: str = "", environment: str = "") -> None:
    """Fetch artifacts from S3 into a directory: of the last run, or of any."""
    from handoff_kit.remote import artifacts as remote

    place, stack = _stack(project, environment)
    found = remote.find(stack, run)
    target = Path.cwd() / output if output else remote.directory(place, run)
    shown = shlex.quote(os.path.relpath(target))
    for item in found:
        _say(f"{'would ' if c.config.run.dry else ''}fetch {item.path} ({item.size:,} bytes) into {shown}")
    if not found:
        _say(f"no artifacts of project {stack.project} in bucket {stack.bucket}")
    elif not c.config.run.dry:
        remote.fetch(stack, run, target)
    _conclude(c, found, f"ls {shown}" if found else f"invoke history --remote {stack.options}")


@task(name="list", auto_shortflags=False, help={"project": PROJECT, "run": RUN, "environment": ENVIRONMENT})
@_told
def artifacts_list(c: Context, project: str = "", run: str = "", environment: str = "") -> None:
    """Print the artifacts in S3: path, bytes, when each was stored."""
    from handoff_kit.remote import artifacts as remote
    from handoff_kit.remote import objects

    _, stack = _stack(project, environment)
    found = remote.find(stack, run)
    _put(objects.table_of(found))
    if not found:
        _say(f"no artifacts of project {stack.project} in bucket {stack.bucket}")
    chosen = f" --run {run}" if run else ""
    _say(f"next: invoke {f'artifacts.get{chosen}' if found else 'history --remote'} {stack.options}")


@task(name="clear", auto_shortflags=False, help={"project": PROJECT, "yes": YES, "environment": ENVIRONMENT})
@_told
def artifacts_clear(c: Context, project: str = "", yes: bool = False, environment: str = "") -> None:
    """Remove the last run's artifacts from S3, so that the next run begins without; state and history stay."""
    from handoff_kit.remote import artifacts as remote
    from handoff_kit.remote import consent

    _, stack = _stack(project, environment)
    found, dry = remote.clearable(stack), c.config.run.dry
    if not found:
        _say(f"no artifacts of project {stack.project} in bucket {stack.bucket}")
    elif not dry:
        consent.ask(remote.question(stack, found), f"invoke artifacts.clear {stack.options}", yes=yes)
    remote.clear(stack, found, dry=dry, say=_say)
    _conclude(c, found, f"invoke artifacts.list {stack.options}")


@task(
    name="show",
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "version": "an earlier version, as invoke state.history tells it; default: the state as it is",
        "environment": ENVIRONMENT,
    },
)
@_told
def state_show(c: Context, project: str = "", version: str = "", environment: str = "") -> None:
    """Print the state that the next run will begin from."""
    from handoff_kit.remote import state as remote

    _, stack = _stack(project, environment)
    found = remote.get(stack, version)
    _put(found.content.decode("utf-8", "surrogateescape"))
    _say(f"version {found.version}, stored {found.stored}\nnext: invoke state.history {stack.options}")


@task(name="history", auto_shortflags=False, help={"project": PROJECT, "environment": ENVIRONMENT})
@_told
def state_history(c: Context, project: str = "", environment: str = "") -> None:
    """Print the versions of the state that S3 keeps, the newest first."""
    from handoff_kit.remote import state as remote

    _, stack = _stack(project, environment)
    found = remote.history(stack)
    _put(found)
    if not found:
        raise remote.none_there(stack)
    _say(f"next: invoke state.restore --version VERSION {stack.options}")


@task(
    name="edit",
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "file": "a file that holds the new state; default: open it in VISUAL, EDITOR or vi",
        "environment": ENVIRONMENT,
    },
)
@_told
def state_edit(c: Context, project: str = "", file: str = "", environment: str = "") -> None:
    """Edit the state; stored only if no run has stored another one meanwhile."""
    from handoff_kit import project as projects
    from handoff_kit.remote import change, editor
    from handoff_kit.remote import state as remote

    place, stack = _stack(project, environment)
    mode = projects.load(place.file, place.shown).state
    seen = remote.find(stack)
    _warn(remote.under_way(stack))
    asked = editor.Asked(Path.cwd(), file, remote.draft(place), f"invoke state.edit {stack.options}")
    if c.config.run.dry and not file:
        _say(f"would open {remote.shown(stack)} in an editor\nnothing was done: --dry")
        return
    content = editor.content(asked, remote.text_of(seen), os.environ)
    remote.check(content, mode, asked.shown, asked.again)
    changes = remote.plan_put(stack, content, seen, f"store {remote.shown(stack)}", asked.again)
    change.execute(changes, stack, dry=c.config.run.dry, say=_say)
    if not changes:
        _say("the state is what it was")
    editor.done(asked)
    _conclude(c, changes, f"invoke state.show {stack.options}")


@task(
    name="restore",
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "version": "required: which one, as invoke state.history tells it",
        "environment": ENVIRONMENT,
    },
)
@_told
def state_restore(c: Context, project: str = "", version: str = "", environment: str = "") -> None:
    """Make an earlier version of the state the newest; the ones between are kept."""
    from handoff_kit.remote import change
    from handoff_kit.remote import state as remote

    _, stack = _stack(project, environment)
    wanted = remote.get(stack, remote.checked_version(stack, version))
    _warn(remote.under_way(stack))
    changes = remote.plan_restore(stack, wanted, remote.find(stack))
    change.execute(changes, stack, dry=c.config.run.dry, say=_say)
    if not changes:
        _say(f"the state is what version {version} was")
    _conclude(c, changes, f"invoke state.show {stack.options}")


@task(name="clear", auto_shortflags=False, help={"project": PROJECT, "yes": YES, "environment": ENVIRONMENT})
@_told
def state_clear(c: Context, project: str = "", yes: bool = False, environment: str = "") -> None:
    """Remove the state, so that the next run begins from nothing; earlier versions are kept."""
    from handoff_kit.remote import change, consent
    from handoff_kit.remote import state as remote

    _, stack = _stack(project, environment)
    seen = remote.find(stack)
    _warn(remote.under_way(stack))
    if not seen:
        _say(
            f"no state of project {stack.project} in bucket {stack.bucket}\nnext: invoke state.history {stack.options}"
        )
        return
    changes = remote.plan_clear(stack, seen)
    if not c.config.run.dry:
        consent.ask(remote.question(stack, seen), f"invoke state.clear {stack.options}", yes=yes)
    change.execute(changes, stack, dry=c.config.run.dry, say=_say)
    _conclude(c, changes, remote.after_clear(stack, seen))


def _warn(run: str | None) -> None:
    """A run that goes on will not overwrite what is stored meanwhile: it fails instead."""
    if run:
        _say(f"note: run {run} is under way; if the state changes now, it will fail to store its own")


@task(
    name="list",
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "remote": REMOTE,
        "failed": "only runs that did not succeed",
        "last": "so many runs at most; default: 20, or all with --since",
        "since": "only runs begun since then: 2026-01-31, 2026-01-31T06:00:00Z, 90m, 24h, 7d, 2w",
        "json": "one JSON object a line, with every figure; default: a table",
        "environment": ENVIRONMENT,
    },
)
@_told
def history_list(
    c: Context,
    project: str = "",
    remote: bool = False,
    failed: bool = False,
    last: str = "",
    since: str = "",
    json: bool = False,
    environment: str = "",
) -> None:
    """Print the runs there were, the newest first: when, by what, outcome, culprit, duration, rows, state."""
    from datetime import datetime, timezone

    from handoff_kit.remote import history

    begun = history.since(since, datetime.now(timezone.utc))
    asked = history.Asked(None, failed, begun, history.number("--last", last) or (None if begun else history.LAST))
    source, options, own = _runs(project, environment, remote=remote)
    found = history.lines(source, asked.of(own))
    _put((history.to_json if json else history.table_of)(found))
    _say(history.after(found, source, options))


@task(
    name="show",
    auto_shortflags=False,
    help={
        "project": PROJECT,
        "run": "id of a run, as invoke history tells it; default: the last",
        "remote": REMOTE,
        "lines": "so many lines of the log's end; default: 20",
        "json": "the record as it is; default: what a person reads",
        "environment": ENVIRONMENT,
    },
)
@_told
def history_show(
    c: Context,
    project: str = "",
    run: str = "",
    remote: bool = False,
    lines: str = "",
    json: bool = False,
    environment: str = "",
) -> None:
    """Print one run: how it ended, its stages, the last lines of its log."""
    from handoff_kit import params as documents
    from handoff_kit.remote import history, past

    wanted = history.number("--lines", lines) or past.LINES
    source, options, own = _runs(project, environment, remote=remote)
    name = run or past.newest(source, own, options)
    found = past.in_aws(source.stack, name) if source.stack else past.here(_place(project), name)
    _put(documents.to_json(found.record) if json else past.shown(found, wanted))
    _say(f"next: {past.after(found, _place(project), options, remote=remote)}")


def _runs(project: str, environment: str, *, remote: bool) -> tuple[Source, str, str | None]:
    """Where runs are told of, the flags that name it again, and the environment they are to be of, if any."""
    from handoff_kit.remote import history

    if remote:
        _, stack = _stack(project, environment)
        return history.in_aws(stack), f"--remote {stack.options}", None
    place = _place(project)
    own = _environment(environment) if environment or os.environ.get("HANDOFF_ENVIRONMENT") else None
    return history.here(place), f"--project {place.name}", own


@_told
def _understand(tasks: Collection) -> None:
    if words := command_line.given():
        command_line.check(words, tasks, ROOT)


def _collection(name: str, *tasks: Task[Any], default: Task[Any] | None = None) -> Collection:
    """Tasks with a first name in common; `default` is what the first name alone does."""
    made = Collection(name, *tasks)
    if default:
        made.add_task(default, default=True)
    return made


namespace = Collection(build, check, images, install, new, push, render, run_local, show_commands)
namespace.add_collection(
    _collection("params", params_push, params_dump, params_diff, params_history, default=params_make)
)
namespace.add_collection(_collection("files", files_push, files_list))
namespace.add_collection(_collection("artifacts", artifacts_get, artifacts_list, artifacts_clear))
namespace.add_collection(_collection("state", state_show, state_history, state_edit, state_restore, state_clear))
namespace.add_collection(_collection("history", history_show, default=history_list))
_understand(namespace)
