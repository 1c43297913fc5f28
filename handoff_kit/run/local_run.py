"""Runs on this machine: planned, previewed, executed with a live view, summarized.

With `--remote` a run has its params, files and state in AWS, and runs in build/NAME/remote: its `.artifacts` and `.env`
must not mix with those of other runs.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from handoff_kit import console
from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.errors import ProjectError, translate_runtime_errors
from handoff_kit.image.builder import Builder
from handoff_kit.paths import ProjectPaths
from handoff_kit.project import params_document
from handoff_kit.project.load import load_project
from handoff_kit.project.model import Project
from handoff_kit.resource_names import OWNER_VARIABLE
from handoff_kit.run.container import create_mounts, remove_container, was_out_of_memory
from handoff_kit.run.runtime_process import Container, LocalRun, RunView, read_last_record, run_runtime
from handoff_kit.venvs.install import venv_status
from handoff_runtime import functions, placeholders, symlinks, workspace
from handoff_runtime.errors import HandoffError
from handoff_runtime.params import Params, parse_params
from handoff_runtime.pipeline import Pipeline

RUN = "run"
SHOW = "show_commands"
FUNCTION_HINT = "a function of the project is a public `def NAME(params, data)` in its impl.py"
NEVER = float("inf")
KILLED = 128 + signal.SIGKILL
NOT_LINKED = (".artifacts", ".env", "files")


def list_commands(paths: ProjectPaths) -> tuple[str, ...]:
    """The values of --command: the built-in commands, and the project's functions."""
    return (*params_document.RESERVED, *params_document.function_names(paths))


def plan_run(
    paths: ProjectPaths,
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
    """A run with local params; ProjectError for mistakes that are known before the runtime starts."""
    command = RUN if command == "default" else command
    if params:
        document = params_document.read_params_file(params, paths)
    else:
        loaded = load_project(paths.file, paths.display_path)
        params_document.check_functions(paths)
        if command == RUN and container is None:
            _check_venvs(paths, loaded)
        document = params_document.params_document(paths, loaded, environment)
    text = params_document.to_json(document)
    _fill_placeholders(text, command, data)
    return LocalRun(paths.directory, text, command, data, meter, log_format, container, no_state=no_state)


def preview(document: str, command: str, data: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """The stages that would run, one per line, secrets masked."""
    from handoff_runtime import masking, show_commands

    params, pipeline = _fill_placeholders(document, command, data)
    return show_commands.render_lines(pipeline, masking.mask_for_run(params, pipeline, environ, data))


def missing_placeholder(document: Mapping[str, Any]) -> str | None:
    """The first placeholder of a params document that only --var or --data can fill."""
    try:
        _fill_placeholders(params_document.to_json(document), RUN, {})
    except ProjectError as error:
        match = placeholders.PLACEHOLDER.search(error.message)
        if match is None:
            raise
        return match[1]
    return None


def _fill_placeholders(document: str, command: str, data: Mapping[str, Any]) -> tuple[Params, Pipeline]:
    """The params, and the pipeline of the command filled as the runtime will do it."""
    with translate_runtime_errors():
        params = parse_params(document.encode(), "params")
        chosen = params.pipeline if command in (RUN, SHOW) else functions.function_pipeline(params.pipeline, command)
        due = placeholders.scheduled_at(data, time.time())
        return params, placeholders.fill_pipeline(chosen, data, "RUN_ID", due)


def _check_venvs(paths: ProjectPaths, loaded: Project) -> None:
    states = {venv.name: venv_status(paths, venv) for venv in loaded.venvs}
    unready = [f"{name} is {state}" for name, state in states.items() if state != "ready"]
    if unready:
        message = f"projects/{paths.name}: virtual environment {', '.join(unready)}"
        raise ProjectError(message, f"invoke install --project {paths.name}")


def run_pipeline(planned: LocalRun, paths: ProjectPaths, environ: Mapping[str, str], *, dry: bool, say: Say) -> int:
    """Run with a live view on a terminal, print a summary, and return the exit code; with `dry` print a preview."""
    if dry:
        stages = preview(planned.params, planned.command, planned.data, environ).rstrip()
        where = f"in a container of {planned.container.argv[-1]}" if planned.container else f"in projects/{paths.name}"
        where += ", without state" if planned.no_state else ""
        say(f"would {'show' if planned.command == SHOW else 'run'}, {where}:\n{stages}")
        return 0
    before, _ = read_last_record(planned)
    text, terminal = planned.log_format == "text", sys.stderr.isatty()
    refresh = terminal and text and planned.command != SHOW and console.can_refresh(environ)

    def create_view() -> AbstractContextManager[RunView]:
        from handoff_kit import live  # while the runtime starts

        if refresh:
            return live.StageTable(live.create_console(environ, terminal=True))
        return nullcontext(live.StageLines(say, live.PLAIN_EVERY if text else NEVER))

    exit_code = run_runtime(planned, environ, create_view, piped=refresh)
    after, record = read_last_record(planned)
    if after == before or not text:
        return exit_code
    artifacts = shlex.quote(os.path.relpath(planned.artifacts))
    if not record:
        say(f"note: {artifacts}/run.json: the record of this run cannot be read\nnext: {_again(planned, paths)}")
    elif record["outcome"] == "running":
        say(f"the runtime was killed before it recorded how the run ended\nnext: {_again(planned, paths)}")
    else:
        from handoff_kit import live

        with suppress(OSError):  # the terminal was closed; the record says it all
            live.print_summary(live.create_console(environ, terminal=terminal), record, artifacts)
    return exit_code


def run_in_container(
    planned: LocalRun, builder: Builder, paths: ProjectPaths, environ: Mapping[str, str], *, dry: bool, say: Say
) -> int:
    """Run in a container and remove it at the end; print a hint if it ran out of memory."""
    if dry or planned.container is None:
        return run_pipeline(planned, paths, environ, dry=dry, say=say)
    create_mounts(paths)
    name, started = planned.container.name, time.time()
    try:
        exit_code = run_pipeline(planned, paths, environ, dry=dry, say=say)
        if exit_code == KILLED and was_out_of_memory(builder, name, started):
            say(f"the container ran out of memory; give it more: {_again(planned, paths)} --memory 1g")
        return exit_code
    finally:
        remove_container(builder, name)


def run_with_remote_data(
    paths: ProjectPaths,
    target: Target,
    arguments: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    dry: bool,
    say: Say,
) -> int:
    """Run with the params, files and state in AWS, and the virtual environments of this machine."""
    _check_venvs(paths, load_project(paths.file, paths.display_path))
    store_variables = {
        "STACK_NAME": target.name,
        "S3_BUCKET_NAME": target.bucket,
        OWNER_VARIABLE: target.bucket_owner,
        "HANDOFF_PROJECT": target.project,
        "HANDOFF_ENVIRONMENT": target.environment,
    }
    planned = LocalRun(paths.build / "remote", "", **arguments, store=store_variables)
    data = "files and artifacts" if planned.no_state else "files, artifacts and state"
    source = f"params of {target.parameter}; {data} of s3://{target.bucket}/{target.name}/"
    source += ", no state" if planned.no_state else ""
    if dry:
        say(f"would run, in {os.path.relpath(planned.directory)}, with {source}")
        return 0
    _link_project(paths, planned.directory)
    say(source)
    return run_pipeline(planned, paths, environ, dry=False, say=say)


def _link_project(paths: ProjectPaths, directory: Path) -> None:
    """Replace what is in the directory by links to the project's files, except those that a run writes.

    While a run holds its lock, all stays as it is: the runtime then fails, skips or waits, as `overlap` has it.
    """
    lock = directory / workspace.LOCK
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path in (*directory.iterdir(), *lock.parent.iterdir()):
                if path not in (lock.parent, lock):
                    symlinks.remove_tree(str(path))
            for path in sorted(paths.directory.iterdir()):
                if path.name not in NOT_LINKED:
                    (directory / path.name).symlink_to(path)
    except BlockingIOError:
        return
    except OSError as error:
        raise HandoffError(f"could not create {directory}: {error.strerror}") from error


def _again(planned: LocalRun, paths: ProjectPaths) -> str:
    where = " --container" if planned.container else " --remote" if planned.store else ""
    return f"invoke run-local{where} --project {paths.name}"
