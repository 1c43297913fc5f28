"""A small ECS for tests of how a task is started, watched and stopped: the test says which states each task goes through."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from doubles.http_server import Handler, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT = "123456789012"
CLUSTER = f"arn:aws:ecs:eu-central-1:{ACCOUNT}:cluster/handoff-dev"


@dataclass(frozen=True)
class Refused:
    """RunTask answers with an error of this code."""

    code: str
    message: str = ""
    status: int = 400


@dataclass(frozen=True)
class NoTask:
    """RunTask starts nothing, and says why among `failures`."""

    reason: str


ABSENT = ("MISSING", "EMPTY", "REFUSED")
"""States in which ECS does not know a task, and how DescribeTasks says so: a failure, nothing, or an error."""
NOT_FOUND = {"__type": "InvalidParameterException", "message": "The referenced task was not found."}


@dataclass(frozen=True)
class Life:
    """What DescribeTasks tells of a task, one state a look; the last one stays. `then` is called when that is reached."""

    states: tuple[str, ...] = ("PROVISIONING", "PENDING", "RUNNING", "STOPPED")
    code: int | None = 0
    stop: str = "EssentialContainerExited"
    reason: str = "Essential container in task exited"
    container: str = ""
    stopped_code: int = 143
    stops: bool = True
    then: Callable[[str], None] | None = None
    agent: str = ""


@dataclass
class Task:
    """A task that was started, and how often it was looked at."""

    id: str
    request: dict[str, Any]
    life: Life
    looks: int = 0
    stopped_by: str = ""

    @property
    def arn(self) -> str:
        return f"arn:aws:ecs:eu-central-1:{ACCOUNT}:task/handoff-dev/{self.id}"

    @property
    def state(self) -> str:
        if self.stopped_by and self.life.stops:
            return "STOPPED"
        return self.life.states[min(self.looks, len(self.life.states) - 1)]

    @property
    def began(self) -> bool:
        """Whether its container ever ran."""
        return "RUNNING" in self.life.states[: self.looks + 1]

    @property
    def absent(self) -> bool:
        """Whether ECS does not know it at present."""
        return self.state in ABSENT

    def described(self) -> dict[str, Any]:
        """As DescribeTasks tells it."""
        found = {"taskArn": self.arn, "clusterArn": CLUSTER, "lastStatus": self.state, "cpu": "256", "memory": "512"}
        container: dict[str, Any] = {"name": "handoff", "lastStatus": self.state}
        number = int(self.id, 16)
        more: dict[str, Any] = {"createdAt": 1_700_000_000 + number, "containers": [container]}
        if self.life.agent:  # started with enableExecuteCommand
            more["enableExecuteCommand"] = True
            container["managedAgents"] = [{"name": "ExecuteCommandAgent", "lastStatus": self.life.agent}]
        if self.began:
            more["startedAt"] = more["createdAt"] + 1
        if self.state in ("STOPPED", "DEPROVISIONING"):
            more |= self._ended(container)
        return {**found, **more}

    def _ended(self, container: dict[str, Any]) -> dict[str, Any]:
        code = self.life.stopped_code if self.stopped_by else self.life.code
        if code is not None:
            container["exitCode"] = code
        if self.life.container and not self.stopped_by:
            container["reason"] = self.life.container
        if self.stopped_by:
            return {"stopCode": "UserInitiated", "stoppedReason": self.stopped_by}
        return {"stopCode": self.life.stop, "stoppedReason": self.life.reason}


@dataclass
class Ecs:
    """Its address, what becomes of the tasks to come, those that were started, and what was called."""

    url: str
    cluster: str = "handoff-dev"
    to_come: list[Life | Refused | NoTask] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def will(self, *lives: Life | Refused | NoTask) -> None:
        """What becomes of the next starts; the last one of all further ones."""
        self.to_come = list(lives)

    def add(self, life: Life) -> Task:
        """A task that somebody has started."""
        made = Task(f"{len(self.tasks) + 1:032x}", {}, life)
        self.tasks.append(made)
        return made

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What ECS would say."""
        with self.lock:
            self.calls.append(operation)
            return {
                "RunTask": self._run,
                "DescribeTasks": self._describe,
                "ListTasks": self._list,
                "StopTask": self._stop,
            }[operation](request)

    def _run(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        known = next((task for task in self.tasks if task.request.get("clientToken") == request["clientToken"]), None)
        if known:
            return 200, {"tasks": [known.described()], "failures": []}
        coming = self.to_come.pop(0) if len(self.to_come) > 1 else self.to_come[0]
        if isinstance(coming, Refused):
            return coming.status, {"__type": coming.code, "message": coming.message}
        if isinstance(coming, NoTask):
            return 200, {"tasks": [], "failures": [{"arn": CLUSTER, "reason": coming.reason}]}
        made = self.add(coming)
        made.request = request
        return 200, {"tasks": [made.described()], "failures": []}

    def _describe(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        asked = {each.rpartition("/")[2] for each in request["tasks"]}
        found = [task for task in self.tasks if task.id in asked]
        result = [task.described() for task in found if not task.absent]
        missing = [{"arn": task.arn, "reason": "MISSING"} for task in found if task.state == "MISSING"]
        missing += [{"arn": each, "reason": "MISSING"} for each in asked - {task.id for task in found}]
        refused = any(task.state == "REFUSED" for task in found)
        for task in found:
            task.looks += 1
            if task.looks == len(task.life.states) and task.life.then:
                task.life.then(task.id)
        return (400, NOT_FOUND) if refused else (200, {"tasks": result, "failures": missing})

    def _list(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if not request["cluster"].endswith(self.cluster):
            return 400, {"__type": "ClusterNotFoundException", "message": "Cluster not found."}
        stopped = request["desiredStatus"] == "STOPPED"
        return 200, {"taskArns": [task.arn for task in self.tasks if (task.state == "STOPPED") == stopped]}

    def _stop(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        for task in self.tasks:
            if task.id == request["task"].rpartition("/")[2] and not task.absent:
                task.stopped_by = request["reason"]
                return 200, {"task": task.described()}
        return 400, NOT_FOUND


class _Handler(Handler):
    ecs: Ecs

    def answer_request(self) -> None:
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self.send_json(*self.ecs.answer(operation, json.loads(self.read_body())))


@pytest.fixture
def ecs() -> Iterator[Ecs]:
    """An ECS without tasks."""
    made = Ecs("")
    with serve(_Handler, ecs=made) as made.url:
        yield made
