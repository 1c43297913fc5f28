"""Delete a project from AWS: read its inventory, show it, ask, delete, and verify by reading it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from handoff_kit import resource_names
from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.aws.buckets import plan_object_deletion
from handoff_kit.aws.ecr import plan_image_deletion
from handoff_kit.aws.ecs.running_runs import count_runs, describe_runs, runs_error
from handoff_kit.aws.params import check_params_owner
from handoff_kit.aws.session import describe_location
from handoff_kit.aws.target import Target
from handoff_kit.console import Say, choose, confirm, has_terminal
from handoff_kit.deploy.inventory import Inventory, deleted_lines, kept_lines, read_inventory, remaining_lines
from handoff_kit.errors import AWSError
from handoff_kit.steps import ApiCall, ApiCalls, DeleteStack, EndRuns, Running, Step
from handoff_kit.text import plural
from handoff_runtime.aws.session import SSM
from handoff_runtime.errors import HandoffError
from handoff_runtime.terminal import safe_name


def destroy_project(target: Target, cluster: str, *, data: bool, options: ApplyOptions, running: Running = "") -> int:
    """Delete the stacks of a project, and with `data` its data; returns how many steps changed something, or would.

    `running` says what becomes of runs under way; if it is empty, they are shown, with a question on a terminal.
    """
    check_params_owner(target)
    inventory, command = read_inventory(target, complete=data), destroy_command(target, data=data)
    deleted, kept = deleted_lines(target, inventory, data=data), kept_lines(target, inventory, data=data)
    where = f"{target.environment} ({describe_location(target.session)})" if not deleted else target.environment
    print_inventory(deleted, kept, f"project {target.project} in {where}", options.say)
    if not plan_deletion(target, inventory, EndRuns(cluster, (), command, data)):
        return 0
    end_runs = EndRuns(cluster, state_machines(inventory), command, data, running)
    if runs := describe_runs(end_runs, target):
        options.say(f"note: {count_runs(target, runs)}")
        if not options.dry and not running:
            end_runs = replace(end_runs, running=_choose(runs_error(end_runs, target, runs), options))
    steps = plan_deletion(target, inventory, end_runs)
    if not options.dry:
        stacks = plural(sum(isinstance(step, DeleteStack) for step in steps), "stack")
        what = f"{stacks}{' and all of its data' if data else ''}"
        question = f"destroy project {target.project} in environment {target.environment} ({what})"
        confirm(question, command, yes=options.yes)
    done = 0
    if runs and not options.dry:  # until its end a run stores more, which is to be deleted too
        count = max((number for number, step in enumerate(steps, 1) if isinstance(step, EndRuns)), default=0)
        done = apply(steps[:count], target, replace(options, yes=True))
        steps = plan_deletion(target, read_inventory(target, complete=data), end_runs)
    done += apply(steps, target, replace(options, yes=True))
    if not options.dry:
        now = read_inventory(target, complete=False)
        remaining = remaining_lines(target, inventory, now, data=data)
        verify_deletion(remaining, kept_lines(target, now, data=data), command, options.say)
    return done


def _choose(error: AWSError, options: ApplyOptions) -> Running:
    """What a terminal answers; the error without one, or if nothing shall change."""
    if options.yes or not has_terminal():
        raise error
    answer = choose("wait for it, stop it, or change nothing", ("wait", "stop", "neither"))
    if answer == "neither":
        raise HandoffError("not done: the answer was neither")
    return "wait" if answer == "wait" else "stop"


def state_machines(inventory: Inventory) -> tuple[str, ...]:
    """The state machines of a project; handoff 0.1 had one in the schedule stack."""
    stacks = (inventory.task_stack, inventory.schedule_stack)
    return tuple(stack.outputs["Machine"] for stack in stacks if stack and "Machine" in stack.outputs)


def plan_deletion(target: Target, inventory: Inventory, end_runs: EndRuns) -> tuple[Step, ...]:
    """The steps in an order that can be repeated after each: what starts runs, runs, the task, images, data last."""
    command, data, name = end_runs.command, end_runs.data, target.name
    # ECR deletes no repository that holds an image
    image_deletion = plan_image_deletion(inventory.images) if inventory.images else ()
    call = ApiCall(f"delete parameter {target.parameter}", SSM, "delete_parameter", {"Name": target.parameter})
    return (
        *((end_runs,) if inventory.schedule_stack and "Machine" in inventory.schedule_stack.outputs else ()),
        *((DeleteStack(resource_names.schedule_stack(name), command),) if inventory.schedule_stack else ()),
        *((end_runs, DeleteStack(name, command)) if inventory.task_stack else ()),
        *(
            (*image_deletion, DeleteStack(resource_names.registry_stack(name), command))
            if inventory.registry_stack
            else ()
        ),
        *(plan_object_deletion(inventory.data) if data and inventory.data else ()),
        *((ApiCalls((call,)),) if data and inventory.params_version is not None else ()),
    )


def destroy_command(target: Target, *, data: bool) -> str:
    """The command that repeats the deletion."""
    return f"invoke destroy {target.options}{' --data' if data else ''}"


def print_inventory(deleted: Sequence[str], kept: Sequence[str], what: str, say: Say) -> None:
    """What is to be deleted, and what is kept."""
    if not deleted:
        say(f"nothing to delete: {what}")
    _print_list("delete", deleted, say)
    _print_list("keep", kept, say)


def verify_deletion(remaining: Sequence[str], kept: Sequence[str], command: str, say: Say) -> None:
    """Print what is kept, from an inventory read after the deletion; AWSError if anything else remains."""
    if remaining:
        raise AWSError(f"destroy: not deleted: {'; '.join(remaining)}", f"run it again: {command}")
    if kept:
        _print_list("verified, only this is kept", kept, say)
    else:
        say("verified, nothing is left")


def _print_list(head: str, lines: Sequence[str], say: Say) -> None:
    if lines:
        say(f"{head}:")
    for line in lines:
        say(f"  {safe_name(line)}")
