"""A small ECS and Step Functions for tests of how a run is started, watched and stopped.

The test says which states each task goes through. An execution starts tasks as templates/state_machine.asl.json.j2 has
it: its own Choices decide, no interpreter fills in the requests (LocalStack's does, in test_runs_on_fargate.py).
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from doubles.http_server import Handler, serve
from doubles.state_machine import chosen, machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT = "123456789012"
CLUSTER = f"arn:aws:ecs:eu-central-1:{ACCOUNT}:cluster/handoff-dev"
NAMED_ERRORS = (
    *("ServerException", "ClientException", "InvalidParameterException", "ClusterNotFoundException"),
    "AccessDeniedException",
)
"""Errors of ECS that keep their names in a state machine; doubles/localstack_ecs/machines.py."""
MACHINE = f"arn:aws:states:eu-central-1:{ACCOUNT}:stateMachine:the-machine"
EXECUTIONS = f"arn:aws:states:eu-central-1:{ACCOUNT}:execution:the-machine"
BY_STEP_FUNCTIONS = "AWS Step Functions"
DEFINITION = cache(machine)


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
class Execution:
    """An execution: its input, its events, the task it waits for, and until when it waits to start another."""

    arn: str
    input: dict[str, Any]
    status: str = "RUNNING"
    events: list[dict[str, Any]] = field(default_factory=list)
    task: Task | None = None
    tries: int = 0
    until: float = 0.0

    def add(self, kind: str, **details: Any) -> None:
        """An event, whose details have the name of its type."""
        named = "StateEntered" if kind.endswith("StateEntered") else kind
        event = {"id": len(self.events) + 1, "timestamp": time.time(), "type": kind}
        self.events.append({**event, f"{named[0].lower()}{named[1:]}EventDetails": details})

    def listed(self) -> dict[str, Any]:
        """As ListExecutions tells it."""
        name, events = self.arn.rpartition(":")[2], self.events or [{"timestamp": time.time()}]
        ended = {} if self.status == "RUNNING" else {"stopDate": events[-1]["timestamp"]}
        found = {"executionArn": self.arn, "name": name, "status": self.status, "startDate": events[0]["timestamp"]}
        return {**found, **ended}

    def end(self, status: str, **details: Any) -> None:
        """It is over."""
        self.status = status
        self.add({"TIMED_OUT": "ExecutionTimedOut"}.get(status, f"Execution{status.title()}"), **details)


@dataclass
class Ecs:
    """Its address, what becomes of the tasks to come, those that were started, and what was called.

    `wait`: seconds between two tasks of an execution.
    """

    url: str
    cluster: str = "handoff-dev"
    wait: float = 0.0
    to_come: list[Life | Refused | NoTask] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
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

    def add_execution(
        self, task: Task | None = None, wait: float = 0.0, given: dict[str, Any] | None = None
    ) -> Execution:
        """An execution that somebody has started; without a task it waits for its next try."""
        execution = Execution(f"{EXECUTIONS}:run-20260131T020000Z-{len(self.executions):06x}", given or {}, task=task)
        execution.add("ExecutionStarted", input=json.dumps(execution.input))
        execution.until = time.monotonic() + wait
        if task:
            self._submitted(execution, task)
        self.executions.append(execution)
        return execution

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What ECS would say."""
        with self.lock:
            self.calls.append(operation)
            return {
                "RunTask": self._run,
                "DescribeTasks": self._describe,
                "ListTasks": self._list,
                "StopTask": self._stop,
                "StartExecution": self._start_execution,
                "GetExecutionHistory": self._history,
                "ListExecutions": self._list_executions,
                "StopExecution": self._stop_execution,
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

    # Step Functions

    def _start_execution(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if request["stateMachineArn"] != MACHINE:
            return 400, {"__type": "StateMachineDoesNotExist", "message": "State Machine Does Not Exist"}
        arn, given = f"{EXECUTIONS}:{request['name']}", json.loads(request["input"])
        execution = next((each for each in self.executions if each.arn == arn), None)
        if execution is None:
            execution = Execution(arn, given)
            execution.add("ExecutionStarted", input=request["input"])
            self.executions.append(execution)
        else:
            self._advance(execution)
        if execution.status != "RUNNING" or execution.input != given:
            return 400, {"__type": "ExecutionAlreadyExists", "message": "Execution Already Exists"}
        return 200, {"executionArn": arn, "startDate": time.time()}

    def _history(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        execution = self._execution(request)
        if execution is None:
            return 400, {"__type": "ExecutionDoesNotExist", "message": "Execution Does Not Exist"}
        self._advance(execution)
        events = execution.events[::-1] if request.get("reverseOrder") else execution.events
        first = int(request.get("nextToken") or 0)
        last = first + int(request.get("maxResults") or 100)
        return 200, {"events": events[first:last], **({"nextToken": str(last)} if last < len(events) else {})}

    def _list_executions(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        for execution in self.executions:
            self._advance(execution)
        found = [each for each in self.executions if each.status == request.get("statusFilter", each.status)]
        found = found[::-1][: request.get("maxResults", 100)]
        return 200, {"executions": [each.listed() for each in found]}

    def _stop_execution(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        execution = self._execution(request)
        if execution and execution.status == "RUNNING":
            execution.end("ABORTED", error=request.get("error"), cause=request.get("cause"))
            if execution.task and not execution.task.absent:
                execution.task.stopped_by = execution.task.stopped_by or "the execution was stopped or timed out"
        return 200, {"stopDate": time.time()}

    def _execution(self, request: dict[str, Any]) -> Execution | None:
        name = request["executionArn"].rpartition(":")[2]
        return next((each for each in self.executions if each.arn.endswith(f":{name}")), None)

    def _advance(self, execution: Execution) -> None:
        """As far as the tasks have come: start one, judge how one has ended."""
        while execution.status == "RUNNING":
            if execution.task is None:
                if time.monotonic() < execution.until:
                    return
                failure = self._submit(execution)
            elif execution.task.state != "STOPPED":
                return
            elif execution.task.described()["containers"][0].get("exitCode") == 0:
                execution.end("SUCCEEDED")
                return
            else:
                failure = ("States.TaskFailed", json.dumps(_pascal(execution.task.described())))
            if failure:
                execution.task = None
                self._judge(execution, *failure)

    def _submit(self, execution: Execution) -> tuple[str, str] | None:
        """RunTask as the state Run has it; the error and the cause where there is no task."""
        given = execution.input
        variables = [{"Name": "HANDOFF_EXECUTION", "Value": execution.arn.rpartition(":")[2]}, *given["environment"]]
        container = {"name": "handoff", "environment": [{key.lower(): each[key] for key in each} for each in variables]}
        size = {name.lower(): text for name, text in given["size"].items()}
        overrides = {"containerOverrides": [container], **size}
        self.calls.append("RunTask")
        request = {"overrides": overrides, "startedBy": BY_STEP_FUNCTIONS, "clientToken": str(uuid.uuid4())}
        status, answer = self._run(request)
        if status != 200:
            name = f"ECS.{answer['__type'] if answer['__type'] in NAMED_ERRORS else 'AmazonECSException'}"
            details = f"Service: AmazonECS; Status Code: {status}; Error Code: {answer['__type']}; Request ID: 1"
            return name, f"{answer['message']} ({details}; Proxy: null)"
        if answer["failures"]:
            return "AmazonECS.Unknown", json.dumps(_pascal(answer))
        self._submitted(execution, self.tasks[-1])
        return None

    def _submitted(self, execution: Execution, task: Task) -> None:
        execution.task = task
        execution.add("TaskSubmitted", output=json.dumps({"Failures": [], "Tasks": [{"TaskArn": task.arn}]}))

    def _judge(self, execution: Execution, error: str, cause: str) -> None:
        execution.add("TaskFailed", error=error, cause=cause)
        states = DEFINITION()["States"]
        data = {"failure": {"Error": error, "Cause": cause}, "retry": {"tries": execution.tries}}
        name = chosen(states["Judge"], data)
        name = chosen(states[name], data) if states[name]["Type"] == "Choice" else name
        if name == "Alert":  # whose first try fails
            execution.add(
                "TaskFailed", resourceType="states", error="StepFunctions.AWSStepFunctionsException", cause="x"
            )
            execution.end("FAILED", error=states[chosen(states["Ended"], data)]["Error"], cause=cause)
            return
        execution.tries += 1
        execution.until = time.monotonic() + self.wait
        execution.add(
            "WaitStateEntered", name="Wait", input=json.dumps({"retry": {"tries": execution.tries, "wait": 10}})
        )


def _pascal(value: Any) -> Any:
    """An answer of ECS as Step Functions tells it."""
    if isinstance(value, dict):
        return {f"{key[0].upper()}{key[1:]}": _pascal(each) for key, each in value.items()}
    return [_pascal(each) for each in value] if isinstance(value, list) else value


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
