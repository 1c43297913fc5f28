"""The task run-local: what is to be run, how it is shown, and what is said at its end."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handoff_kit import given, streams
from handoff_kit.errors import ProjectError
from handoff_kit.image import container as containers
from handoff_kit.project import load as projects
from handoff_kit.project import params_document as documents
from handoff_kit.runtime import LocalRun, last_record
from handoff_kit.runtime import run as run_it
from handoff_kit.venvs.install import venv_status
from handoff_runtime import function, store, variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from handoff_kit.image.builder import Builder
    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project
    from handoff_kit.remote.stack import Stack
    from handoff_kit.runtime import Container, View
    from handoff_runtime.pipeline import Pipeline
    from handoff_runtime.store import Params

    Say = Callable[[str], None]

RUN = "run"
SHOW = "show_commands"
OWN_FUNCTION = "one of your own is a public `def NAME(params, data)` in the project's impl.py"
NEVER = float("inf")
KILLED = 128 + signal.SIGKILL


def commands(place: ProjectPlace) -> tuple[str, ...]:
    """What can be run: the built-in commands, and the project's own functions."""
    return (*documents.RESERVED, *documents.functions(place))


def plan(
    place: ProjectPlace,
    *,
    environment: str,
    data: Mapping[str, Any],
    command: str,
    params: Path | None,
    meter: str | None,
    log_format: str,
    container: Container | None = None,
    no_state: bool = False,
) -> LocalRun:
    """What the runtime is to be started with; what can be known to be wrong is an error before anything runs."""
    command = RUN if command == "default" else command
    text = _given(params, place) if params else _rendered(place, environment, command, installed=container is None)
    asked = LocalRun(place.directory, text, command, data, meter, log_format, container, no_state=no_state)
    _filled(text, command, data)
    return asked


def preview(document: str, command: str, data: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """The stages that would run, one a line, secrets starred."""
    from handoff_runtime import mask, show

    params, pipeline = _filled(document, command, data)
    return show.lines(pipeline, mask.of_run(params, pipeline, environ, data))


def _filled(document: str, command: str, data: Mapping[str, Any]) -> tuple[Params, Pipeline]:
    """The params, and what of them would run with its placeholders filled, as the runtime will do it."""
    with given.checked():
        params = store.parse(document.encode(), "params")
        chosen = params.pipeline if command in (RUN, SHOW) else function.pipeline(params.pipeline, command)
        run = variables.Run("RUN_ID", chosen.project, chosen.environment, variables.scheduled_at(data, time.time()))
        return params, variables.filled(chosen, variables.values(data, chosen, run))


def not_given(document: Mapping[str, Any]) -> str | None:
    """The first placeholder of a params document that only --var or --data can fill."""
    try:
        _filled(documents.to_json(document), RUN, {})
    except ProjectError as error:
        found = variables.PLACEHOLDER.search(error.message)
        if found is None:
            raise
        return found[1]
    return None


def _given(path: Path, place: ProjectPlace) -> str:
    hint = f"write one: invoke params --project {place.name} --output {shlex.quote(path.name)}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ProjectError(f"--params: {path.name}: {error.strerror}, expected a params document", hint) from None
    with given.checked():
        params = store.parse(content, f"--params: {path.name}")
    _check_whose(params, path, place)
    return content.decode()


def _check_whose(params: Params, path: Path, place: ProjectPlace) -> None:
    if params.pipeline.project != place.name:
        message = f"--params: {path.name}: found the params of project {params.pipeline.project!r}"
        raise ProjectError(
            f"{message}, expected those of {place.name!r}", f"name its project: --project {params.pipeline.project}"
        )


def _rendered(place: ProjectPlace, environment: str, command: str, *, installed: bool) -> str:
    loaded = projects.load(place.file, place.shown)
    documents.check_functions(place)
    if command == RUN and installed:
        _check_venvs(place, loaded)
    return documents.to_json(documents.document(place, loaded, environment))


def _check_venvs(place: ProjectPlace, loaded: Project) -> None:
    states = {venv.name: venv_status(place, venv) for venv in loaded.venvs}
    unready = [f"{name} is {state}" for name, state in states.items() if state != "ready"]
    if unready:
        raise ProjectError(
            f"projects/{place.name}: virtual environment {', '.join(unready)}, expected an installed one",
            f"invoke install --project {place.name}",
        )


def run(asked: LocalRun, place: ProjectPlace, environ: Mapping[str, str], *, dry: bool, say: Say) -> int:
    """Run it, shown as the terminal allows, and say what came of it; the exit code."""
    if dry:
        shown = preview(asked.params, asked.command, asked.data, environ).rstrip()
        where = f"in a container of {asked.container.argv[-1]}" if asked.container else f"in projects/{place.name}"
        where += ", without state" if asked.no_state else ""
        say(f"would {'show' if asked.command == SHOW else 'run'}, {where}:\n{shown}")
        return 0
    before, _ = last_record(asked)
    terminal = sys.stderr.isatty()
    live = terminal and asked.log_format == "text" and asked.command != SHOW and streams.can_refresh(environ)
    exit_code = run_it(asked, environ, lambda: _view(asked, environ, say, live=live), piped=live)
    after, record = last_record(asked)
    if after != before and asked.log_format == "text":
        _conclude(asked, record, place, environ, say, terminal=terminal)
    return exit_code


def _view(asked: LocalRun, environ: Mapping[str, str], say: Say, *, live: bool) -> AbstractContextManager[View]:
    from handoff_kit import live as views

    if live:
        return views.Terminal(views.console(environ, terminal=True))
    return views.Plain(say, views.PLAIN_EVERY if asked.log_format == "text" else NEVER)


def _conclude(
    asked: LocalRun,
    record: Mapping[str, Any],
    place: ProjectPlace,
    environ: Mapping[str, str],
    say: Say,
    *,
    terminal: bool,
) -> None:
    from handoff_kit import live as views

    if not record:
        where = f"{_seen_from_here(asked)}/run.json"
        say(f"note: {where}: the record of this run cannot be read\nnext: {_again(asked, place)}")
        return
    if record["outcome"] == "running":
        say(f"the runtime was killed before it could tell how the run ended\nnext: {_again(asked, place)}")
        return
    with suppress(OSError):  # nobody looks any more; the record tells the same
        views.conclude(views.console(environ, terminal=terminal), record, _seen_from_here(asked))


def run_contained(
    asked: LocalRun, builder: Builder, place: ProjectPlace, environ: Mapping[str, str], *, dry: bool, say: Say
) -> int:
    """The same in a container, which is removed when it has ended; what ended the runtime itself is told too."""
    if dry or asked.container is None:
        return run(asked, place, environ, dry=dry, say=say)
    containers.make_places(place)
    name, begun = asked.container.name, time.time()
    try:
        exit_code = run(asked, place, environ, dry=dry, say=say)
        if exit_code == KILLED and containers.was_killed_for_memory(builder, name, begun):
            say(f"the kernel killed for memory; give it more: {_again(asked, place)} --memory 1g")
        return exit_code
    finally:
        containers.remove(builder, name)


def run_remote(
    place: ProjectPlace, stack: Stack, words: Mapping[str, Any], environ: Mapping[str, str], *, dry: bool, say: Say
) -> int:
    """Run it here, with what is stored in AWS; the venvs are those that lie here."""
    from handoff_kit.remote import run as remote

    loaded = projects.load(place.file, place.shown)
    _check_venvs(place, loaded)
    asked = remote.plan(place, stack, **words)
    told = remote.told(stack, no_state=asked.no_state)
    if dry:
        say(f"would run, in {os.path.relpath(asked.directory)}, with {told}")
        return 0
    remote.make_directory(place)
    say(told)
    return run(asked, place, environ, dry=False, say=say)


def _again(asked: LocalRun, place: ProjectPlace) -> str:
    where = " --container" if asked.container else " --remote" if asked.store else ""
    return f"invoke run-local{where} --project {place.name}"


def _seen_from_here(asked: LocalRun) -> str:
    """The artifacts as one would name them in a command typed here."""
    return shlex.quote(os.path.relpath(asked.artifacts, Path.cwd()))
