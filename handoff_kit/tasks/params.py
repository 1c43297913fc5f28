"""The params document: print, store, compare, write its config files here."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.tasks import task

from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import conclude, do, execute, put, put_data, say, told

if TYPE_CHECKING:
    from invoke.context import Context


@task(
    name="make",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "output": "file to write, readable by you alone; default: print it",
        "environment": flags.ENVIRONMENT,
    },
)
@told
def make(c: Context, project: str = "", output: str = "", environment: str = "") -> None:
    """Print or write the params document: the pipeline, and the sensitive config of .local in plain text."""
    from handoff_kit.project import params_document as documents
    from handoff_kit.steps import WriteFile

    place = flags.place(c, project)
    text = documents.to_json(documents.of_place(place, flags.environment(environment)))
    if output:
        after = f"invoke run-local --project {place.name} --params {shlex.quote(output)}"
        do(c, (WriteFile(Path.cwd() / output, text, 0o600),), after)
    elif c.config.run.dry:
        say(f"would print the params document ({len(text.encode()):,} bytes)")
    else:
        put_data(text)


@task(
    name="push",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "params": "a params document to store instead of the project file and .local",
        "prune": flags.PRUNE,
        "environment": flags.ENVIRONMENT,
        "yes": flags.YES,
    },
)
@told
def push(
    c: Context, project: str = "", params: str = "", prune: bool = False, environment: str = "", yes: bool = False
) -> None:
    """Store the params document in Parameter Store, encrypted. Stored config files that are not here stay."""
    from handoff_kit.project import load as projects
    from handoff_kit.remote import parameter
    from handoff_kit.remote import params as remote

    place = flags.place(c, project)
    loaded = projects.load(place.file, place.shown)
    if params:
        document = remote.of_file(Path.cwd() / params, place)
    else:
        document = remote.of_project(place, loaded, flags.environment(environment))
    _, stack = flags.stack(c, project, environment, bucket=False)
    stored = parameter.replaceable(stack)
    planned = remote.plan_push(stack, document, stored, advanced=remote.advanced(loaded), prune=prune)
    if not c.config.run.dry:
        again = f"invoke params.push --prune{f' --params {shlex.quote(params)}' if params else ''} {stack.options}"
        remote.confirm(planned, again, yes=yes)
    changed = remote.push(planned, stack, dry=c.config.run.dry, say=say)
    if not changed and stored:
        say(f"parameter {stack.parameter} is up to date (version {stored.version})")
    after = "files.push" if (place.directory / "files").is_dir() else "params.dump"
    conclude(c, range(changed), f"invoke {after} {stack.options}")


@task(
    name="pull",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "force": "overwrite files of .local that differ; default: write nothing where one does",
        "version": "an earlier version, by its number in invoke params.history; default: the newest",
        "environment": flags.ENVIRONMENT,
    },
)
@told
def pull(c: Context, project: str = "", force: bool = False, version: str = "", environment: str = "") -> None:
    """Write the stored config files to .local, readable by you alone. The values are not printed."""
    from handoff_kit.project import params_document as documents
    from handoff_kit.remote import history, parameter

    wanted = history.number("--version", version)
    place, stack = flags.stack(c, project, environment, bucket=False)
    stored = parameter.get(stack, wanted)
    again = f"invoke params.pull{f' --version {wanted}' if wanted else ''} {stack.options}"
    steps, equal = documents.plan_pull(place, stored.params.files, again, force=force)
    execute(c, steps)
    if equal:
        say(f"equal here already: {', '.join(equal)}")
    if not steps and not equal:
        say(f"version {stored.version} of parameter {stack.parameter} holds no config file")
    conclude(c, steps, f"invoke params.diff {stack.options}")


@task(
    name="dump",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "reveal": "show secrets as they are; default: as ***",
        "version": "an earlier version, as invoke params.history tells it; default: the newest",
        "environment": flags.ENVIRONMENT,
    },
)
@told
def dump(c: Context, project: str = "", reveal: bool = False, version: str = "", environment: str = "") -> None:
    """Print the stored params document, the values of config files starred."""
    from handoff_kit.project import params_document as documents
    from handoff_kit.remote import history, parameter
    from handoff_kit.remote import params as remote

    wanted = history.number("--version", version)
    _, stack = flags.stack(c, project, environment, bucket=False)
    stored = parameter.get(stack, wanted)
    put_data(documents.to_json(stored.document if reveal else remote.masked(stored.params)))
    say(f"parameter {stack.parameter}, version {stored.version}\nnext: invoke params.diff {stack.options}")


@task(name="diff", auto_shortflags=False, help={"project": flags.PROJECT, "environment": flags.ENVIRONMENT})
@told
def diff(c: Context, project: str = "", environment: str = "") -> None:
    """Print what differs between the stored params and those here: keys, short hashes of values, stored-only files."""
    from handoff_kit.project import params_document as documents
    from handoff_kit.remote import parameter
    from handoff_kit.remote import params as remote

    local = documents.of_place(flags.place(c, project), flags.environment(environment))
    _, stack = flags.stack(c, project, environment, bucket=False)
    stored = parameter.get(stack)
    merged = documents.merge(local, stored.document)
    found = remote.differences(stored.document, merged.document)
    put(remote.told_differences(found, merged.kept))
    if not found and not merged.kept:
        say(f"no difference: version {stored.version} of parameter {stack.parameter} is what lies here")
        return
    if merged.kept:
        say(f"= stored as version {stored.version}, not here; a push keeps it")
    if found:
        say(f"- stored as version {stored.version}, + here")
    say(f"next: invoke params.{'push' if found else 'pull'} {stack.options}")


@task(name="history", auto_shortflags=False, help={"project": flags.PROJECT, "environment": flags.ENVIRONMENT})
@told
def history(c: Context, project: str = "", environment: str = "") -> None:
    """Print the stored versions of the params: when, and by whom."""
    from handoff_kit.remote import params as remote

    _, stack = flags.stack(c, project, environment, bucket=False)
    put(remote.history(stack))
    say(f"next: invoke params.dump --version N {stack.options}")
