"""The task run-local: what is to be run, how it is shown, and what is said at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handoff_kit import params as documents
from handoff_kit import project as projects
from handoff_kit.errors import ProjectError
from handoff_kit.local_run import LocalRun, last_record
from handoff_kit.local_run import run as run_it
from handoff_kit.venvs import status
from handoff_runtime import function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from handoff_kit.names import ProjectPlace
    from handoff_kit.project import Project

    Say = Callable[[str], None]

RUN = "run"


def commands(place: ProjectPlace) -> tuple[str, ...]:
    """What can be run: the built-in commands, and the project's own functions."""
    return (*documents.RESERVED, *function.names(str(place.directory / function.IMPL)))


def plan(
    place: ProjectPlace,
    *,
    environment: str,
    data: Mapping[str, Any],
    command: str,
    params: Path | None,
    meter: str | None,
    log_format: str,
) -> LocalRun:
    """What the runtime is to be started with; a venv that is not ready is an error before anything runs."""
    text = _given(params) if params else _rendered(place, environment, command)
    return LocalRun(place.directory, text, command, data, meter, log_format)


def _given(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(
            f"--params: {path.name} cannot be read ({error}), expected a params document",
            f"write one: invoke params --output {path.name}",
        ) from None


def _rendered(place: ProjectPlace, environment: str, command: str) -> str:
    loaded = projects.load(place.file, place.shown)
    documents.check_functions(place)
    if command in (RUN, "default"):
        _check_venvs(place, loaded)
    return documents.to_json(documents.document(place, loaded, environment))


def _check_venvs(place: ProjectPlace, loaded: Project) -> None:
    states = {venv.name: status(place, venv) for venv in loaded.venvs}
    unready = [f"{name} is {state}" for name, state in states.items() if state != "ready"]
    if unready:
        raise ProjectError(
            f"projects/{place.name}: virtual environment {', '.join(unready)}, expected an installed one",
            f"invoke install --project {place.name}",
        )


def run(asked: LocalRun, place: ProjectPlace, environ: Mapping[str, str], *, dry: bool, say: Say) -> int:
    """Run it, shown as the terminal allows, and say what came of it; the exit code."""
    if dry:
        say(f"would run {' '.join(asked.argv()[1:])} in projects/{place.name}:")
        say(_shown(asked, environ))
        return 0
    before, _ = last_record(asked)
    exit_code = _watched(asked, environ)
    after, record = last_record(asked)
    if after != before:
        _conclude(record, place)
    return exit_code


def _shown(asked: LocalRun, environ: Mapping[str, str]) -> str:
    from handoff_runtime import show, store

    return show.commands(store.parse(asked.params.encode(), "params"), asked.data, environ).rstrip("\n")


def _watched(asked: LocalRun, environ: Mapping[str, str]) -> int:
    from handoff_kit import live

    console = live.console(environ)
    shown = live.Terminal(console) if live.is_live(console, environ) else live.Plain(console)
    with shown as view:
        return run_it(asked, view, environ)


def _conclude(record: Mapping[str, Any], place: ProjectPlace) -> None:
    import os

    from handoff_kit import live

    console = live.console(os.environ)
    console.print(live.summary(record))
    for line in live.whereabouts(record, f"projects/{place.name}/.artifacts"):
        console.print(line, markup=False)
