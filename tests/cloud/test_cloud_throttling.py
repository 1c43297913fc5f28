"""Throttling: each call that a task makes of AWS is put off once, in the words of its service."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from doubles import protocols

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubles.checkout import InvokeResult
    from doubles.deployed_project import DeployedProject
    from doubles.protocols import Call

pytestmark = [pytest.mark.network, pytest.mark.takes(50)]

TITLES = {
    "cloudformation": "CloudFormation",
    "ecr": "ECR",
    "ecs": "ECS",
    "logs": "CloudWatch Logs",
    "s3": "S3",
    "sns": "SNS",
    "sqs": "SQS",
    "ssm": "SSM",
    "states": "SFN",
    "sts": "STS",
}
READING = ("Describe", "Get", "Head", "List")


def line(call: Call, attempt: int) -> str:
    """What is told of a call that was put off."""
    refusal = protocols.throttled(call)
    code = "" if call.operation.startswith("Head") else f" {refusal.code}"  # which has no body to tell it
    title = f"{TITLES[call.service]} {call.operation}"
    return f"{title}: {refusal.status}{code}; attempt {attempt} of 8 in N s"


def throttled(
    deployed_project: DeployedProject, task: str, *words: str, times: int = 1, project: str | None = None
) -> InvokeResult:
    """A task of which every call is put off so often; each is told, and none of those that change anything is doubled."""
    refused: Counter[Call] = Counter()
    wants = _up_to(times, refused)
    fault = deployed_project.proxy.fault("answer", wants=wants, refusal=protocols.throttled)
    with deployed_project.recorded() as passed:
        result = deployed_project.invoke(task, *words, project=project)
    deployed_project.proxy.faults.remove(fault)
    assert result.exit == 0, result
    said = sorted(each for each in result.stderr.splitlines() if "; attempt " in each)
    assert said == sorted(line(call, number + 2) for call, often in refused.items() for number in range(often))
    changing = Counter(call for call in passed if not call.operation.startswith(READING))
    assert changing == dict.fromkeys((call for call in refused if call in changing), 1)
    return result


def _up_to(times: int, refused: Counter[Call]) -> Callable[[Call], bool]:
    def wants(call: Call) -> bool:
        acts = refused[call] < times
        refused[call] += acts
        return acts

    return wants


def test_a_story_of_which_every_call_is_throttled(empty_account: DeployedProject) -> None:
    throttled(empty_account, "deploy", times=2)
    assert set(empty_account.account.stacks().values()) == {"CREATE_COMPLETE"}
    throttled(empty_account, "schedule", times=2)
    throttled(empty_account, "schedule.list", times=2)
    throttled(empty_account, "run", times=2)
    (task,) = empty_account.account.tasks()
    assert task["containers"][0]["exitCode"] == 0
    throttled(empty_account, "logs", times=2)
    throttled(empty_account, "status", times=2)
    empty_account.write(script="sleep 100", memory=1024)
    throttled(empty_account, "deploy", times=2)
    throttled(empty_account, "run", "--detach", times=2)
    throttled(empty_account, "stop", times=2)
    assert [each["stoppedReason"] for each in empty_account.account.tasks()[1:]] == ["stopped by invoke"]
    throttled(empty_account, "destroy", "--data", times=2)
    throttled(empty_account, "destroy", "--shared", "--data", times=2, project="")
    assert empty_account.account.stacks() == {}
