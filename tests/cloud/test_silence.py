"""The check that a run has succeeded in time, in LocalStack's interpreter: it notifies once for each time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from doubles.rendered_templates import ROOT, understood
from doubles.runtime_project import until

from handoff_kit.deploy.templates import render_task_template
from handoff_kit.project.model import Project
from handoff_runtime import alert, s3_keys

if TYPE_CHECKING:
    from doubles.localstack import AwsAccount

pytestmark = pytest.mark.takes(15)

STACK, BUCKET = "handoff-dev-rates", "silence-of-rates"
PAST, FUTURE = alert.expectation(32 * 86400, 0), alert.expectation(32 * 86400, 4_000_000_000)
ALERT = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}  # stands in for the machine that sends the message


def machine(account: str) -> dict[str, Any]:
    """The definition, with what CloudFormation fills in."""
    project = Project.model_validate({"commands": [{"command": "a"}], "expect": {"success_within": "32d"}})
    text = render_task_template(ROOT, "rates", project, STACK, "dev")
    definition = understood(text)["Resources"]["ExpectMachine"]["Properties"]["Definition"]
    values = {"Partition": "aws", "Region": "eu-central-1", "AccountId": account, "Bucket": BUCKET}
    values["AlertMachine"] = f"arn:aws:states:eu-central-1:{account}:stateMachine:{STACK}-alert"

    def fill(value: Any) -> Any:
        match value:
            case {"Fn::Sub": text}:
                for name, found in values.items():
                    text = text.replace(f"${{AWS::{name}}}", found)
                return text
            case {"Ref": name}:
                return values[name.removeprefix("AWS::")]
            case dict():
                return {name: fill(each) for name, each in value.items()}
            case list():
                return [fill(each) for each in value]
        return value

    return dict(fill(definition))


def test_people_are_notified_once_for_each_time(aws_account: AwsAccount) -> None:
    sfn, s3 = aws_account.boto("stepfunctions"), aws_account.boto("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    role = aws_account.boto("iam").create_role(
        RoleName="machine", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}'
    )["Role"]["Arn"]
    alerts, check = (
        sfn.create_state_machine(name=f"{STACK}-{name}", definition=json.dumps(definition), roleArn=role)[
            "stateMachineArn"
        ]
        for name, definition in (("alert", ALERT), ("expect", machine(aws_account.account)))
    )

    def notified_of(expected: Any) -> list[Any]:
        """The input of each execution of the alert machine, after a check with this object in the bucket."""
        place = {"Bucket": BUCKET, "Key": s3_keys.expectation(STACK)}
        s3.put_object(
            **place, Body=expected if expected == "damaged" else json.dumps(expected)
        ) if expected else s3.delete_object(**place)
        arn = sfn.start_execution(stateMachineArn=check, input="{}")["executionArn"]
        until(lambda: sfn.describe_execution(executionArn=arn)["status"] != "RUNNING", "the check", 60)
        assert sfn.describe_execution(executionArn=arn)["status"] == "SUCCEEDED", sfn.get_execution_history(
            executionArn=arn
        )["events"][-1]
        found = sfn.list_executions(stateMachineArn=alerts)["executions"]
        return [
            (each["name"], json.loads(sfn.describe_execution(executionArn=each["executionArn"])["input"]))
            for each in found
        ]

    options = "--project rates --environment dev"
    message = {
        "kind": "silence",
        "subject": "handoff dev/rates: no run has succeeded within 32d",
        "text": "project      rates\nenvironment  dev\njob          main\n\n"
        "No run has succeeded within 32d: the next one was expected by 1970-02-02T00:00:00Z\n\n"
        f"To look at it:\n  invoke status {options}\n  invoke history --remote {options}\n"
        f"To run it now:\n  invoke run {options}\n",
    }
    first = ("silence-19700202T000000Z", message)
    assert [notified_of(each) for each in (None, FUTURE, PAST, PAST, FUTURE)] == [[], [], [first], [first], [first]]
    later = {"by": "2026-01-31T02:00:00Z", "name": "silence-20260131T020000Z"}
    assert {name for name, _ in notified_of(later)} == {first[0], later["name"]}
    (damaged,) = (each for each in notified_of("damaged") if "unread" in each[0])
    assert damaged[1]["subject"] == "handoff dev/rates: unknown whether a run has succeeded within 32d"
    assert f"could not be read from the bucket: {STACK}/expect/main.json\n" in damaged[1]["text"]
