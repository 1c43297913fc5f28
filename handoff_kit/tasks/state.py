"""Tasks for the state in S3: state.show, state.history, state.edit, state.restore, state.clear."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from handoff_kit.console import confirm, print_data, print_output, print_progress
from handoff_kit.tasks import options
from handoff_kit.tasks.task import apply, command, finish

if TYPE_CHECKING:
    from handoff_kit.aws.target import Target

VERSION = "Id of a stored version as `invoke state.history` prints it; "


@command("show", operates=True, help={"version": f"{VERSION}default: the newest"})
def show_state(c: Context, project: str = "", version: str = "", environment: str = "") -> None:
    """Print the state that the next run starts from."""
    from handoff_kit.aws.state import get_state

    _, target = options.find_target(c, project, environment)
    stored = get_state(target, version)
    print_data(stored.content.decode("utf-8", "surrogateescape"))
    print_progress(f"version {stored.version}, stored {stored.stored}\nnext: invoke state.history {target.options}")


@command("history", operates=True)
def list_states(c: Context, project: str = "", environment: str = "") -> None:
    """Print the versions of the state that S3 keeps, newest first."""
    from handoff_kit.aws.state import no_state_error, state_history

    _, target = options.find_target(c, project, environment)
    history = state_history(target)
    print_output(history)
    if not history:
        raise no_state_error(target)
    print_progress(f"next: invoke state.restore --version VERSION {target.options}")


@command(
    "edit", operates=True, help={"file": "File with the new state, e.g. state.json; default: open VISUAL, EDITOR or vi"}
)
def edit_state(c: Context, project: str = "", file: str = "", environment: str = "") -> None:
    """Edit the stored state; refused if a run stores another state at the same time."""
    from handoff_kit.aws.object_tags import use_stored_keep
    from handoff_kit.aws.state import check_state, draft_path, find_state, plan_put_state, state_url, text_to_edit
    from handoff_kit.project.params_document import state_mode
    from handoff_kit.steps import ApiCalls
    from handoff_kit.tasks import editor
    from handoff_runtime.state import ALL

    deployed = options.find_deployed(c, project, environment)
    target = deployed.target
    before = find_state(target)
    _warn_of_run(target)
    edit = editor.Edit(Path.cwd(), file, draft_path(deployed.paths), f"invoke state.edit {target.options}")
    if c.config.run.dry and not file:
        print_progress(f"would open {state_url(target)} in an editor")
        finish(c, 1, "")
        return
    content = editor.read_new_text(edit, text_to_edit(before), os.environ)
    mode = state_mode(deployed.project) if deployed.project else ALL
    if not deployed.project:
        print_progress("note: the state is not checked, since `state` of the project file cannot be read")
    check_state(content, mode, edit.display_path, edit.retry_command)
    changes = plan_put_state(target, content, before, f"store {state_url(target)}", edit.retry_command)
    use_stored_keep(target)
    apply(c, [ApiCalls(changes)], target)
    if not changes:
        print_progress("the state is unchanged")
    editor.delete_draft(edit)
    finish(c, len(changes), f"invoke state.show {target.options}")


@command("restore", operates=True, help={"version": f"{VERSION}required"})
def restore_state(c: Context, project: str = "", version: str = "", environment: str = "") -> None:
    """Store an earlier version of the state as the newest; the versions between are kept."""
    from handoff_kit.aws.object_tags import use_stored_keep
    from handoff_kit.aws.state import find_state, get_state, plan_restore_state, require_version
    from handoff_kit.steps import ApiCalls

    _, target = options.find_target(c, project, environment)
    restored = get_state(target, require_version(target, version))
    _warn_of_run(target)
    changes = plan_restore_state(target, restored, find_state(target))
    use_stored_keep(target)
    apply(c, [ApiCalls(changes)], target)
    if not changes:
        print_progress(f"the state is already that of version {version}")
    finish(c, len(changes), f"invoke state.show {target.options}")


@command("clear", operates=True)
def clear_state(c: Context, project: str = "", yes: bool = False, environment: str = "") -> None:
    """Delete the state, so that the next run starts from nothing; earlier versions are kept."""
    from handoff_kit.aws.state import command_after_clear, find_state, plan_clear_state, question_before_clear
    from handoff_kit.steps import ApiCalls

    _, target = options.find_target(c, project, environment)
    before = find_state(target)
    _warn_of_run(target)
    if not before:
        print_progress(f"no state of project {target.project} in bucket {target.bucket}")
        print_progress(f"next: invoke state.history {target.options}")
        return
    changes = plan_clear_state(target, before)
    if not c.config.run.dry:
        confirm(question_before_clear(target, before), f"invoke state.clear {target.options}", yes=yes)
    apply(c, [ApiCalls(changes)], target)
    finish(c, len(changes), command_after_clear(target, before))


def _warn_of_run(target: Target) -> None:
    from handoff_kit.aws.state import run_in_progress

    if run := run_in_progress(target):
        print_progress(f"note: run {run} is in progress; if the state changes now, that run fails to store its own")
