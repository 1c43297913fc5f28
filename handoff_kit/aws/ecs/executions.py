"""Executions of a project's state machine, which starts its task: find the machine, start, read and stop an execution.

What the machine does with a task that did not start: templates/state_machine.asl.json.j2.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.overrides import RunOptions, run_input
from handoff_kit.aws.ecs.stop_reasons import FAILED_TO_START, fill_advice, match_start_failure
from handoff_kit.aws.session import describe_location
from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.errors import AWSError

Event = Mapping[str, Any]

STEP_FUNCTIONS = "stepfunctions"
NO_MACHINE, NO_EXECUTION = ("StateMachineDoesNotExist",), ("ExecutionDoesNotExist",)
ALREADY_STARTED = ("ExecutionAlreadyExists",)  # and ended; one that runs is returned by StartExecution
EXECUTION_NAME = re.compile(r"run-\d{8}T\d{6}Z-[0-9a-f]{6}")
PAGE = 25  # events
MOST_LISTED = 1000
"""Of a page. AWS Step Functions API Reference, ListExecutions and GetExecutionHistory."""
FAILED_EVENTS = ("TaskFailed", "TaskStartFailed", "TaskSubmitFailed", "TaskTimedOut")
ENDED_EVENTS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")
TASK_FAILED = "States.TaskFailed"
"""The error of a task that was started and did not end well; with any other error RunTask started none."""
STARTED = (TASK_FAILED, "States.Timeout", "Handoff.Failed", "Handoff.Stopped")
"""The errors of executions whose task ran, or that were stopped."""
AFTER_TASKS = ("Look", "HasMessage", "AlertOfRecovery", "Alert", "Ended")
"""The states of the state machine that follow its last task."""
NOT_ALERTED = "Handoff.NotAlerted"
"""The error of any failed execution that could not start the alert machine."""
REFUSALS = (  # of RunTask: a pattern of the reason, and a template of the advice, which `fill_advice` fills
    (r"ClusterNotFound|ClusterContainsNo|Cluster not found", "its cluster does not exist: {repair}"),
    (r"TaskDefinition (not found|is inactive)|Unable to (find|describe) task definition|MISSING", "{repair}"),
    (
        r"[Ss]ubnet",
        "{repair}; with {file}: deploy: {{subnets: [...]}} these must be subnets of this region, then: {deploy}",
    ),
    (
        r"[Ss]ecurity ?[Gg]roup",
        "{repair}; with {file}: deploy: {{security_groups: [...]}} these must be groups of the subnets' VPC",
    ),
    (r"[Cc]apacity [Pp]rovider", "the cluster needs FARGATE and FARGATE_SPOT: aws ecs put-cluster-capacity-providers"),
    (
        r"iam:PassRole|AccessDenied|not authorized",
        "the role of its state machine was changed, or a policy of the organization forbids it: {repair}",
    ),
    (
        r"PlatformTaskDefinition|Fargate only supports|No Fargate configuration",
        "{file}: deploy: {{cpu: ..., memory: ...}}",
    ),
)


def check_machine(target: Target, stack: StackDescription | None) -> StackDescription:
    """The task stack; AWSError where the project is not deployed, or by a version without a state machine for runs."""
    if stack and "Machine" in stack.outputs:
        return stack
    if stack and "TaskDefinition" in stack.outputs:
        problem = "found no state machine, expected the one that starts runs; an earlier version deployed it"
    elif stack:
        problem = f"found in status {stack.status}, without a task, expected the project deployed"
    else:
        problem = f"found none in {describe_location(target.session)}, expected the project deployed"
    raise AWSError(f"stack {target.name}: {problem}", f"invoke deploy {target.options}")


@dataclass(frozen=True)
class TaskHooks:
    """Print a line, pause, read the clock, and raise where a signal came (`check`)."""

    say: Say
    pause: Callable[[float], None]
    clock: Callable[[], float]
    check: Callable[[], None]


def start_execution(tasks: ProjectTasks, options: RunOptions, hooks: TaskHooks) -> str:
    """The ARN of the started execution; by its name a retried call whose answer was lost finds it again."""
    hooks.check()
    name = f"run-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(3).hex()}"
    execution_input = json.dumps(run_input(options), ensure_ascii=False)
    request = {"stateMachineArn": tasks.machine, "name": name, "input": execution_input}
    try:
        answer = tasks.target.call(STEP_FUNCTIONS, "start_execution", allow=ALREADY_STARTED, **request)
    except AWSError as error:
        if not error.passing:
            is_gone = NO_MACHINE[0] in error.message
            raise AWSError(error.message, tasks.invoke("deploy --repair") if is_gone else error.hint) from None
        hooks.check()
        hint = f"a run may have started anyway: {tasks.invoke('status')}; if none runs: {tasks.invoke('run')}"
        raise AWSError(error.message, hint) from None
    return str(answer["executionArn"]) if answer else execution_arn(tasks, name)


def execution_arn(tasks: ProjectTasks, name: str) -> str:
    """The ARN of an execution by its name."""
    return f"{tasks.machine.replace(':stateMachine:', ':execution:')}:{name}"


def execution_name(arn: str) -> str:
    return arn.rpartition(":")[2]


def stop_execution(target: Target, arn: str) -> None:
    """Stop an execution, so that it starts no further task; a task that runs is stopped with it."""
    request = {"executionArn": arn, "error": "Handoff.Stopped", "cause": "stopped by invoke"}
    target.call(STEP_FUNCTIONS, "stop_execution", allow=NO_EXECUTION, **request)


@dataclass(frozen=True)
class Execution:
    """A running execution; `task` is the ARN of the task that it waits for, empty while it has none.

    One that is over has no further task: it notifies people, and ends within seconds.
    """

    arn: str
    task: str
    is_over: bool = False


def list_running_executions(tasks: ProjectTasks) -> list[Execution]:
    """The running executions of a project, the newest first; none without a machine."""
    if not tasks.machine:
        return []
    request, target = {"stateMachineArn": tasks.machine, "statusFilter": "RUNNING"}, tasks.target
    pages = target.pages(STEP_FUNCTIONS, "list_executions", allow=NO_MACHINE, **request)
    arns = [each["executionArn"] for page in pages for each in page["executions"]]
    return [_read_running(target, arn) for arn in arns]


@dataclass(frozen=True)
class ListedExecution:
    """An execution in any status of Step Functions; times in seconds since the epoch, `ended` is None while it runs."""

    arn: str
    status: str
    started: float
    ended: float | None

    @property
    def name(self) -> str:
        return execution_name(self.arn)


def list_newest_executions(tasks: ProjectTasks, most: int) -> list[ListedExecution] | None:
    """The newest executions, the newest first, in one call; None where the state machine is gone."""
    request = {"stateMachineArn": tasks.machine, "maxResults": min(most, MOST_LISTED)}
    answer = tasks.target.call(STEP_FUNCTIONS, "list_executions", allow=NO_MACHINE, **request)
    if answer is None:
        return None
    return [
        ListedExecution(
            each["executionArn"],
            each["status"],
            each["startDate"].timestamp(),
            each["stopDate"].timestamp() if "stopDate" in each else None,
        )
        for each in answer["executions"]
    ]


def read_events(target: Target, execution: str) -> list[Event]:
    """The events of an execution, the oldest first, in one call: it has fewer than a page holds."""
    request = {"executionArn": execution, "maxResults": MOST_LISTED}
    answer = target.call(STEP_FUNCTIONS, "get_execution_history", allow=NO_EXECUTION, **request)
    return list(answer["events"]) if answer else []


def _read_running(target: Target, execution: str) -> Execution:
    state = ""
    for event in _events(target, execution):
        if task := submitted_task(event):
            return Execution(execution, task)
        state = state or event.get("stateEnteredEventDetails", {}).get("name", "")
        is_of_task = event_details(event).get("resourceType", "ecs") == "ecs"  # not of a message to people
        if state in AFTER_TASKS or (is_of_task and event["type"] in FAILED_EVENTS):
            break
    return Execution(execution, "", state in AFTER_TASKS)


def last_task(target: Target, execution: str) -> str:
    """The ARN of the last task that an execution has started; empty where it has started none."""
    return next(filter(None, map(submitted_task, _events(target, execution))), "")


def _events(target: Target, execution: str) -> Iterator[Event]:
    """The events of an execution, the newest first; none where Step Functions does not know it (yet)."""
    request = {"executionArn": execution, "reverseOrder": True, "maxResults": PAGE}
    for page in target.pages(STEP_FUNCTIONS, "get_execution_history", allow=NO_EXECUTION, **request):
        yield from page["events"]


@dataclass
class ExecutionHistory:
    """The events of an execution, and how far they were read."""

    target: Target
    arn: str
    last: int = 0

    def read(self) -> list[Event]:
        """The events since the last call, the oldest first."""
        events: list[Event] = []
        for event in _events(self.target, self.arn):
            if event["id"] <= self.last:
                break
            events.insert(0, event)
        self.last = events[-1]["id"] if events else self.last
        return events


def submitted_task(event: Event) -> str:
    """The ARN of the task that an event says was started; empty for any other event."""
    output = event.get("taskSubmittedEventDetails", {}).get("output")
    started = json.loads(output).get("Tasks") if output else None
    return str(started[0]["TaskArn"]) if started else ""


def event_details(event: Event) -> Mapping[str, Any]:
    """What an event says, which has the name of its type."""
    kind = event["type"]
    details: Mapping[str, Any] = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails", {})
    return details


def describe_failure(event: Event) -> tuple[str, str]:
    """Error and reason of a failed task of ECS, or of the whole execution; both empty for any other event."""
    details = event_details(event) if event["type"] in FAILED_EVENTS + ENDED_EVENTS else {}
    if details.get("resourceType", "ecs") != "ecs":  # of a message to people
        return "", ""
    error, cause = str(details.get("error", "")), str(details.get("cause", ""))
    try:
        failures = json.loads(cause).get("Failures", ())
    except (ValueError, AttributeError):
        failures = ()
    texts = [f"{each.get('Reason', '')} {each.get('Detail') or ''}".strip() for each in failures]
    message = ", ".join(texts) or cause.partition(" (Service: ")[0]
    name = "" if error.startswith("Handoff.") else error.removeprefix("ECS.")  # then the cause says it
    return error, message if texts else ": ".join(filter(None, (name, message)))


def read_start_failure(target: Target, execution: str) -> str | None:
    """The reason of a failed execution that started no task; None where a task ran, or the execution was stopped."""
    described = target.call(STEP_FUNCTIONS, "describe_execution", allow=NO_EXECUTION, executionArn=execution) or {}
    error, cause = described.get("error", ""), described.get("cause", "")
    if not error or error in STARTED:
        return None
    details = {"error": "" if error.startswith("Handoff.") else error, "cause": cause}
    reason = describe_failure({"type": "ExecutionFailed", "executionFailedEventDetails": details})[1]
    try:
        task = json.loads(cause)
    except ValueError:
        return reason
    if not isinstance(task, dict) or "StoppedReason" not in task:
        return reason
    if error == NOT_ALERTED and task.get("StopCode") != FAILED_TO_START:
        return None
    containers = [str(each.get("Reason") or "") for each in task.get("Containers", ())]
    return " ".join(dict.fromkeys(filter(None, (str(task["StoppedReason"]), *containers))))


def start_error(tasks: ProjectTasks, where: str, reason: str) -> AWSError:
    """The error of an execution that started no task."""
    advice = next((advice for pattern, advice in REFUSALS if re.search(pattern, reason)), None)
    return AWSError(f"{where}: {reason}", fill_advice(advice or match_start_failure(reason).advice, tasks))
