"""What became of an execution, by its events: of runs that left no record, or none of their end.

A run whose task never started, or was killed with its runtime, cannot write its own line of the history.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.executions import (
    ENDED_EVENTS,
    FAILED_EVENTS,
    TASK_FAILED,
    Event,
    describe_failure,
    event_details,
    start_error,
    submitted_task,
)
from handoff_kit.aws.ecs.stop_reasons import KILLED as KILLED_EXIT
from handoff_kit.aws.ecs.stop_reasons import TaskResult, exit_code, explain_stop
from handoff_kit.aws.ecs.tasks import task_id
from handoff_kit.project.execution_input import RunInput, parse_input

NOT_STARTED, KILLED, FAILED, TIMED_OUT = "not started", "killed", "failed", "timed out"
STOPPED, RUNNING, WAITING, SUCCEEDED = "stopped", "running", "waiting", "succeeded"
STATE_TIMEOUT = "States.Timeout"
_ENDED = {
    "ExecutionSucceeded": SUCCEEDED,
    "ExecutionFailed": FAILED,
    "ExecutionAborted": "was stopped",
    "ExecutionTimedOut": TIMED_OUT,
}
_SIGTERM_EXIT = 128 + signal.SIGTERM


@dataclass(frozen=True)
class ExecutionOutcome:
    """How an execution ended, or what it does; `steps` are its starts and their ends, each with its time.

    `exit` is that of its last task, None where that has none. `hint` is what to do.
    """

    outcome: str
    reason: str = ""
    hint: str | None = None
    exit: int | None = None
    given: RunInput = field(default_factory=RunInput)
    steps: tuple[tuple[float, str], ...] = ()
    task: str = ""


@dataclass
class _Starts:
    """The starts of one execution so far; `awaits` while its last task runs."""

    number: int = 0
    task: str = ""
    awaits: bool = False
    result: TaskResult | None = None
    exit: int | None = None
    refusal: str = ""
    has_timed_out: bool = False

    def take(self, event: Event, tasks: ProjectTasks) -> str:
        """What an event says of a start, in words; empty where it says nothing."""
        entered = event.get("stateEnteredEventDetails", {})
        if arn := submitted_task(event):
            self.number, self.task, self.awaits = self.number + 1, task_id(arn), True
            return f"start {self.number}: task {self.task}"
        error, reason = describe_failure(event)
        if event["type"] in FAILED_EVENTS and error:
            return self._fail(error, reason, event, tasks)
        if event["type"] == "WaitStateEntered":
            return f"start {self.number + 1} follows in {json.loads(entered['input'])['retry']['wait']} s"
        return f"start {self.number + 1} is on demand" if entered.get("name") == "OnDemand" else ""

    def _fail(self, error: str, reason: str, event: Event, tasks: ProjectTasks) -> str:
        self.awaits = False
        if error == STATE_TIMEOUT:
            self.has_timed_out = True
            return f"task {self.task} took longer than its timeout"
        if error == TASK_FAILED:
            task = _stopped_task(str(event_details(event).get("cause", "")))
            self.result, self.exit, self.refusal = explain_stop(task, tasks), exit_code(task), ""
            return f"task {self.task} {self.result.sentence}"
        self.number, self.refusal, self.result = self.number + 1, reason, None
        return f"start {self.number} was refused: {reason}"


def explain_events(events: Iterable[Event], tasks: ProjectTasks) -> ExecutionOutcome:
    """What became of an execution, by its events, the oldest first. Pure."""
    starts, steps, given, end = _Starts(), list[tuple[float, str]](), RunInput(), None
    for event in events:
        if event["type"] == "ExecutionStarted":
            given = parse_input(event_details(event).get("input", ""))
        elif event["type"] in ENDED_EVENTS:
            end = event
        elif text := starts.take(event, tasks):
            steps.append((_seconds(event["timestamp"]), text))
    outcome, reason, hint = _conclude(starts, end, tasks)
    if end:
        steps.append((_seconds(end["timestamp"]), f"the execution {_ENDED[end['type']]}"))
    return ExecutionOutcome(outcome, reason, hint, starts.exit, given, tuple(steps), starts.task)


def _conclude(starts: _Starts, end: Event | None, tasks: ProjectTasks) -> tuple[str, str, str | None]:
    """Outcome, reason and hint."""
    if end is None:
        why = starts.refusal or (starts.result.sentence if starts.result else "")
        return (RUNNING, "", None) if starts.awaits else (WAITING, why, None)
    logs = f"see its log: {tasks.invoke('logs')}" if starts.task else None
    if end["type"] == "ExecutionSucceeded":
        return SUCCEEDED, "", None
    if end["type"] == "ExecutionAborted":
        return STOPPED, str(event_details(end).get("cause") or "no reason given"), logs
    if end["type"] == "ExecutionTimedOut" or starts.has_timed_out:
        return TIMED_OUT, "took longer than its timeout", logs
    return _explain_failure(starts, describe_failure(end)[1], tasks)


def _explain_failure(starts: _Starts, reason: str, tasks: ProjectTasks) -> tuple[str, str, str | None]:
    """Of an execution that failed; `reason` is its own, which counts where it has made no start."""
    if (result := starts.result) is None:
        reason = starts.refusal or reason
        return NOT_STARTED, reason, start_error(tasks, "", reason).hint
    if not result.ran:
        return NOT_STARTED, result.sentence.removeprefix("never started: "), result.hint
    killed = starts.exit in (None, KILLED_EXIT)
    outcome = KILLED if killed else STOPPED if starts.exit == _SIGTERM_EXIT else FAILED
    return outcome, result.sentence, result.hint


def _stopped_task(cause: str) -> dict[str, Any]:
    """The task that a state failed with, in the words of DescribeTasks."""
    try:
        task = _uncapitalize(json.loads(cause))
    except (ValueError, RecursionError):
        task = None
    return task if isinstance(task, dict) else {}


def _uncapitalize(value: Any) -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, dict):
        return {f"{key[:1].lower()}{key[1:]}": _uncapitalize(each) for key, each in value.items()}
    return [_uncapitalize(each) for each in value] if isinstance(value, list) else value


def _seconds(moment: Any) -> float:  # noqa: ANN401  # a datetime of boto3
    return float(moment.timestamp())
