"""The state machine of a project in LocalStack's interpreter: what it asks of ECS for the input of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from doubles.runtime_project import until
from doubles.state_machine import STACK, machine, resolved

from handoff_kit.aws.ecs.executions import ExecutionHistory, describe_failure, execution_name
from handoff_kit.aws.ecs.overrides import RunOptions, TaskSize, run_input
from handoff_kit.aws.target import Target
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.project.schedule_settings import schedule_input
from handoff_runtime.aws.session import connect
from handoff_runtime.placeholders import parse_data

if TYPE_CHECKING:
    from doubles.fargate import Fargate
    from doubles.localstack import AwsAccount

pytestmark = pytest.mark.takes(20)

NETWORK = {
    "cluster": "arn:aws:ecs:eu-central-1:123456789012:cluster/batch",
    "subnets": ["subnet-0a1b2c3d"],
    "security_groups": ["sg-0a1b2c3d"],
}
KINDS = ("ecs", "states")
SPOT, ON_DEMAND = "FARGATE_SPOT", "FARGATE"
ODD = '{"n":1.10,"big":12345678901234567890.123,"text":"ü \\\\ \\" \' {{ x }} ${y} <aws.scheduler.z> $.a States.Format()"}'


def executed(
    aws_account: AwsAccount, monkeypatch: pytest.MonkeyPatch, deploy: Deploy, given: dict[str, Any]
) -> tuple[str, list[Any], ExecutionHistory]:
    """The name of an execution that failed and said so, the requests of its tasks, and its history from the start."""
    sfn, iam = aws_account.boto("stepfunctions"), aws_account.boto("iam")
    role = iam.create_role(RoleName="machine", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
    passing = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    alert = sfn.create_state_machine(name=f"{STACK}-alert", definition=passing, roleArn=role["Role"]["Arn"])
    values = {"AWS::Partition": "aws", "AWS::AccountId": aws_account.account, "Bucket": "b"}
    definition = json.dumps(resolved(machine(deploy), {**values, "AlertMachine": alert["stateMachineArn"]}))
    made = sfn.create_state_machine(name=f"{STACK}-run", definition=definition, roleArn=role["Role"]["Arn"])
    arn = sfn.start_execution(
        stateMachineArn=made["stateMachineArn"], name="run-20260131T020000Z-abcdef", input=json.dumps(given)
    )["executionArn"]
    until(lambda: sfn.describe_execution(executionArn=arn)["status"] != "RUNNING", "the execution", 60)
    for name, value in aws_account.environ.items():
        monkeypatch.setenv(name, value)
    target = Target("rates", "dev", STACK, "", "", connect(aws_account.environ, lambda _: None))
    events = ExecutionHistory(target, arn).read()
    scheduled = [event["taskScheduledEventDetails"] for event in events if event["type"] == "TaskScheduled"]
    requests = {
        kind: [json.loads(each["parameters"]) for each in scheduled if each["resourceType"] == kind] for kind in KINDS
    }
    (alerted,) = requests["states"]
    assert (alerted["Name"], alerted["Input"]["error"]) == (execution_name(arn), "ECS.ClientException")
    return execution_name(arn), requests["ecs"], ExecutionHistory(target, arn)


def entered(history: ExecutionHistory) -> list[str]:
    return [
        event["stateEnteredEventDetails"]["name"] for event in history.read() if "stateEnteredEventDetails" in event
    ]


@pytest.mark.parametrize(
    ("given", "environment", "size"),
    [
        pytest.param(
            run_input(RunOptions("mine", parse_data(ODD), {"A": ""}, TaskSize(512, 1024), no_state=True)),
            {"COMMAND": "mine", "TRIGGER": "run", "A": "", "HANDOFF_NO_STATE": "1", "DATA": ODD},
            {"Cpu": "512", "Memory": "1024"},
            id="by hand",
        ),
        pytest.param(
            schedule_input("nightly", {"a": "<b"}),
            {
                "DATA": '{"a": "\\u003cb", "scheduled_at": "<aws.scheduler.scheduled-time>", "trigger": "schedule"}',
                "HANDOFF_SCHEDULE": "nightly",
            },
            {},
            id="by a schedule",
        ),
    ],
)
def test_a_run_is_given_its_input_as_it_was_written(
    aws_account: AwsAccount,
    fargate: Fargate,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    environment: dict[str, str],
    size: dict[str, str],
) -> None:
    """After a start that was throttled as well; then ECS refuses it, since there is no such task definition."""
    fargate.faults[aws_account.account].refuse("ThrottlingException", "Rate exceeded")
    name, requests, history = executed(aws_account, monkeypatch, Deploy.model_validate(NETWORK), given)
    variables = {"HANDOFF_EXECUTION": name, **environment}
    container = {"Name": "handoff", "Environment": [{"Name": key, "Value": text} for key, text in variables.items()]}
    assert [request["Overrides"] for request in requests] == [{**size, "ContainerOverrides": [container]}] * 2
    assert entered(history) == [
        *("Begin", "Override", "Run", "Judge", "Again", "Count", "Wait"),
        *("Run", "Judge", "Alert", "Ended", "NotStarted"),
    ]
    ended = ExecutionHistory(history.target, history.arn).read()[-1]
    assert describe_failure(ended) == ("Handoff.NotStarted", "TaskDefinition not found.")


def test_what_spot_has_no_capacity_for_is_started_on_demand(
    aws_account: AwsAccount, fargate: Fargate, monkeypatch: pytest.MonkeyPatch
) -> None:
    fargate.faults[aws_account.account].lack_capacity()
    deploy = Deploy.model_validate({**NETWORK, "spot": "fallback"})
    _, requests, history = executed(aws_account, monkeypatch, deploy, run_input(RunOptions()))
    assert [each["CapacityProviderStrategy"][0]["CapacityProvider"] for each in requests] == [SPOT, ON_DEMAND]
    assert entered(history) == [
        *("Begin", "Override", "Run", "Judge", "Again", "OnDemand"),
        *("Run", "Judge", "Alert", "Ended", "NotStarted"),
    ]
