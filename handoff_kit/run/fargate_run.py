"""Run and stop tasks of a project on Fargate: options, start, watch, result.

Reads the project's files; what calls ECS gets values.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.executions import (
    EXECUTION_NAME,
    Execution,
    TaskHooks,
    execution_name,
    list_running_executions,
    start_execution,
    stop_execution,
)
from handoff_kit.aws.ecs.overrides import RunOptions, TaskSize, check_data, parse_env, parse_size
from handoff_kit.aws.ecs.secret_detection import config_mask, project_mask
from handoff_kit.aws.ecs.stop_reasons import TaskResult, is_restarted, is_stopped
from handoff_kit.aws.ecs.task_observer import BRIEF
from handoff_kit.aws.ecs.tasks import TASK_ID, UNKNOWN_STATUS, Task, describe_task, list_running_tasks, task_id
from handoff_kit.aws.ecs.watch import Detached, ExecutionWatch, InterruptPrompt, TaskWatch, Timeouts
from handoff_kit.aws.session import DeployedProject
from handoff_kit.console import Say
from handoff_kit.errors import CommandError, ProjectError
from handoff_kit.project.deploy_settings import Deploy
from handoff_runtime import exact_json

MAX_DATA_SHOWN = 200  # characters of --data


@dataclass(frozen=True)
class RunFlags:
    """The options of `invoke run` as typed."""

    command: str
    data: Mapping[str, Any]
    envs: Sequence[str]
    cpu: str
    memory: str
    no_state: bool = False


def validate_options(deployed: DeployedProject, deployed_size: TaskSize, flags: RunFlags, say: Say) -> RunOptions:
    """The validated options; ProjectError for a secret among them, or a size that Fargate does not have.

    `deployed_size` is that of the task definition. Values are compared with the project's files that can be read.
    """
    paths, project, config = deployed.paths, deployed.project, config_mask(())
    if flags.envs and not project:
        say(f"note: --env is not compared with `envs` of {paths.display_path}, which would override it")
    if flags.envs or flags.data:
        try:
            config = project_mask(paths)
            missing = "" if paths.directory.is_dir() else "is not in this checkout"
        except ProjectError as error:
            missing = f"cannot be read ({error.message})"
        if missing:
            say(f"note: --data and --env are not compared with projects/{paths.name}/.local, which {missing}")
    check_data(flags.data, paths.name, config)
    envs = parse_env(flags.envs, paths.name, config, project.envs if project else ())
    size = parse_size(flags.cpu, flags.memory, deployed_size)
    return RunOptions(flags.command, flags.data, envs, size, flags.no_state)


def describe_start(tasks: ProjectTasks, settings: Deploy, run: RunOptions) -> str:
    """One sentence about the task to start, without the values of variables."""
    where = "Fargate Spot" if settings.spot else "Fargate"
    data = exact_json.dumps(dict(run.data), ensure_ascii=False)
    parts = [
        f"{where}, {(run.size or TaskSize(settings.cpu, settings.memory)).description}",
        *([f"command {run.command}"] if run.command != "run" else []),
        *([f"data {data if len(data) <= MAX_DATA_SHOWN else data[:MAX_DATA_SHOWN] + '...'}"] if run.data else []),
        *([f"env {', '.join(run.envs)}"] if run.envs else []),
        *(["without state"] if run.no_state else []),
    ]
    return f"start a task of {tasks.family} in cluster {task_id(tasks.cluster)} ({'; '.join(parts)})"


def start_detached(tasks: ProjectTasks, run: RunOptions, say: Say) -> tuple[str, int]:
    """Start a run and wait for the start of its task: its id, after a signal the execution's name; the exit code."""
    prompt = InterruptPrompt()
    tasks, hooks = _with_signals(tasks, prompt, say)
    execution = start_execution(tasks, run, hooks)
    started = ExecutionWatch(tasks, execution, hooks, prompt, None)
    result = started.wait()
    if isinstance(result, TaskResult):
        raise CommandError(f"{subject_of(started.subject)} {result.sentence}", result.code, tasks.invoke("status"))
    return started.subject, prompt.exit_code if prompt.number else 0


def run_attached(tasks: ProjectTasks, run: RunOptions, say: Say, show: Say) -> tuple[str, TaskResult | Detached, int]:
    """Start a run and watch it to its end: the id of its last task, the result, and the exit code."""
    prompt = InterruptPrompt()
    tasks, hooks = _with_signals(tasks, prompt, say)
    execution = start_execution(tasks, run, hooks)

    def watch(arn: str) -> TaskWatch:
        return TaskWatch(tasks, arn, hooks, prompt, show, execution=execution)

    watched = ExecutionWatch(tasks, execution, hooks, prompt, watch)
    result = watched.wait()
    return watched.subject, result, prompt.exit_code if isinstance(result, Detached) else result.code


def _with_signals(tasks: ProjectTasks, prompt: InterruptPrompt, say: Say) -> tuple[ProjectTasks, TaskHooks]:
    """The tasks with a session whose waits a signal ends, and the hooks for a start."""

    def check() -> None:
        if prompt.interrupted():
            hint = f"if its answer was lost, one may run anyway: {tasks.invoke('status')}"
            raise CommandError("interrupted before a run was started", prompt.exit_code, hint)

    session = tasks.target.session.with_options(pause=prompt.pause)
    tasks = replace(tasks, target=replace(tasks.target, session=session))
    return tasks, TaskHooks(say, prompt.pause, time.monotonic, check)


def subject_of(name: str) -> str:
    """A task by its id, or an execution by its name, in words."""
    return f"{'task' if TASK_ID.fullmatch(name) else 'execution'} {name}"


def describe_result(tasks: ProjectTasks, name: str, result: TaskResult | Detached) -> str:
    """The result of a task or an execution in one sentence, a hint, and the next command."""
    subject = subject_of(name)
    if isinstance(result, Detached):
        return f"detached: {subject} continues\n{commands_for_running(tasks, name)}"
    if result.code == 0:
        return f"{subject} {result.sentence}\nnext: {tasks.invoke('artifacts.get')}"
    hint = f"hint: {result.hint}\n" if result.hint else ""
    after = f"{tasks.invoke('logs')} --run {name}" if result.ran else tasks.invoke("status")
    return f"{subject} {result.sentence}\n{hint}next: {after}"


def commands_for_running(tasks: ProjectTasks, name: str) -> str:
    return f"to stop it: {tasks.invoke('stop')} --task {name}\nnext: {tasks.invoke('logs')} --run {name} --follow"


def describe_stopped(task: str, result: TaskResult | Detached) -> str:
    """The result of a stopped task in one sentence."""
    if isinstance(result, Detached):
        unknown = "was not stopped, since ECS does not know it at present, and may still run"
        return f"task {task} {'is stopping, and not waited for' if result.stopping else unknown}"
    return f"task {task} {result.sentence}"


@dataclass(frozen=True)
class Stoppable:
    """A task and the execution that waits for it; either is empty where there is none."""

    task: Task | None = None
    execution: str = ""

    @property
    def description(self) -> str:
        if self.task:
            return f"task {task_id(self.task['taskArn'])} ({self.task['lastStatus']})"
        return f"execution {execution_name(self.execution)} (it has no task at present)"


def find_stoppable(tasks: ProjectTasks, name: str) -> list[Stoppable]:
    """The running tasks, and the executions without one; with a task's id or an execution's name, only that one.

    A named task is found although ECS does not list or know it yet. Empty where it has ended, or nothing runs.
    """
    executions = [each for each in list_running_executions(tasks) if not each.is_over]
    named = next((each for each in executions if execution_name(each.arn) == name), None)
    if named:
        return _of_executions(tasks, [named], ())
    if name and TASK_ID.fullmatch(task_id(name)):
        task = describe_task(tasks, name) or {"taskArn": name, "lastStatus": UNKNOWN_STATUS}
        by_task = {task_id(each.task): each.arn for each in executions}
        return _stoppable(task, by_task.get(task_id(name), ""))
    if EXECUTION_NAME.fullmatch(name):
        return []
    found = _of_executions(tasks, executions, list_running_tasks(tasks))
    if not name:
        return found
    ids = ", ".join(task_id(each.task["taskArn"]) if each.task else execution_name(each.execution) for each in found)
    expected = f"one that runs: {ids}" if ids else "the id of a task"
    raise ProjectError(f"--task: found {shlex.quote(name)}, expected {expected}", tasks.invoke("status"))


def _of_executions(tasks: ProjectTasks, executions: Sequence[Execution], running: Sequence[Task]) -> list[Stoppable]:
    """The running tasks, then what else the executions have: a task that is not listed yet, or none at present."""
    by_task = {task_id(each.task): each.arn for each in executions if each.task}
    found = [Stoppable(task, by_task.pop(task_id(task["taskArn"]), "")) for task in running]
    for task, execution in by_task.items():
        described = describe_task(tasks, task) or {"taskArn": task, "lastStatus": UNKNOWN_STATUS}
        found += _stoppable(described, execution)
    return [*found, *(Stoppable(None, each.arn) for each in executions if not each.task)]


def _stoppable(task: Task, execution: str) -> list[Stoppable]:
    """A task with its execution; without it where it has stopped and the execution is about to start another one."""
    if not is_stopped(task):
        return [Stoppable(task, execution)]
    return [Stoppable(None, execution)] if execution and is_restarted(task) else []


def stop_and_wait(
    tasks: ProjectTasks, stoppable: Sequence[Stoppable], say: Say
) -> list[tuple[str, TaskResult | Detached]]:
    """Stop executions and tasks at the same time, and wait for each task; their logs are not read."""
    prompt = InterruptPrompt(answers=None)
    tasks, hooks = _with_signals(tasks, prompt, say)
    timeouts = Timeouts(absence=BRIEF)
    watched = [
        TaskWatch(tasks, each.task["taskArn"], hooks, prompt, None, timeouts, each.execution)
        for each in stoppable
        if each.task
    ]
    for execution in (each.execution for each in stoppable if not each.task):
        stop_execution(tasks.target, execution)
        say(f"{subject_of(execution_name(execution))} was stopped before its task started")
    for each in watched:
        each.stop()
    return [(task_id(each.arn), each.wait()) for each in watched]
