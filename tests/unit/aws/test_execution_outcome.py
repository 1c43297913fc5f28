"""What became of an execution, by its events: the outcome, the reason, the advice, its starts in words."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, cast

import pytest

from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.execution_outcome import ExecutionOutcome, explain_events
from handoff_kit.aws.target import Target
from handoff_kit.project.execution_input import RunInput, parse_input
from handoff_kit.project.schedule_settings import schedule_input

TARGET = Target("shop", "dev", "handoff-dev-shop", "bucket", "--project shop", cast("Any", None))
TASKS = ProjectTasks(TARGET, "handoff-dev")
TASK = "a" * 32
LOGS = "see its log: invoke logs --project shop"
BY_HAND = RunInput("run", None, "run", {"base": "EUR"})
INPUT = json.dumps(
    {
        "environment": [
            {"Name": "COMMAND", "Value": "run"},
            {"Name": "TRIGGER", "Value": "run"},
            {"Name": "DATA", "Value": '{"base": "EUR"}'},
        ],
        "size": {},
    }
)

Events = list[dict[str, Any]]


def event(kind: str, **details: Any) -> dict[str, Any]:
    name = "stateEntered" if kind.endswith("StateEntered") else f"{kind[0].lower()}{kind[1:]}"
    return {"type": kind, f"{name}EventDetails": details}


def submitted() -> dict[str, Any]:
    arn = f"arn:aws:ecs:eu-central-1:123456789012:task/handoff-dev/{TASK}"
    return event("TaskSubmitted", output=json.dumps({"Tasks": [{"TaskArn": arn}]}))


def ended(code: int | None = None, stop: str = "EssentialContainerExited", reason: str = "") -> dict[str, Any]:
    """A task that a state failed with; overrides hold what nobody may read."""
    container = {"Name": "handoff", **({} if code is None else {"ExitCode": code})}
    task = {"StopCode": stop, "StoppedReason": reason, "Containers": [container], "Cpu": "256", "Memory": "512"}
    cause = json.dumps({**task, "LastStatus": "STOPPED", "Overrides": {"DATA": "hunter2"}})
    return event("TaskFailed", resourceType="ecs", error="States.TaskFailed", cause=cause)


def refused(error: str, cause: str) -> dict[str, Any]:
    return event("TaskFailed", resourceType="ecs", error=error, cause=cause)


CAPACITY = "Capacity is unavailable at this time. Please try again later. (Service: AmazonECS; Status Code: 400)"
WAITS = event("WaitStateEntered", name="Wait", input='{"retry": {"wait": 12, "tries": 1}}')
GONE = refused("ECS.ClusterNotFoundException", "Cluster not found. (Service: AmazonECS; Status Code: 400)")
FAILED = event("ExecutionFailed", error="Handoff.Failed", cause="{}")
ALERT = event("TaskFailed", resourceType="states", error="StepFunctions.SdkClientException", cause="no")


@pytest.mark.parametrize(
    ("events", "expected", "steps"),
    [
        pytest.param(
            [GONE, FAILED],
            ExecutionOutcome(
                "not started",
                "ClusterNotFoundException: Cluster not found.",
                "its cluster does not exist: invoke deploy --repair --project shop",
            ),
            ["start 1 was refused: ClusterNotFoundException: Cluster not found.", "the execution failed"],
            id="refused",
        ),
        pytest.param(
            [refused("ECS.AmazonECSException", CAPACITY), WAITS],
            ExecutionOutcome(
                "waiting", "AmazonECSException: Capacity is unavailable at this time. Please try again later."
            ),
            [
                "start 1 was refused: AmazonECSException: Capacity is unavailable at this time."
                " Please try again later.",
                "start 2 follows in 12 s",
            ],
            id="no capacity at present",
        ),
        pytest.param(
            [submitted(), ended(stop="TaskFailedToStart", reason="CannotPullContainerError: not found"), FAILED],
            ExecutionOutcome(
                "not started",
                "its image does not exist any more: CannotPullContainerError: not found",
                "build and push it again: invoke deploy --project shop",
                task=TASK,
            ),
            [
                f"start 1: task {TASK}",
                f"task {TASK} never started: its image does not exist any more: CannotPullContainerError: not found",
                "the execution failed",
            ],
            id="no image",
        ),
        pytest.param(
            [submitted(), ended(137, reason="OutOfMemoryError: killed"), ALERT, FAILED],
            ExecutionOutcome(
                "killed",
                "ran out of memory: it needed more than its 512 MiB (exit 137)",
                "for one run: invoke run --project shop --cpu 256 --memory 1024; for all:"
                " projects/shop/project.yml, deploy: {cpu: 256, memory: 1024}, then: invoke deploy --project shop",
                137,
                task=TASK,
            ),
            [
                f"start 1: task {TASK}",
                f"task {TASK} ran out of memory: it needed more than its 512 MiB (exit 137)",
                "the execution failed",
            ],
            id="killed with its runtime",
        ),
        pytest.param(
            [submitted(), ended(69), FAILED],
            ExecutionOutcome(
                "failed",
                "failed: its params, files, artifacts or state could not be read or stored (exit 69)",
                LOGS,
                69,
                task=TASK,
            ),
            [
                f"start 1: task {TASK}",
                f"task {TASK} failed: its params, files, artifacts or state could not be read or stored (exit 69)",
                "the execution failed",
            ],
            id="no bucket",
        ),
        pytest.param([submitted()], ExecutionOutcome("running", task=TASK), [f"start 1: task {TASK}"], id="under way"),
        pytest.param(
            [submitted(), event("ExecutionAborted", error="Handoff.Stopped", cause="stopped by invoke")],
            ExecutionOutcome("stopped", "stopped by invoke", LOGS, task=TASK),
            [f"start 1: task {TASK}", "the execution was stopped"],
            id="stopped",
        ),
        pytest.param(
            [submitted(), event("ExecutionTimedOut", error="States.Timeout")],
            ExecutionOutcome("timed out", "took longer than its timeout", LOGS, task=TASK),
            [f"start 1: task {TASK}", "the execution timed out"],
            id="timed out",
        ),
        pytest.param(
            [submitted(), event("TaskTimedOut", resourceType="ecs", error="States.Timeout"), FAILED],
            ExecutionOutcome("timed out", "took longer than its timeout", LOGS, task=TASK),
            [f"start 1: task {TASK}", f"task {TASK} took longer than its timeout", "the execution failed"],
            id="its task timed out",
        ),
        pytest.param(
            [submitted(), event("ExecutionSucceeded")],
            ExecutionOutcome("succeeded", task=TASK),
            [f"start 1: task {TASK}", "the execution succeeded"],
            id="succeeded",
        ),
        pytest.param(
            [event("ExecutionFailed", error="States.Runtime", cause="no path $.size")],
            ExecutionOutcome(
                "not started",
                "States.Runtime: no path $.size",
                "try again: invoke run --project shop; what its service says: https://health.aws.amazon.com",
            ),
            ["the execution failed"],
            id="wrong input",
        ),
    ],
)
def test_the_outcome(events: Events, expected: ExecutionOutcome, steps: list[str]) -> None:
    moment = datetime(2026, 11, 30, 2, tzinfo=timezone.utc)
    every = [{**each, "timestamp": moment} for each in (event("ExecutionStarted", input=INPUT), *events)]
    found = explain_events(every, TASKS)
    assert found == ExecutionOutcome(
        expected.outcome,
        expected.reason,
        expected.hint,
        expected.exit,
        BY_HAND,
        tuple((moment.timestamp(), step) for step in steps),
        expected.task,
    )
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(INPUT, BY_HAND, id="by hand"),
        pytest.param(
            json.dumps(schedule_input("nightly", {"a": "<b"})),
            RunInput(
                "schedule",
                "nightly",
                "run",
                {"a": "<b", "scheduled_at": "<aws.scheduler.scheduled-time>", "trigger": "schedule"},
            ),
            id="by a schedule",
        ),
        pytest.param("", RunInput(), id="withheld"),
        pytest.param('{"environment": [7]}', RunInput(), id="of another form"),
    ],
)
def test_the_input(text: str, expected: RunInput) -> None:
    assert parse_input(text) == expected
