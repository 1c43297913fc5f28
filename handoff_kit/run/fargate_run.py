"""Run and stop tasks of a project on Fargate: options, start, watch, result.

Reads the project's files; what calls ECS gets values.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handoff_kit.aws.ecs.cluster import ProjectTasks, TaskNetwork
from handoff_kit.aws.ecs.overrides import RunOptions, TaskSize, check_data, parse_env, parse_size
from handoff_kit.aws.ecs.run_task import TaskHooks, run_task_request, start_task
from handoff_kit.aws.ecs.secret_detection import config_mask, project_mask
from handoff_kit.aws.ecs.stop_reasons import TaskResult, is_stopped
from handoff_kit.aws.ecs.task_observer import BRIEF
from handoff_kit.aws.ecs.tasks import TASK_ID, UNKNOWN_STATUS, Task, describe_task, list_running_tasks, task_id
from handoff_kit.aws.ecs.watch import Detached, InterruptPrompt, TaskWatch, Timeouts, run_and_watch
from handoff_kit.aws.session import DeployedProject
from handoff_kit.console import Say
from handoff_kit.errors import CommandError, ProjectError
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


def validate_options(deployed: DeployedProject, own: TaskSize, words: RunFlags, say: Say) -> RunOptions:
    """The validated options; ProjectError for a secret among them, or a size that Fargate does not have.

    `own` is the size of the task definition. The project's files are compared with where they can be read.
    """
    paths, project, config = deployed.paths, deployed.project, config_mask(())
    if words.envs and not project:
        say(f"note: --env is not compared with `envs` of {paths.display_path}, which would override it")
    if words.envs or words.data:
        try:
            config = project_mask(paths)
            missing = "" if paths.directory.is_dir() else "is not in this checkout"
        except ProjectError as error:
            missing = f"cannot be read ({error.message})"
        if missing:
            say(f"note: --data and --env are not compared with projects/{paths.name}/.local, which {missing}")
    check_data(words.data, paths.name, config)
    envs = parse_env(words.envs, paths.name, config, project.envs if project else ())
    return RunOptions(words.command, words.data, envs, parse_size(words.cpu, words.memory, own), words.no_state)


def describe_start(tasks: ProjectTasks, network: TaskNetwork, run: RunOptions, own: TaskSize) -> str:
    """One sentence about the task to start, without the values of variables."""
    where = "Fargate Spot" if network.spot else "Fargate"
    data = exact_json.dumps(dict(run.data), ensure_ascii=False)
    parts = [
        f"{where}, {(run.size or own).description}",
        *([f"command {run.command}"] if run.command != "run" else []),
        *([f"data {data if len(data) <= MAX_DATA_SHOWN else data[:MAX_DATA_SHOWN] + '...'}"] if run.data else []),
        *([f"env {', '.join(run.envs)}"] if run.envs else []),
        *(["without state"] if run.no_state else []),
    ]
    return f"start a task of {tasks.family} in cluster {task_id(network.cluster)} ({'; '.join(parts)})"


def start_detached(tasks: ProjectTasks, network: TaskNetwork, run: RunOptions, say: Say) -> str:
    """Start a task and do not watch it; its id."""
    tasks, hooks = _with_signals(tasks, InterruptPrompt(), say)
    return task_id(start_task(tasks, run_task_request(network, tasks.family, run), hooks))


def run_attached(
    tasks: ProjectTasks, network: TaskNetwork, run: RunOptions, say: Say, show: Say
) -> tuple[str, TaskResult | Detached, int]:
    """Start a task and watch it to its end: its id, the result, and the exit code."""
    prompt = InterruptPrompt()
    tasks, hooks = _with_signals(tasks, prompt, say)

    def watch(arn: str) -> TaskWatch:
        return TaskWatch(tasks, arn, hooks, prompt, show)

    arn, result = run_and_watch(tasks, run_task_request(network, tasks.family, run), watch, hooks)
    return task_id(arn), result, prompt.exit_code if isinstance(result, Detached) else result.code


def _with_signals(tasks: ProjectTasks, prompt: InterruptPrompt, say: Say) -> tuple[ProjectTasks, TaskHooks]:
    """The tasks with a session whose waits a signal ends, and the hooks for a start."""

    def check() -> None:
        if prompt.interrupted():
            hint = f"if its answer was lost, a task may run anyway: {tasks.invoke('status')}"
            raise CommandError("interrupted before a task was started", prompt.exit_code, hint)

    session = tasks.target.session.with_options(pause=prompt.pause)
    tasks = replace(tasks, target=replace(tasks.target, session=session))
    return tasks, TaskHooks(say, prompt.pause, time.monotonic, check)


def describe_result(tasks: ProjectTasks, task: str, result: TaskResult | Detached) -> str:
    """The result in one sentence, a hint, and the next command."""
    if isinstance(result, Detached):
        return f"detached: task {task} continues\n{commands_for_running(tasks, task)}"
    if result.code == 0:
        return f"task {task} {result.sentence}\nnext: {tasks.invoke('artifacts.get')}"
    hint = f"hint: {result.hint}\n" if result.hint else ""
    after = f"{tasks.invoke('logs')} --run {task}" if result.ran else tasks.invoke("status")
    return f"task {task} {result.sentence}\n{hint}next: {after}"


def commands_for_running(tasks: ProjectTasks, task: str) -> str:
    return f"to stop it: {tasks.invoke('stop')} --task {task}\nnext: {tasks.invoke('logs')} --run {task} --follow"


def describe_stopped(task: str, result: TaskResult | Detached) -> str:
    """The result of a stopped task in one sentence."""
    if isinstance(result, Detached):
        unknown = "was not stopped, since ECS does not know it at present, and may still run"
        return f"task {task} {'is stopping, and not waited for' if result.stopping else unknown}"
    return f"task {task} {result.sentence}"


def tasks_to_stop(tasks: ProjectTasks, task: str) -> list[Task]:
    """The tasks to stop: the one named, also where ECS does not list or know it yet; else all running ones.

    Empty where that one has ended, or none is listed.
    """
    if not task:
        return list_running_tasks(tasks)
    if not TASK_ID.fullmatch(task_id(task)):
        ids = ", ".join(task_id(each["taskArn"]) for each in list_running_tasks(tasks))
        expected = f"one that runs: {ids}" if ids else "the id of a task"
        raise ProjectError(f"--task: found {shlex.quote(task)}, expected {expected}", tasks.invoke("status"))
    stoppable = describe_task(tasks, task) or {"taskArn": task, "lastStatus": UNKNOWN_STATUS}
    return [] if is_stopped(stoppable) else [stoppable]


def stop_and_wait(tasks: ProjectTasks, running: Sequence[Task], say: Say) -> list[tuple[str, TaskResult | Detached]]:
    """Stop tasks at the same time, and wait for each; their logs are not read."""
    prompt = InterruptPrompt(answers=None)
    tasks, hooks = _with_signals(tasks, prompt, say)
    timeouts = Timeouts(absence=BRIEF)
    watched = [TaskWatch(tasks, task["taskArn"], hooks, prompt, None, timeouts) for task in running]
    for each in watched:
        each.stop()
    return [(task_id(each.arn), each.wait()) for each in watched]
