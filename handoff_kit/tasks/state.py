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


@command("show", help={"version": f"{VERSION}default: the newest"})
def show_state(c: Context, project: str = "", version: str = "", environment: str = "") -> None:
    """Print the state that the next run starts from."""
    from handoff_kit.aws.state import get_state

    _, stack = options.find_target(c, project, environment)
    found = get_state(stack, version)
    print_data(found.content.decode("utf-8", "surrogateescape"))
    print_progress(f"version {found.version}, stored {found.stored}\nnext: invoke state.history {stack.options}")


@command("history")
def list_states(c: Context, project: str = "", environment: str = "") -> None:
    """Print the versions of the state that S3 keeps, newest first."""
    from handoff_kit.aws.state import no_state_error, state_history

    _, stack = options.find_target(c, project, environment)
    found = state_history(stack)
    print_output(found)
    if not found:
        raise no_state_error(stack)
    print_progress(f"next: invoke state.restore --version VERSION {stack.options}")


@command("edit", help={"file": "File with the new state, e.g. state.json; default: open VISUAL, EDITOR or vi"})
def edit_state(c: Context, project: str = "", file: str = "", environment: str = "") -> None:
    """Edit the stored state; refused if a run stores another state at the same time."""
    from handoff_kit.aws.state import check_state, draft_path, find_state, plan_put_state, state_url, text_to_edit
    from handoff_kit.project import params_document as render
    from handoff_kit.steps import ApiCalls
    from handoff_kit.tasks import editor

    _, loaded = options.load_project(c, project)
    paths, stack = options.find_target(c, project, environment)
    before = find_state(stack)
    _warn_of_run(stack)
    edit = editor.Edit(Path.cwd(), file, draft_path(paths), f"invoke state.edit {stack.options}")
    if c.config.run.dry and not file:
        print_progress(f"would open {state_url(stack)} in an editor")
        finish(c, 1, "")
        return
    content = editor.read_new_text(edit, text_to_edit(before), os.environ)
    check_state(content, render.state_mode(loaded), edit.display_path, edit.retry_command)
    changes = plan_put_state(stack, content, before, f"store {state_url(stack)}", edit.retry_command)
    apply(c, [ApiCalls(changes)], stack)
    if not changes:
        print_progress("the state is unchanged")
    editor.delete_draft(edit)
    finish(c, len(changes), f"invoke state.show {stack.options}")


@command("restore", help={"version": f"{VERSION}required"})
def restore_state(c: Context, project: str = "", version: str = "", environment: str = "") -> None:
    """Store an earlier version of the state as the newest; the versions between are kept."""
    from handoff_kit.aws.state import find_state, get_state, plan_restore_state, require_version
    from handoff_kit.steps import ApiCalls

    _, stack = options.find_target(c, project, environment)
    restored = get_state(stack, require_version(stack, version))
    _warn_of_run(stack)
    changes = plan_restore_state(stack, restored, find_state(stack))
    apply(c, [ApiCalls(changes)], stack)
    if not changes:
        print_progress(f"the state is already that of version {version}")
    finish(c, len(changes), f"invoke state.show {stack.options}")


@command("clear")
def clear_state(c: Context, project: str = "", yes: bool = False, environment: str = "") -> None:
    """Delete the state, so that the next run starts from nothing; earlier versions are kept."""
    from handoff_kit.aws.state import command_after_clear, find_state, plan_clear_state, question_before_clear
    from handoff_kit.steps import ApiCalls

    _, stack = options.find_target(c, project, environment)
    before = find_state(stack)
    _warn_of_run(stack)
    if not before:
        print_progress(f"no state of project {stack.project} in bucket {stack.bucket}")
        print_progress(f"next: invoke state.history {stack.options}")
        return
    changes = plan_clear_state(stack, before)
    if not c.config.run.dry:
        confirm(question_before_clear(stack, before), f"invoke state.clear {stack.options}", yes=yes)
    apply(c, [ApiCalls(changes)], stack)
    finish(c, len(changes), command_after_clear(stack, before))


def _warn_of_run(stack: Target) -> None:
    from handoff_kit.aws.state import run_in_progress

    if run := run_in_progress(stack):
        print_progress(f"note: run {run} is in progress; if the state changes now, that run fails to store its own")
