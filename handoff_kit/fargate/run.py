"""The tasks run and stop: what is asked for, said and done, and how it is told how it ended."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from handoff_kit.errors import HandoffError, ProjectError
from handoff_kit.fargate import ending, overrides, request, secrets, size, start, tasks, watch
from handoff_kit.fargate.attention import Attention
from handoff_kit.fargate.observer import BRIEF
from handoff_kit.fargate.overrides import Asked
from handoff_kit.fargate.size import Size
from handoff_kit.fargate.watch import Left, Patience, Watch
from handoff_kit.project import params_document as documents
from handoff_runtime.store import ConfigFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handoff_kit.fargate.ending import Ending
    from handoff_kit.fargate.ground import Cluster
    from handoff_kit.fargate.network import Network
    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project

    Say = Callable[[str], None]
    Task = Mapping[str, Any]

__all__ = [
    "InterruptedRunError",
    "Words",
    "after_launch",
    "asked",
    "chosen",
    "conclude",
    "ended",
    "follow",
    "launch",
    "stop",
    "told",
]

SHOWN = 200


class InterruptedRunError(HandoffError):
    """A signal came before there was a task that could be left or stopped."""

    def __init__(self, exit_code: int, hint: str) -> None:
        super().__init__("interrupted before a task was started", hint)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Words:
    """What was given on the command line, as texts."""

    command: str
    data: Mapping[str, Any]
    envs: Sequence[str]
    cpu: str
    memory: str
    no_state: bool = False


def asked(place: ProjectPlace, loaded: Project, environment: str, words: Words) -> Asked:
    """What is asked of the run; ProjectError where it would give a secret away, or Fargate has no such size."""
    files = documents.document(place, loaded, environment)["files"]
    config = secrets.known(ConfigFile(file["name"], file["value"]) for file in files)
    overrides.check_data(words.data, place.name, config)
    envs = overrides.environment(words.envs, place.name, config, loaded.envs)
    own = Size(loaded.deploy.cpu, loaded.deploy.memory)
    return Asked(words.command, words.data, envs, size.chosen(words.cpu, words.memory, own), words.no_state)


def told(cluster: Cluster, network: Network, run: Asked, own: Size) -> str:
    """What is started, in words; the values of variables are not among them."""
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
    """Start a task and leave it to itself; its id."""
    cluster, effects = _attended(cluster, Attention(), say)
    return tasks.id_of(start.start(cluster, request.run_task(network, cluster.family, run), effects))


def follow(
    cluster: Cluster, network: Network, run: Asked, say: Say, show: Callable[[str], None]
) -> tuple[str, Ending | Left, int]:
    """Start a task and watch it to its end: its id, how it ended, and the exit code."""
    attention = Attention()
    cluster, effects = _attended(cluster, attention, say)

    def watching(arn: str) -> Watch:
        return Watch(cluster, arn, effects, attention, show)

    arn, found = watch.run(cluster, request.run_task(network, cluster.family, run), watching, effects)
    return tasks.id_of(arn), found, attention.exit_code if isinstance(found, Left) else found.code


def _attended(cluster: Cluster, attention: Attention, say: Say) -> tuple[Cluster, start.Effects]:
    """The same, its waits ended by signals."""

    def check() -> None:
        if attention.came():
            hint = f"if its answer was lost, a task may run all the same: {cluster.known.invoke('status')}"
            raise InterruptedRunError(attention.exit_code, hint)

    stack = cluster.stack
    attended = replace(stack, clients=stack.clients.beside(pause=attention.pause))
    return replace(cluster, stack=attended), start.Effects(say, attention.pause, time.monotonic, check)


def conclude(cluster: Cluster, task: str, found: Ending | Left) -> str:
    """One sentence, and what to do next."""
    known = cluster.known
    if isinstance(found, Left):
        return f"detached: task {task} goes on\n{after_launch(cluster, task)}"
    if found.code == 0:
        return f"task {task} {found.words}\nnext: {known.invoke('artifacts.get')}"
    hint = f"hint: {found.hint}\n" if found.hint else ""
    after = f"{known.invoke('logs')} --run {task}" if found.ran else known.invoke("status")
    return f"task {task} {found.words}\n{hint}next: {after}"


def after_launch(cluster: Cluster, task: str) -> str:
    """What can be done with a task that goes on."""
    known = cluster.known
    return f"to stop it: {known.invoke('stop')} --task {task}\nnext: {known.invoke('logs')} --run {task} --follow"


def ended(task: str, found: Ending | Left) -> str:
    """How one ended that was told to."""
    if isinstance(found, Left):
        unknown = "was not stopped, since ECS does not know it at present, and may still run"
        return f"task {task} {'was told to stop, and not waited for' if found.stopping else unknown}"
    return f"task {task} {found.words}"


def chosen(cluster: Cluster, task: str) -> list[Task]:
    """The tasks to stop: the one that is named, also where ECS does not list or know it yet; else all that run.

    None where that one has ended, or nothing is listed.
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
    """Have them stopped, all at once, and wait for each; their logs are not read."""
    attention = Attention(answers=None)
    cluster, effects = _attended(cluster, attention, say)
    patience = Patience(absence=BRIEF)
    watched = [Watch(cluster, task["taskArn"], effects, attention, None, patience) for task in found]
    for each in watched:
        each.stop()
    return [(tasks.id_of(each.arn), each.end()) for each in watched]
