"""Run and stop tasks of a project on Fargate: options, start, watch, result.

Reads the project's files; what calls ECS gets values.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handoff_kit import params as documents
from handoff_kit.errors import HandoffError, ProjectError
from handoff_kit.fargate import ending, overrides, request, secrets, size, start, tasks, watch
from handoff_kit.fargate.attention import Attention
from handoff_kit.fargate.ending import Ending
from handoff_kit.fargate.ground import Cluster
from handoff_kit.fargate.network import Network
from handoff_kit.fargate.observer import BRIEF
from handoff_kit.fargate.overrides import Asked
from handoff_kit.fargate.size import Size
from handoff_kit.fargate.tasks import Task
from handoff_kit.fargate.watch import Left, Patience, Watch
from handoff_kit.names import ProjectPlace
from handoff_kit.project import Project
from handoff_runtime.store import ConfigFile

Say = Callable[[str], None]

SHOWN = 200  # characters of --data


class InterruptedRunError(HandoffError):
    """A signal came before there was a task that could be left or stopped."""

    def __init__(self, exit_code: int, hint: str) -> None:
        super().__init__("interrupted before a task was started", hint)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Words:
    """The options of `invoke run` as typed."""

    command: str
    data: Mapping[str, Any]
    envs: Sequence[str]
    cpu: str
    memory: str
    no_state: bool = False


def asked(place: ProjectPlace, loaded: Project, environment: str, words: Words) -> Asked:
    """The validated options; ProjectError for a secret among them, or a size that Fargate does not have."""
    files = documents.document(place, loaded, environment)["files"]
    config = secrets.known(ConfigFile(file["name"], file["value"]) for file in files)
    overrides.check_data(words.data, place.name, config)
    envs = overrides.environment(words.envs, place.name, config, loaded.envs)
    own = Size(loaded.deploy.cpu, loaded.deploy.memory)
    return Asked(words.command, words.data, envs, size.chosen(words.cpu, words.memory, own), words.no_state)


def told(cluster: Cluster, network: Network, run: Asked, own: Size) -> str:
    """One sentence about the task to start, without the values of variables."""
    where = "Fargate Spot" if network.spot else "Fargate"
    data = json.dumps(dict(run.data), ensure_ascii=False)
    parts = [
        f"{where}, {(run.size or own).told}",
        *([f"command {run.command}"] if run.command != "run" else []),
        *([f"data {data if len(data) <= SHOWN else data[:SHOWN] + '...'}"] if run.data else []),
        *([f"env {', '.join(run.envs)}"] if run.envs else []),
        *(["without state"] if run.no_state else []),
    ]
    return f"start a task of {cluster.family} in cluster {tasks.id_of(network.cluster)} ({'; '.join(parts)})"


def launch(cluster: Cluster, network: Network, run: Asked, say: Say) -> str:
    """Start a task and do not watch it; its id."""
    cluster, effects = _attended(cluster, Attention(), say)
    return tasks.id_of(start.start(cluster, request.run_task(network, cluster.family, run), effects))


def follow(
    cluster: Cluster, network: Network, run: Asked, say: Say, show: Callable[[str], None]
) -> tuple[str, Ending | Left, int]:
    """Start a task and watch it to its end: its id, the result, and the exit code."""
    attention = Attention()
    cluster, effects = _attended(cluster, attention, say)

    def watching(arn: str) -> Watch:
        return Watch(cluster, arn, effects, attention, show)

    arn, found = watch.run(cluster, request.run_task(network, cluster.family, run), watching, effects)
    return tasks.id_of(arn), found, attention.exit_code if isinstance(found, Left) else found.code


def _attended(cluster: Cluster, attention: Attention, say: Say) -> tuple[Cluster, start.Effects]:
    """The tasks with a session whose waits a signal ends, and the hooks for a start."""

    def check() -> None:
        if attention.came():
            hint = f"if its answer was lost, a task may run anyway: {cluster.known.invoke('status')}"
            raise InterruptedRunError(attention.exit_code, hint)

    stack = cluster.stack
    attended = replace(stack, clients=stack.clients.beside(pause=attention.pause))
    return replace(cluster, stack=attended), start.Effects(say, attention.pause, time.monotonic, check)


def conclude(cluster: Cluster, task: str, found: Ending | Left) -> str:
    """The result in one sentence, a hint, and the next command."""
    known = cluster.known
    if isinstance(found, Left):
        return f"detached: task {task} continues\n{after_launch(cluster, task)}"
    if found.code == 0:
        return f"task {task} {found.words}\nnext: {known.invoke('artifacts.get')}"
    hint = f"hint: {found.hint}\n" if found.hint else ""
    after = f"{known.invoke('logs')} --run {task}" if found.ran else known.invoke("status")
    return f"task {task} {found.words}\n{hint}next: {after}"


def after_launch(cluster: Cluster, task: str) -> str:
    """The commands for a running task."""
    known = cluster.known
    return f"to stop it: {known.invoke('stop')} --task {task}\nnext: {known.invoke('logs')} --run {task} --follow"


def ended(task: str, found: Ending | Left) -> str:
    """The result of a stopped task in one sentence."""
    if isinstance(found, Left):
        unknown = "was not stopped, since ECS does not know it at present, and may still run"
        return f"task {task} {'is stopping, and not waited for' if found.stopping else unknown}"
    return f"task {task} {found.words}"


def chosen(cluster: Cluster, task: str) -> list[Task]:
    """The tasks to stop: the one named, also where ECS does not list or know it yet; else all running ones.

    Empty where that one has ended, or none is listed.
    """
    if not task:
        return tasks.running(cluster)
    if not tasks.ID.fullmatch(tasks.id_of(task)):
        ids = ", ".join(tasks.id_of(each["taskArn"]) for each in tasks.running(cluster))
        expected = f"one that runs: {ids}" if ids else "the id of a task"
        raise ProjectError(f"--task: found {shlex.quote(task)}, expected {expected}", cluster.known.invoke("status"))
    found = tasks.look(cluster, task) or {"taskArn": task, "lastStatus": tasks.UNKNOWN}
    return [] if ending.is_over(found) else [found]


def stop(cluster: Cluster, found: Sequence[Task], say: Say) -> list[tuple[str, Ending | Left]]:
    """Stop tasks at the same time, and wait for each; their logs are not read."""
    attention = Attention(answers=None)
    cluster, effects = _attended(cluster, attention, say)
    patience = Patience(absence=BRIEF)
    watched = [Watch(cluster, task["taskArn"], effects, attention, None, patience) for task in found]
    for each in watched:
        each.stop()
    return [(tasks.id_of(each.arn), each.end()) for each in watched]
