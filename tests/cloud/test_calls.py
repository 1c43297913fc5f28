"""How often AWS is called where nothing has changed: the figures that are set for it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from doubles.runtime_project import until

from handoff_kit import resource_names

if TYPE_CHECKING:
    from doubles.deployed_project import DeployedProject

pytestmark = pytest.mark.takes(60)

MOST = 14


def test_a_deployment_that_changes_nothing_makes_few_calls(clean_account: DeployedProject) -> None:
    """Of one project with schedules; each stack is described and its template read.

    The task stack is described twice: before anything is planned, since it says which bucket is used, and when it is
    compared; the shared stack too, since the network is a parameter of the task stack.
    """
    clean_account.must("schedule")
    with clean_account.recorded() as calls:
        result = clean_account.must("deploy")
    assert "no changes: the deployment is up to date" in result.stderr
    found = Counter(call.name for call in calls)
    assert found == {
        "sts:GetCallerIdentity": 1,
        "cloudformation:DescribeStacks": 6,
        "cloudformation:GetTemplate": 4,
        "s3:ListObjectsV2": 1,
        "ssm:GetParameter": 1,
        "ecr:DescribeImages": 1,
    }
    assert found.total() <= MOST


def test_a_schedule_that_differs_is_updated(clean_account: DeployedProject) -> None:
    """Only by its data, which no output shows; a schedule of the command line stays."""
    clean_account.must("schedule", "--rate", "1 hour", "--name", "often")
    before = clean_account.deployed_schedules()
    text = (clean_account.checkout.root / "projects/shop/project.yml").read_text()
    clean_account.rewrite(text.replace('"0 6 * * *"', '"0 6 * * *", data: {a: b}'))
    dry = clean_account.must("deploy", "--dry")
    assert "would update stack handoff-dev-shop-schedule:\n  ~ Scheduledaily" in dry.stderr
    assert clean_account.deployed_schedules() == before
    result = clean_account.must("deploy")
    assert "stack handoff-dev-shop-schedule: updated in N s" in result.stderr
    assert clean_account.deployed_schedules() == {**before, "daily": {"a": "b"}}
    assert "no changes: the deployment is up to date" in clean_account.must("deploy").stderr


def test_what_is_only_told_makes_no_more(clean_account: DeployedProject) -> None:
    with clean_account.recorded() as calls:
        clean_account.must("deploy", "--dry")
    assert len(calls) <= MOST


FOR_RUNS_WITHOUT_A_RECORD = 6


def test_the_history_joined_with_executions_makes_few_calls_more(clean_account: DeployedProject) -> None:
    """Of executions that never started, more than are explained, and a schedule that was missed."""
    clean_account.must("schedule")
    account, stack = clean_account.account, clean_account.stack
    sfn, sqs = account.boto("stepfunctions"), account.boto("sqs")
    (machine,) = (
        each["stateMachineArn"]
        for each in sfn.list_state_machines()["stateMachines"]
        if each["name"] == resource_names.state_machine(stack)
    )
    for number in range(4):  # of an input that its first state refuses
        sfn.start_execution(stateMachineArn=machine, name=f"odd-{number}", input="{}")
    request = {"stateMachineArn": machine, "statusFilter": "RUNNING"}
    until(lambda: not sfn.list_executions(**request)["executions"], "the end of all executions")
    queue = sqs.get_queue_url(QueueName=resource_names.dead_letters(stack))["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    with clean_account.recorded() as calls:
        result = clean_account.must("history", "--remote", "--json")
    outcomes = Counter(json.loads(line)["outcome"] for line in result.stdout.splitlines())
    assert outcomes == {"not started": 3, "failed": 1, "missed": 1}, result
    found = Counter(call.name for call in calls)
    joined = {name: count for name, count in found.items() if name.startswith(("states:", "sqs:"))}
    assert joined == {
        "states:ListExecutions": 1,
        "states:GetExecutionHistory": 3,
        "sqs:GetQueueUrl": 1,
        "sqs:ReceiveMessage": 1,
    }
    assert sum(joined.values()) <= FOR_RUNS_WITHOUT_A_RECORD
    assert clean_account.must("missed", "--clear", "--yes").stdout.startswith("schedule  ?, due ?, given up 20")
