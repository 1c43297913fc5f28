"""Schedules as a person puts them in force, lists them and takes them away, as far as LocalStack plays AWS."""

from __future__ import annotations

import json
import os
import re
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from doubles.checkout import InvokeResult
from doubles.moto_bucket import REGION
from doubles.runtime_project import until
from doubles.stub_project import StubProject

from handoff_kit.aws.cloudformation.stack import parse_stack
from handoff_kit.deploy.schedule_template import deployed_schedules
from handoff_kit.resource_names import owner_tags

if TYPE_CHECKING:
    from doubles.checkout import Checkout
    from doubles.localstack import AwsAccount

pytestmark = pytest.mark.takes(100)


GOLDEN = Path(__file__).parents[1] / "golden/help"
DRY = "nothing was done: --dry\n"
COMMANDS = "commands: [{command: echo, args: x}]\n"
FILE = """
schedules:
  - {name: nightly, cron: "30 2 * * *", timezone: Europe/Berlin, data: {base: EUR}}
  - {name: often, rate: 15 minutes, window: 5}
"""
TIME = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d \d\d:\d\d"


REPLACEMENTS = (
    (r"shop( *)", r"NAME\1"),
    (TIME + r":\d\d", "LOCAL"),
    (TIME + r" CES?T \(in \d+ [dhm]\) *", "SOON "),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "UTC"),
    (r"CES?T \(UTC\+0[12]:00\)", "ZONE"),
    (r"\([\d,]+ bytes\)", "(N bytes)"),
    (r"in \d+ s\n", "in N s\n"),
)


def write(shop: StubProject[AwsAccount], text: str) -> StubProject[AwsAccount]:
    """Its project file with this text."""
    shop.checkout.project(shop.name, COMMANDS + text)
    return shop


def deploy(shop: StubProject[AwsAccount]) -> None:
    """The stacks of a deployment, as far as schedules need them."""
    topic = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": shop.stack}}}
    shop.create_stack(shop.stack, {"Machine": machine(shop)}, resources=topic, tags=owner_tags(shop.name, "dev"))


def machine(shop: StubProject[AwsAccount]) -> str:
    """The ARN of the project's state machine."""
    return f"arn:aws:states:{REGION}:{shop.aws.account}:stateMachine:{shop.stack}-run"


def schedules_of(shop: StubProject[AwsAccount]) -> list[dict[str, Any]]:
    """The schedules that the deployed stack was made from."""
    client, name = shop.aws.boto("cloudformation"), f"{shop.stack}-schedule"
    try:
        described = client.describe_stacks(StackName=name)["Stacks"][0]
    except client.exceptions.ClientError:
        return []
    body = client.get_template(StackName=name)["TemplateBody"]
    text = body if isinstance(body, str) else json.dumps(body)
    schedules = deployed_schedules(parse_stack(described, text)) or ()
    return [schedule.model_dump(exclude_defaults=True) for schedule in schedules]


def schedule_at_aws(shop: StubProject[AwsAccount], name: str) -> dict[str, Any]:
    """A schedule as EventBridge Scheduler has it."""
    schedule = shop.aws.boto("scheduler").get_schedule(Name=name, GroupName=shop.stack)
    return {key: schedule.get(key) for key in ("ScheduleExpression", "ScheduleExpressionTimezone", "State")}


@pytest.fixture
def shop(checkout: Checkout, aws_account: AwsAccount) -> StubProject[AwsAccount]:
    replacements = ((aws_account.account, "ACCOUNT"), *REPLACEMENTS)
    return write(StubProject(checkout, aws_account, f"p{uuid.uuid4().hex[:8]}", replacements=replacements), FILE)


NIGHTLY = {"name": "nightly", "cron": "30 2 * * *", "timezone": "Europe/Berlin", "data": {"base": "EUR"}}
OFTEN = {"name": "often", "rate": "15 minutes", "window": 5}
WEEKLY = {"name": "weekly", "cron": "0 5 * * MON", "timezone": "Asia/Tokyo", "data": {"n": "1"}}
BY_FLAGS = ("--cron", "0 5 * * MON", "--timezone", "Asia/Tokyo", "--name", "weekly", "--data", '{"n": 1}')
RATE = """\
schedule often: every 15 minutes, counted from its creation; the first run starts at once
warning: schedules nightly and often have different data, and share one state, lock and artifacts: one continues where \
the other ended, and may send nothing
hint: make a project of each; where the state is of no use, write `state: none`
"""
NEW = """\
  + Group            AWS::Scheduler::ScheduleGroup
  + LostAlarm        AWS::CloudWatch::Alarm
  + Missed           AWS::SQS::Queue
  + MissedAlarm      AWS::CloudWatch::Alarm
  + MissedPolicy     AWS::SQS::QueuePolicy
  + Schedulenightly  AWS::Scheduler::Schedule
  + Scheduleoften    AWS::Scheduler::Schedule
  + SchedulerRole    AWS::IAM::Role
"""


@pytest.mark.parametrize("task", ["missed", "schedule", "schedule.list", "unschedule"])
def test_the_help_of(checkout: Checkout, task: str) -> None:
    """UPDATE_GOLDENS=1 writes them anew."""
    result = checkout.invoke(task, "--help")
    if os.environ.get("UPDATE_GOLDENS"):
        (GOLDEN / f"{task}.txt").write_text(result.stdout)
    assert result == InvokeResult(0, (GOLDEN / f"{task}.txt").read_text(), "")


def test_dry_tells_and_does_nothing(shop: StubProject[AwsAccount]) -> None:
    deploy(shop)
    before = shop.checkout.tree()
    result = shop.invoke("schedule", "--dry")
    head = "would write build/NAME/schedule.yml (N bytes)\nwould create stack handoff-dev-NAME-schedule:\n"
    assert (result.exit, result.stderr) == (0, f"{head}{NEW}{RATE}{DRY}")
    assert result.stdout.splitlines() == [
        "SCHEDULE  NEXT                     ZONE             UTC",
        *5 * ["nightly   LOCAL  ZONE  UTC"],
    ]
    assert (schedules_of(shop), shop.checkout.tree()) == ([], before)


def test_from_nothing_to_nothing(shop: StubProject[AwsAccount]) -> None:
    deploy(shop)

    # put in force
    result = shop.invoke("schedule", "--yes")
    head = f"write build/NAME/schedule.yml (N bytes)\ncreate stack handoff-dev-NAME-schedule:\n{NEW}"
    tail = f"stack handoff-dev-NAME-schedule: created in N s\n{RATE}next: invoke schedule.list --project NAME\n"
    assert (result.exit, result.stderr[: len(head)], result.stderr[-len(tail) :]) == (0, head, tail)
    assert schedules_of(shop) == [NIGHTLY, OFTEN]
    assert schedule_at_aws(shop, "nightly") == {
        "ScheduleExpression": "cron(30 2 * * ? *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "State": "ENABLED",
    }
    target = shop.aws.boto("scheduler").get_schedule(Name="nightly", GroupName=shop.stack)["Target"]
    data = json.loads(json.loads(target["Input"])["environment"][0]["Value"])
    assert (target["Arn"], data["base"]) == (machine(shop), "EUR")

    # nothing changed
    result = shop.invoke("schedule", "--yes")
    tail = f"stack handoff-dev-NAME-schedule is up to date\n{RATE}next: invoke schedule.list --project NAME\n"
    assert (result.exit, result.stderr) == (0, tail)

    # one more, which leaves the others alone
    assert shop.invoke("schedule", *BY_FLAGS, "--yes").exit == 0
    assert schedules_of(shop) == [NIGHTLY, OFTEN, WEEKLY]
    assert shop.invoke("schedule", "--cron", "0 6 * * 1", *BY_FLAGS[2:], "--yes").exit == 0
    assert schedules_of(shop) == [
        NIGHTLY,
        OFTEN,
        {**WEEKLY, "cron": "0 6 * * 1"},
    ]  # of which LocalStack changes the stack alone

    # listed
    result = shop.invoke("schedule.list")
    assert [re.split("  +", line) for line in result.stdout.splitlines()][1:3] == [
        ["NAME", "dev", "nightly", "30 2 * * ? *", "Europe/Berlin", "SOON enabled"],
        ["NAME", "dev", "often", "every 15 minutes", "UTC", "within 15 minutes", "enabled"],
    ]
    result = shop.invoke("schedule.list", "--json", "--environment", "dev")
    assert [json.loads(line)["name"] for line in result.stdout.splitlines()] == ["nightly", "often", "weekly"]
    assert shop.invoke("schedule.list", "--environment", "prod").stdout == ""

    # what is not in the file goes
    result = shop.invoke("schedule", "--yes")
    note = "note: schedule weekly is deployed, but not in projects/NAME/project.yml: it will be deleted\n"
    assert (result.exit, result.stderr[: len(note)], schedules_of(shop)) == (0, note, [NIGHTLY, OFTEN])

    # taken away: one, whatever the file is like, and then all
    write(shop, "schedules: [{crn: x}]\n")
    assert shop.invoke("unschedule", "--name", "often", "--yes").exit == 0
    assert schedules_of(shop) == [NIGHTLY]
    write(shop, FILE)
    result = shop.invoke("unschedule", "--dry")
    assert result == InvokeResult(0, "", f"would delete stack handoff-dev-NAME-schedule\n{DRY}")
    assert shop.invoke("unschedule", "--name", "nightly", "--yes").exit == 0
    assert schedules_of(shop) == []
    assert shop.aws.boto("scheduler").list_schedules()["Schedules"] == []
    nothing = "stack handoff-dev-NAME-schedule does not exist\nnext: invoke schedule.list --project NAME\n"
    assert shop.invoke("unschedule", "--yes") == InvokeResult(0, "", nothing)
    nothing = "no schedule of project NAME is deployed\nnext: invoke schedule --project NAME\n"
    assert shop.invoke("schedule.list") == InvokeResult(0, "", nothing)


def test_a_time_that_is_over_may_stay(shop: StubProject[AwsAccount]) -> None:
    """The file need not be changed when a time has come."""
    deploy(shop)
    soon = (datetime.now(timezone.utc) + timedelta(seconds=25)).strftime("%Y-%m-%dT%H:%M:%S")
    write(shop, f"schedules: [{{name: once, at: '{soon}', data: {{a: b}}}}]\n")
    assert shop.invoke("schedule", "--yes").exit == 0
    until(lambda: datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") > soon, "the time", 60)
    result = shop.invoke("schedule", "--yes")
    assert (result.exit, f"schedule once: over; {soon} does not come again\n" in result.stderr) == (0, True)
    result = shop.invoke("schedule", "--at", soon, "--name", "other", "--yes")
    assert (result.exit, "which never comes again" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        pytest.param(
            FILE,
            ["schedule", "--cron", "0 24 * * *"],
            InvokeResult(
                2, "", "error: --cron: found hour `24` in `0 24 * * *`, expected 0 to 23\nhint: did you mean `0`?\n"
            ),
            id="a bad cron",
        ),
        pytest.param(
            FILE,
            ["schedule", "--cron", "@daily", "--timezone", "Berlin"],
            InvokeResult(
                2,
                "",
                "error: --timezone: found `Berlin`, expected an IANA time zone, like Europe/Berlin\n"
                "hint: did you mean `Europe/Berlin`?\n",
            ),
            id="a bad timezone",
        ),
        pytest.param(
            "",
            ["schedule"],
            InvokeResult(
                2,
                "",
                "error: projects/NAME/project.yml: found no schedules, expected at least one\n"
                'hint: add schedules: [{name: nightly, cron: "0 2 * * *", timezone: Europe/Berlin}]; '
                "or, without the file: invoke schedule --project NAME --cron '0 2 * * *'\n",
            ),
            id="no schedules",
        ),
        pytest.param(
            FILE,
            ["schedule", "--yes"],
            InvokeResult(
                1,
                "",
                f"error: stack handoff-dev-NAME: found none in account ACCOUNT, region {REGION}, expected the project deployed\n"
                "hint: invoke deploy --project NAME\n",
            ),
            id="not deployed",
        ),
        pytest.param(
            FILE,
            ["unschedule", "--name", "nightly", "--yes"],
            InvokeResult(
                1,
                "",
                "error: project NAME: no schedule is deployed, expected nightly\n"
                "hint: invoke schedule.list --project NAME\n",
            ),
            id="none to take away",
        ),
    ],
)
def test_refused(shop: StubProject[AwsAccount], text: str, words: list[str], expected: InvokeResult) -> None:
    assert write(shop, text).invoke(*words) == expected


def test_nobody_is_asked_without_a_terminal(shop: StubProject[AwsAccount]) -> None:
    deploy(shop)
    result = shop.invoke("schedule", *BY_FLAGS)
    assert (result.exit, result.stderr.splitlines()[-2:], schedules_of(shop)) == (
        2,
        [
            "error: schedule: create stack handoff-dev-NAME-schedule (7 resources): needs --yes without a terminal",
            "hint: invoke schedule --project NAME --name weekly --cron '0 5 * * MON' --timezone Asia/Tokyo "
            "--data '{\"n\": 1}' --yes",
        ],
        [],
    )
