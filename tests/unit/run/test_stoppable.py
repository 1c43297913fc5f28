"""What `invoke stop` finds to stop."""

from __future__ import annotations

from typing import Any, cast

import pytest

from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError
from handoff_kit.run.fargate_run import find_stoppable

ARN = f"arn:aws:ecs:eu-central-1:123456789012:task/handoff-dev/{'a' * 32}"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:handoff-dev-shop"
EXECUTION = f"{MACHINE.replace('stateMachine', 'execution')}:run-20270131T060000Z-3fc643"


ENTERED = "StateEntered of %s"


class OneExecution:
    """An AWS with an execution that waits for a task, which has stopped; ECS does not list it as running any more."""

    def __init__(self, task: dict[str, Any], *later: dict[str, Any]) -> None:
        self.task = {"taskArn": ARN, "lastStatus": "STOPPED", **task}
        self.later = later  # events, the newest first

    def call(self, _service: str, _operation: str, **_request: object) -> dict[str, Any]:
        return {"tasks": [self.task]}

    def pages(self, _service: str, operation: str, **_request: object) -> list[dict[str, Any]]:
        output = f'{{"Tasks": [{{"TaskArn": "{ARN}"}}]}}'
        event = {"id": 1, "type": "TaskSubmitted", "taskSubmittedEventDetails": {"output": output}}
        pages: dict[str, list[dict[str, Any]]] = {
            "list_executions": [{"executions": [{"executionArn": EXECUTION}]}],
            "get_execution_history": [{"events": [*self.later, event]}],
            "list_tasks": [{"taskArns": []}],
        }
        return pages[operation]


@pytest.mark.parametrize(
    "name", [pytest.param("", id="all"), pytest.param("a" * 32, id="task"), pytest.param(EXECUTION[-27:], id="its run")]
)
@pytest.mark.parametrize(
    ("task", "expected"),
    [
        pytest.param({"stopCode": "SpotInterruption"}, [(None, EXECUTION)], id="it is started again"),
        pytest.param({"stopCode": "EssentialContainerExited", "containers": [{"exitCode": 0}]}, [], id="it has ended"),
    ],
)
def test_a_run_between_two_tasks(name: str, task: dict[str, Any], expected: list[Any]) -> None:
    """Step Functions hears of the end of a task a little later than ECS tells it."""
    target = Target("shop", "dev", "handoff-dev-shop", "b", "--project shop", cast("Any", OneExecution(task)))
    found = find_stoppable(ProjectTasks(target, "handoff-dev", machine=MACHINE), name)
    assert [(each.task, each.execution) for each in found] == expected


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        pytest.param([ENTERED % "Alert"], [], id="people are notified"),
        pytest.param(["TaskFailed of states", ENTERED % "Alert"], [], id="at the second try"),
        pytest.param([ENTERED % "Look"], [], id="it looks for a message"),
        pytest.param([ENTERED % "Wait", "TaskFailed of ecs"], [(None, EXECUTION)], id="it starts another task"),
    ],
)
def test_a_run_whose_task_has_ended(later: list[str], expected: list[Any]) -> None:
    """One that notifies people ends by itself; to stop it would take the message from them."""
    events: list[dict[str, Any]] = []
    for number, text in enumerate(later, 2):
        kind, _, what = text.partition(" of ")
        details = "taskFailedEventDetails" if kind == "TaskFailed" else "stateEnteredEventDetails"
        events.append({"id": number, "type": kind, details: {"resourceType": what, "name": what}})
    stub = OneExecution({"stopCode": "EssentialContainerExited", "containers": [{"exitCode": 75}]}, *events)
    target = Target("shop", "dev", "handoff-dev-shop", "b", "--project shop", cast("Any", stub))
    found = find_stoppable(ProjectTasks(target, "handoff-dev", machine=MACHINE), "")
    assert [(each.task, each.execution) for each in found] == expected


class NoCluster(OneExecution):
    """An AWS whose state machine is there, and whose cluster is not."""

    region = "eu-central-1"

    def account(self) -> str:
        return "123456789012"

    def pages(self, _service: str, operation: str, **_request: object) -> list[dict[str, Any]]:
        return [{"executions": []}] if operation == "list_executions" else []


def test_a_cluster_that_was_deleted_by_hand_is_repaired() -> None:
    """A plain deployment says that nothing changed."""
    target = Target("shop", "dev", "handoff-dev-shop", "b", "--project shop", cast("Any", NoCluster({})))
    with pytest.raises(AWSError) as raised:
        find_stoppable(ProjectTasks(target, "handoff-dev", machine=MACHINE), "")
    assert raised.value.hint == "invoke deploy --repair --project shop"
