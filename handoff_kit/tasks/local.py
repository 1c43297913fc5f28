"""Tasks on this machine: check, install, show-commands, run-local, new."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit

from handoff_kit.console import print_output, print_progress
from handoff_kit.errors import ProjectError
from handoff_kit.tasks import options
from handoff_kit.tasks.task import COMMON_FLAGS, apply, command, finish


@command()
def check(c: Context, project: str = "", environment: str = "") -> None:
    """Validate a project's file and config; print every problem with its line, and what an image would lack."""
    from handoff_kit.deploy.schedule_output import shared_state_warning
    from handoff_kit.image.checks import find_image_problems
    from handoff_kit.paths import project_names
    from handoff_kit.project import name_limits, notes, params_document, shell_lines
    from handoff_kit.run import local_run
    from handoff_kit.venvs.install import venv_status

    name = options.parse_environment(environment, os.environ)
    paths, loaded = options.load_project(c, project)
    name_limits.check_names(paths, name, loaded, project_names(paths.root))
    params_document.check_functions(paths)
    document = params_document.params_document(paths, loaded, name)
    missing = local_run.missing_placeholder(document)
    print_progress(f"{paths.display_path}: no problem found")
    if chosen := params_document.state_choice(loaded):
        print_progress(chosen)
    if expected := params_document.describe_expect(loaded):
        print_progress(expected)
    if warning := shared_state_warning(loaded.schedules, params_document.state_mode(loaded)):
        print_progress(warning)
    pipes = shell_lines.unguarded_pipes(paths, loaded, os.environ)
    for note in (*notes.find_notes(paths, loaded, document, os.environ), *pipes):
        print_progress(str(note).replace("error", "note", 1))
    for problem in find_image_problems(paths, loaded):
        print_progress(f"note: for an image: {problem.message}\nhint: {problem.hint}")
    options.warn_of_git(paths)
    if missing:
        print_progress(f"note: placeholder {{{{ {missing} }}}} has no default; each run needs a value for it")
    if any(venv_status(paths, venv) != "ready" for venv in loaded.venvs):
        print_progress(f"next: invoke install --project {paths.name}")
    else:
        print_progress(f"next: invoke run-local --project {paths.name}{f' --var {missing}=VALUE' if missing else ''}")


@command(iterable=["var"])
def show_commands(
    c: Context, project: str = "", data: str = "", var: list[str] | None = None, environment: str = ""
) -> None:
    """Print the pipeline that would run, one stage per line, secrets masked."""
    from handoff_kit.project.params_document import load_params_document, to_json
    from handoff_kit.run import local_run

    paths, name = options.find_project(c, project), options.parse_environment(environment, os.environ)
    document = to_json(load_params_document(paths, name))
    print_output(local_run.preview(document, "run", options.parse_data(data, var or []), os.environ))


@command(
    help={"upgrade": "Resolve the requirements to their newest versions and rewrite the locks; default: keep the locks"}
)
def install(c: Context, project: str = "", upgrade: bool = False) -> None:
    """Install the project's virtual environments from their locks, if anything changed."""
    from handoff_kit import text
    from handoff_kit.venvs.indexes import pass_indexes_to_uv, pip_files
    from handoff_kit.venvs.install import find_installer, lock_installation, plan_install, read_venv_state

    paths, loaded = options.load_project(c, project)
    dry = c.config.run.dry or not loaded.venvs
    with nullcontext() if dry else lock_installation(paths, print_progress):
        states = {venv.name: read_venv_state(paths, venv) for venv in loaded.venvs}
        steps = plan_install(paths, loaded.venvs, states, find_installer(), upgrade=upgrade)
        if not loaded.venvs:
            print_progress("nothing to install: the project declares no virtual environment")
        elif not steps:
            print_progress(f"{text.plural(len(loaded.venvs), 'virtual environment')} up to date")
        else:
            pass_indexes_to_uv(os.environ, print_progress, files=pip_files(os.environ))
        apply(c, steps)
    finish(c, len(steps), f"invoke run-local --project {paths.name}")


@command(
    iterable=["var"],
    help={
        "builder": f"With --container: {COMMON_FLAGS['builder'][0].lower()}{COMMON_FLAGS['builder'][1:]}",
        "container": "Run in a container of the project's image, which `invoke build` creates; default: run directly",
        "log-format": "Format of the log: text, or json (one object per line, no live view, no summary); default: text",
        "memory": "With --container: memory limit, e.g. 512m or 2g; default: no limit",
        "meter": "What to count between stages: rows, bytes or off; default: meter of the project",
        "params": "Params document to run, e.g. params.json; default: the project file and .local",
        "remote": "Run on this machine with the params, files, artifacts and state stored in AWS; "
        "default: with those on this machine",
    },
)
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
    """Run a project's pipeline on this machine: directly, in a container of its image, or with the data in AWS."""
    from handoff_kit.run import local_run
    from handoff_runtime.pipeline import METERS

    paths = options.find_project(c, project)
    for flag, value in (("--memory", memory), ("--builder", builder)):
        if value and not container:
            raise ProjectError(f"{flag} needs --container", "add --container")
    for flag, is_set in (("--container", container), ("--params", params)):
        if is_set and remote:
            raise ProjectError(f"--remote and {flag} exclude each other", f"leave out {flag}")
    arguments: dict[str, Any] = {
        "command": options.parse_choice("--command", command, local_run.list_commands(paths), local_run.FUNCTION_HINT)
        or local_run.RUN,
        "data": options.parse_data(data, var or []),
        "meter": options.parse_choice("--meter", meter, METERS),
        "log_format": options.parse_choice("--log-format", log_format, options.LOG_FORMATS) or "text",
        "no_state": no_state,
    }
    dry = c.config.run.dry
    if remote:
        _, target = options.find_target(c, paths.name, environment)
        exit_code = local_run.run_with_remote_data(paths, target, arguments, os.environ, dry=dry, say=print_progress)
    else:
        inside = None
        if container:
            from handoff_kit.run.container import create_container, parse_memory

            limit, user = parse_memory(memory), f"{os.getuid()}:{os.getgid()}"
            image_builder, image = options.find_image(paths, builder)
            inside = create_container(image_builder, image, paths, environ=os.environ, user=user, memory=limit)
        planned = local_run.plan_run(
            paths,
            **arguments,
            environment=options.parse_environment(environment, os.environ),
            params=Path.cwd() / params if params else None,
            container=inside,
        )
        if inside:
            exit_code = local_run.run_in_container(
                planned, image_builder, paths, os.environ, dry=dry, say=print_progress
            )
        else:
            exit_code = local_run.run_pipeline(planned, paths, os.environ, dry=dry, say=print_progress)
    if exit_code:
        raise Exit(code=exit_code)


@command(
    help={
        "project": "Name of the new project, e.g. word-count; required",
        "starter": "Starter to copy: shell, python or singer; default: shell",
    }
)
def new(c: Context, project: str = "", starter: str = "shell") -> None:
    """Create a project from a starter: a directory under projects/ that runs right away."""
    from handoff_kit.run.starters import plan_new

    if not project:
        raise ProjectError("--project is required", "for example: invoke new --project mine")
    steps = plan_new(options.project_root(c), project, starter)
    apply(c, steps)
    finish(c, len(steps), f"invoke check --project {project}")
