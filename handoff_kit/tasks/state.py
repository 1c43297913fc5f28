"""The state in S3: show, change, bring back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.tasks import task

from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import conclude, put, put_data, say, told

if TYPE_CHECKING:
    from invoke.context import Context


@task(
    name="show",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "version": "an earlier version, as invoke state.history tells it; default: the state as it is",
        "environment": flags.ENVIRONMENT,
    },
)
@told
def show(c: Context, project: str = "", version: str = "", environment: str = "") -> None:
    """Print the state that the next run will begin from."""
    from handoff_kit.remote import state as remote

    _, stack = flags.stack(c, project, environment)
    found = remote.get(stack, version)
    put_data(found.content.decode("utf-8", "surrogateescape"))
    say(f"version {found.version}, stored {found.stored}\nnext: invoke state.history {stack.options}")


@task(name="history", auto_shortflags=False, help={"project": flags.PROJECT, "environment": flags.ENVIRONMENT})
@told
def history(c: Context, project: str = "", environment: str = "") -> None:
    """Print the versions of the state that S3 keeps, the newest first."""
    from handoff_kit.remote import state as remote

    _, stack = flags.stack(c, project, environment)
    found = remote.history(stack)
    put(found)
    if not found:
        raise remote.none_there(stack)
    say(f"next: invoke state.restore --version VERSION {stack.options}")


@task(
    name="edit",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "file": "a file that holds the new state; default: open it in VISUAL, EDITOR or vi",
        "environment": flags.ENVIRONMENT,
    },
)
@told
def edit(c: Context, project: str = "", file: str = "", environment: str = "") -> None:
    """Edit the state; stored only if no run has stored another one meanwhile."""
    from handoff_kit.project import load as projects
    from handoff_kit.project.params_document import state_mode
    from handoff_kit.remote import change, editor
    from handoff_kit.remote import state as remote

    place, stack = flags.stack(c, project, environment)
    mode = state_mode(projects.load(place.file, place.shown))
    seen = remote.find(stack)
    _warn(remote.under_way(stack))
    asked = editor.Asked(Path.cwd(), file, remote.draft(place), f"invoke state.edit {stack.options}")
    if c.config.run.dry and not file:
        say(f"would open {remote.shown(stack)} in an editor\nnothing was done: --dry")
        return
    content = editor.content(asked, remote.text_of(seen), os.environ)
    remote.check(content, mode, asked.shown, asked.again)
    changes = remote.plan_put(stack, content, seen, f"store {remote.shown(stack)}", asked.again)
    change.execute(changes, stack, dry=c.config.run.dry, say=say)
    if not changes:
        say("the state is what it was")
    editor.done(asked)
    conclude(c, changes, f"invoke state.show {stack.options}")


@task(
    name="restore",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "version": "required: which one, as invoke state.history tells it",
        "environment": flags.ENVIRONMENT,
    },
)
@told
def restore(c: Context, project: str = "", version: str = "", environment: str = "") -> None:
    """Make an earlier version of the state the newest; the ones between are kept."""
    from handoff_kit.remote import change
    from handoff_kit.remote import state as remote

    _, stack = flags.stack(c, project, environment)
    wanted = remote.get(stack, remote.checked_version(stack, version))
    _warn(remote.under_way(stack))
    changes = remote.plan_restore(stack, wanted, remote.find(stack))
    change.execute(changes, stack, dry=c.config.run.dry, say=say)
    if not changes:
        say(f"the state is what version {version} was")
    conclude(c, changes, f"invoke state.show {stack.options}")


@task(
    name="clear",
    auto_shortflags=False,
    help={"project": flags.PROJECT, "yes": flags.YES, "environment": flags.ENVIRONMENT},
)
@told
def clear(c: Context, project: str = "", yes: bool = False, environment: str = "") -> None:
    """Remove the state, so that the next run begins from nothing; earlier versions are kept."""
    from handoff_kit.remote import change, consent
    from handoff_kit.remote import state as remote

    _, stack = flags.stack(c, project, environment)
    seen = remote.find(stack)
    _warn(remote.under_way(stack))
    if not seen:
        say(f"no state of project {stack.project} in bucket {stack.bucket}\nnext: invoke state.history {stack.options}")
        return
    changes = remote.plan_clear(stack, seen)
    if not c.config.run.dry:
        consent.ask(remote.question(stack, seen), f"invoke state.clear {stack.options}", yes=yes)
    change.execute(changes, stack, dry=c.config.run.dry, say=say)
    conclude(c, changes, remote.after_clear(stack, seen))


def _warn(run: str | None) -> None:
    """A run that goes on will not overwrite what is stored meanwhile: it fails instead."""
    if run:
        say(f"note: run {run} is under way; if the state changes now, it will fail to store its own")
