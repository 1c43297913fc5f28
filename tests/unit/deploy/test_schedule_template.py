"""The template of a schedule stack: held against goldens and linters, what its roles may do, and what a schedule hands over."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from doubles.rendered_templates import ROOT, golden, lint, understood

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.deploy.schedule_template import (
    ScheduleSummary,
    deployed_schedules,
    deployed_summaries,
    render_schedule_template,
    settings_of_schedules,
)
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.project.schedule_settings import Schedule

STACK = "handoff-prod-rates"
MACHINE = {"Sub": resource_names.state_machine_arn(STACK)}
NIGHTLY = Schedule(name="nightly", cron="30 2 * * *", timezone="Europe/Berlin")
OFTEN = Schedule(name="often", rate="15 minutes", window=5)
ONCE = Schedule(name="new-year", at="2027-01-01T00:00:00", timezone="Asia/Tokyo", data={"base": "JPY"}, enabled=False)
OWN = Deploy.model_validate(
    {
        "spot": True,
        "subnets": ["subnet-0a1b2c3d"],
        "security_groups": ["sg-0a1b2c3d"],
        "public_ip": False,
        "cluster": "batch",
        "permissions_boundary": "developer-boundary",
        "exec": True,
        "alerts": "arn:aws:sns:eu-central-1:123456789012:oncall",
    }
)


def rendered(*schedules: Schedule, deploy: Deploy | None = None, stack: str = STACK) -> str:
    return render_schedule_template(ROOT, "rates", schedules, deploy or Deploy(), stack, "prod")


def resources(*schedules: Schedule, deploy: Deploy | None = None) -> dict[str, Any]:
    found: dict[str, Any] = understood(rendered(*schedules, deploy=deploy))["Resources"]
    return {name: resource["Properties"] for name, resource in found.items()}


# what is rendered


@pytest.mark.parametrize(
    ("name", "schedules", "deploy"),
    [
        pytest.param("schedule.yml", (NIGHTLY,), Deploy(), id="one"),
        pytest.param("schedule-everything.yml", (OFTEN, ONCE, NIGHTLY), OWN, id="everything"),
    ],
)
def test_what_is_rendered(name: str, schedules: tuple[Schedule, ...], deploy: Deploy) -> None:
    text = rendered(*schedules, deploy=deploy)
    assert text == golden(name, text)
    assert text == rendered(*reversed(schedules), deploy=deploy)
    assert lint(text) == []
    assert not re.search(r"[ \t]$|\n\n\n", text, re.MULTILINE)
    assert str(ROOT) not in text


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(
            NIGHTLY,
            {
                "Name": "nightly",
                "ScheduleExpression": "cron(30 2 * * ? *)",
                "ScheduleExpressionTimezone": "Europe/Berlin",
                "State": "ENABLED",
                "FlexibleTimeWindow": {"Mode": "OFF"},
            },
            id="cron",
        ),
        pytest.param(
            OFTEN,
            {
                "Name": "often",
                "ScheduleExpression": "rate(15 minutes)",
                "State": "ENABLED",
                "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
            },
            id="rate, within a window",
        ),
        pytest.param(
            ONCE,
            {
                "Name": "new-year",
                "ScheduleExpression": "at(2027-01-01T00:00:00)",
                "ScheduleExpressionTimezone": "Asia/Tokyo",
                "State": "DISABLED",
                "FlexibleTimeWindow": {"Mode": "OFF"},
            },
            id="at, disabled",
        ),
    ],
)
def test_one_schedule(made: Schedule, expected: dict[str, Any]) -> None:
    (found,) = (one for name, one in resources(made).items() if name.startswith("Schedule") and name != "SchedulerRole")
    target = found.pop("Target")
    assert found == {"GroupName": {"Ref": "Group"}, **expected}
    assert {name: value for name, value in target.items() if name != "Input"} == {
        "Arn": MACHINE,
        "RoleArn": {"GetAtt": "SchedulerRole.Arn"},
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 60},
        "DeadLetterConfig": {"Arn": {"GetAtt": "Missed.Arn"}},
    }


def test_each_has_a_resource_of_its_own() -> None:
    many = [Schedule(name=name, rate="1 hour") for name in ("a.b", "a-b", "a_b", "ab", "AB", "a" * 64, "-", "1")]
    found = [name for name in resources(*many) if re.fullmatch("Schedule(?!rRole).*", name)]
    assert len(found) == len(many)
    assert all(re.fullmatch("[A-Za-z0-9]{1,255}", name) for name in found)


# what a run is given

TEXTS = {
    "quotes": """ "a" 'b' \\ \\" \\u0041 """,
    "signs": "ä 漢 😀 \x7f \x85 \u2028 \ufeff",
    "blanks": "\t one\ntwo\r\n ",
    "cloudformation": "${AWS::Region} ${!x} {{resolve:ssm:/a/secret}} !Ref x",
    "scheduler": "<aws.scheduler.scheduled-time> <aws.scheduler.execution-id>",
    "placeholder": "{{ base }} {% if x %} {# y #}",
    "machine": "$.data $$.Execution.Name States.Format('{}') .$",
    "yaml": ": - # & * ? | > @ ` %",
}


def handed_over(text: str) -> dict[str, Any]:
    """The data in the input of a schedule called x, which says so."""
    given = json.loads(text)
    variables = {each["Name"]: each["Value"] for each in given["environment"]}
    assert (given["size"], list(variables), variables["HANDOFF_SCHEDULE"]) == ({}, ["DATA", "HANDOFF_SCHEDULE"], "x")
    data: dict[str, Any] = json.loads(variables["DATA"])
    return data


def test_data_is_handed_over_as_it_is() -> None:
    text = rendered(Schedule(name="x", rate="1 hour", data=TEXTS))
    handed = understood(text)["Resources"]["Schedulex"]["Properties"]["Target"]["Input"]
    ours = {"scheduled_at": "<aws.scheduler.scheduled-time>", "trigger": "schedule"}
    assert handed_over(handed) == {**TEXTS, **ours}
    assert re.findall("<aws[^>]*>", handed) == ["<aws.scheduler.scheduled-time>"]
    assert not re.search(r"\$\{|\{\{", handed)
    assert handed.isascii()
    assert handed.isprintable()
    assert lint(text) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"base": "EUR"}, {"base": "EUR"}, id="one"),
        pytest.param({"scheduled_at": "x", "trigger": "y", "a": "b"}, {"a": "b"}, id="what the schedule says itself"),
    ],
)
def test_when_it_was_due_is_handed_over(data: dict[str, str], expected: dict[str, str]) -> None:
    found = resources(Schedule(name="x", rate="1 hour", data=data))["Schedulex"]["Target"]["Input"]
    ours = {"scheduled_at": "<aws.scheduler.scheduled-time>", "trigger": "schedule"}
    assert handed_over(found) == {**expected, **ours}


# what the stack tells of itself


OURS = {"handoff:project": "rates"}
SUMMARY = {"name": "nightly", "expression": "cron(30 2 * * ? *)", "timezone": "Europe/Berlin", "state": "ENABLED"}


def deployed(*schedules: Schedule) -> StackDescription:
    text = rendered(*schedules)
    outputs = {name: one["Value"] for name, one in understood(text)["Outputs"].items() if isinstance(one["Value"], str)}
    return StackDescription(
        resource_names.schedule_stack(STACK), "CREATE_COMPLETE", outputs=outputs, tags=OURS, template=text
    )


def test_they_are_read_again_as_they_were_written() -> None:
    odd = Schedule(name="odd", cron="@daily", data=TEXTS)
    made = (NIGHTLY, OFTEN, ONCE, odd, Schedule(rate="1 hour"))
    assert deployed_schedules(deployed(*made)) == tuple(sorted(made, key=lambda one: one.name))


@pytest.mark.parametrize(
    "deploy",
    [
        pytest.param(Deploy(), id="nothing"),
        pytest.param(Deploy(tags={"team": "data"}), id="tags"),
        pytest.param(Deploy(permissions_boundary="limits"), id="a boundary"),
        pytest.param(
            Deploy(permissions_boundary="arn:aws:iam::123456789012:policy/x/limits"), id="a boundary by its ARN"
        ),
    ],
)
def test_a_schedule_is_deleted_without_the_project_file(deploy: Deploy) -> None:
    """The template without it, as rendered from what is deployed alone."""
    tags = {**deploy.tags, **resource_names.owner_tags("rates", "prod")}
    text = rendered(NIGHTLY, OFTEN, deploy=deploy)
    found = settings_of_schedules(StackDescription(f"{STACK}-schedule", "CREATE_COMPLETE", tags=tags, template=text))
    assert (found, rendered(NIGHTLY, deploy=found)) == (deploy, rendered(NIGHTLY, deploy=deploy))


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("", id="none"),
        pytest.param("Resources: {}", id="without metadata"),
        pytest.param("Metadata: {Schedules: '{'}", id="no JSON"),
        pytest.param("""Metadata: {Schedules: '[{"nam": 1}]'}""", id="another form"),
        pytest.param("Metadata: {Schedules: '1'}", id="no list"),
        pytest.param("a: b: c", id="no YAML"),
    ],
)
def test_a_template_that_tells_none(template: str) -> None:
    assert deployed_schedules(StackDescription("x", "CREATE_COMPLETE", template=template)) is None


def test_many_are_told_in_several_outputs() -> None:
    many = tuple(Schedule(name=f"s{n:02}-{'x' * 40}", cron="0 2 * * 1-5", timezone="Europe/Berlin") for n in range(30))
    found = deployed(*many)
    result = [text for name, text in found.outputs.items() if name.startswith("Schedules")]
    assert all(len(text.encode()) <= 1024 for text in result)
    assert len(result) > 1
    assert [one.name for one in deployed_summaries(found)] == [one.name for one in many]
    assert deployed_summaries(found)[0] == ScheduleSummary(
        many[0].name, "cron(0 2 ? * MON-FRI *)", "Europe/Berlin", "ENABLED"
    )


@pytest.mark.parametrize(
    ("outputs", "tags"),
    [
        pytest.param({"Schedules": "[]"}, OURS, id="none"),
        pytest.param({"Schedules": json.dumps([SUMMARY])}, {}, id="somebody else's"),
        pytest.param({"Schedules": "nightly"}, OURS, id="no JSON"),
        pytest.param({"Schedules": "[1]"}, OURS, id="no schedules"),
        pytest.param({"Schedules": '[{"name": "x"}]'}, OURS, id="parts of one"),
        pytest.param({"SchedulesOfTrains": "[{}]"}, OURS, id="another output"),
    ],
)
def test_outputs_that_tell_none(outputs: dict[str, str], tags: dict[str, str]) -> None:
    assert deployed_summaries(StackDescription("x", "CREATE_COMPLETE", outputs=outputs, tags=tags)) == ()


# what its roles may do


def statements(role: str, **deploy: Any) -> dict[str, Any]:
    (policy,) = resources(NIGHTLY, deploy=Deploy(**deploy))[role]["Policies"]
    return {one.pop("Sid"): one for one in policy["PolicyDocument"]["Statement"]}


def arn(service: str, rest: str) -> dict[str, str]:
    return {"Sub": f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}"}


def test_what_the_scheduler_may() -> None:
    assert statements("SchedulerRole") == {
        "Start": {"Effect": "Allow", "Action": "states:StartExecution", "Resource": MACHINE},
        "PutAside": {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"GetAtt": "Missed.Arn"}},
    }


def test_who_may_take_the_role() -> None:
    (found,) = resources(NIGHTLY)["SchedulerRole"]["AssumeRolePolicyDocument"]["Statement"]
    conditions = {name: value for each in found["Condition"].values() for name, value in each.items()}
    assert (found["Principal"], conditions) == (
        {"Service": "scheduler.amazonaws.com"},
        {"aws:SourceAccount": {"Ref": "AWS::AccountId"}, "aws:SourceArn": arn("scheduler", f"schedule-group/{STACK}")},
    )


def test_the_alarms() -> None:
    """One rings for each event that is put aside, not for a queue that is not empty; one where that is impossible.

    Rules hear of them. https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
    """
    found = [one for name, one in resources(NIGHTLY).items() if name.endswith("Alarm")]
    assert [(one["AlarmName"], one["MetricName"], "AlarmActions" in one) for one in found] == [
        (resource_names.missed_alarm(STACK), "InvocationsSentToDeadLetterCount", False),
        (resource_names.lost_alarm(STACK), "InvocationsFailedToBeSentToDeadLetterCount", False),
    ]
    for one in found:
        assert (one["Namespace"], one["Statistic"], one["Dimensions"]) == (
            *("AWS/Scheduler", "Sum"),
            [{"Name": "ScheduleGroup", "Value": {"Ref": "Group"}}],
        )


def test_what_is_missed_is_closed() -> None:
    found = resources(NIGHTLY)
    assert found["Missed"] == {
        "QueueName": resource_names.dead_letters(STACK),
        "SqsManagedSseEnabled": True,
        "MessageRetentionPeriod": 1209600,
    }
    (denied,) = found["MissedPolicy"]["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
