"""The runs of a project that are under way, before it is deleted: find them, stop them, wait for their end."""

from __future__ import annotations

from collections.abc import Callable

from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.executions import Execution, execution_name, list_running_executions, stop_execution
from handoff_kit.aws.ecs.tasks import ECS, list_running_ids, task_id
from handoff_kit.aws.state import lock_holder
from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.errors import AWSError
from handoff_kit.steps import EndRuns
from handoff_kit.text import plural
from handoff_runtime import polling

POLL = 5.0
"""Seconds between two looks at the runs."""


def describe_runs(step: EndRuns, target: Target) -> tuple[str, ...]:
    """The runs under way, a phrase each: executions, tasks of no execution, and with `data` the holder of the lock."""
    executions = _running_executions(step, target)
    awaited = {task_id(execution.task) for execution in executions}
    phrases = [f"execution {execution_name(execution.arn)}" for execution in executions]
    phrases += [f"task {each}" for each in list_running_ids(target, step.cluster) if each not in awaited]
    if step.data and not phrases and target.bucket and (run := lock_holder(target)):
        phrases.append(f"run {run}")
    return tuple(phrases)


def _running_executions(step: EndRuns, target: Target) -> list[Execution]:
    tasks = [ProjectTasks(target, step.cluster, machine=machine) for machine in step.machines]
    return [execution for each in tasks for execution in list_running_executions(each)]


def count_runs(target: Target, runs: tuple[str, ...]) -> str:
    """The project with its runs under way, in a phrase."""
    return f"project {target.project}: {plural(len(runs), 'run')} under way ({', '.join(runs)})"


def runs_error(step: EndRuns, target: Target, runs: tuple[str, ...]) -> AWSError:
    """The error for runs under way that are neither to be stopped nor waited for."""
    message = f"{count_runs(target, runs)}, expected none"
    return AWSError(message, f"wait for it: {step.command} --running wait; or stop it: {step.command} --running stop")


def end_runs(step: EndRuns, target: Target, say: Say, pause: Callable[[float], None] = polling.sleep) -> None:
    """Wait until no run is under way, with `stop` after stopping each; AWSError for a run if neither is chosen."""
    seen: tuple[str, ...] = ()
    while runs := describe_runs(step, target):
        if not step.running:
            raise runs_error(step, target, runs)
        if step.running == "stop":  # executions, so that they start no further task, and the tasks; twice is no error
            for execution in _running_executions(step, target):
                if not execution.is_over:
                    stop_execution(target, execution.arn)
            for task in list_running_ids(target, step.cluster):
                target.call(ECS, "stop_task", cluster=step.cluster, task=task, reason="invoke destroy")
        if runs != seen:
            say(f"{'stop' if step.running == 'stop' else 'wait for'} {', '.join(runs)}")
        seen = runs
        pause(POLL)
