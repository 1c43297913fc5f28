"""What `invoke stop` finds to stop."""

from __future__ import annotations

from typing import Any, cast

import pytest

from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.target import Target
from handoff_kit.run.fargate_run import find_stoppable

ARN = f"arn:aws:ecs:eu-central-1:123456789012:task/handoff-dev/{'a' * 32}"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:handoff-dev-shop"
EXECUTION = f"{MACHINE.replace('stateMachine', 'execution')}:run-20270131T060000Z-3fc643"


class OneExecution:
    """An AWS with an execution that waits for a task, which has stopped; ECS does not list it as running any more."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.task = {"taskArn": ARN, "lastStatus": "STOPPED", **task}

    def call(self, _service: str, _operation: str, **_request: object) -> dict[str, Any]:
        return {"tasks": [self.task]}

    def pages(self, _service: str, operation: str, **_request: object) -> list[dict[str, Any]]:
        output = f'{{"Tasks": [{{"TaskArn": "{ARN}"}}]}}'
        event = {"id": 1, "type": "TaskSubmitted", "taskSubmittedEventDetails": {"output": output}}
        pages: dict[str, list[dict[str, Any]]] = {
            "list_executions": [{"executions": [{"executionArn": EXECUTION}]}],
            "get_execution_history": [{"events": [event]}],
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
