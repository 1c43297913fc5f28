"""The alert machine of a project and its rules, in LocalStack: what reaches whom, for each way in which a run can end."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from doubles.alert_subscriber import serve_subscriber
from doubles.localstack import AwsAccount, new_account
from doubles.moto_bucket import REGION
from doubles.runtime_project import until
from doubles.state_machine import STACK, resolved, task_resources

from handoff_runtime import s3_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.takes(40)

SLACK, TEAMS, OTHER = (
    "https://hooks.slack.com/services/T/B/x",
    "https://x.webhook.office.com/webhookb2/y",
    "https://example.com/alerts",
)
BODIES = {"teams": "attachments", "plain": "kind", "slack": "text"}  # a key that the body of one has
RUN = "run-20260131T020000Z-abcdef"
COMMANDS = f"""
To look at it:
  invoke history.show --remote --run {RUN} --project rates --environment dev
  invoke logs --project rates --environment dev
To run it again, with the --data that it had:
  invoke run --project rates --environment dev
"""
ODD = "a line\n\"quotes\" \\ `ticks` <a> ${x} {{ y }} 'z' ü"


@dataclass
class Alerts:
    """What notifies people, created from the template of a task stack; `got` is what webhooks were sent."""

    aws: AwsAccount
    url: str
    got: list[Any] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)

    def create(self, *alerts: str) -> None:
        """All webhooks lead to our server."""
        self.resources = task_resources(alerts=alerts)
        place = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": self.aws.account}
        role = f"arn:aws:iam::{self.aws.account}:role/x"
        self.made |= {
            **place,
            "Bucket": f"b-{self.aws.account}",
            "AlertRuleRole.Arn": role,
            "AlertMachineRole.Arn": role,
        }
        location = {"LocationConstraint": REGION}
        self.aws.boto("s3").create_bucket(Bucket=self.made["Bucket"], CreateBucketConfiguration=location)
        sfn, events = self.aws.boto("stepfunctions"), self.aws.boto("events")
        definition = json.dumps(self.of("AlertMachine")["Definition"])
        machine = sfn.create_state_machine(name=f"{STACK}-alert", definition=definition, roleArn=role)
        self.made["AlertMachine"] = machine["stateMachineArn"]
        self.made["Machine"] = self.made["AlertMachine"].replace("-alert", "-run")
        if "Connection" in self.resources:
            self.made["Connection.Arn"] = events.create_connection(**self.of("Connection"))["ConnectionArn"]
        for name in [name for name, each in self.resources.items() if "InvocationEndpoint" in each]:
            destination = {**self.of(name), "InvocationEndpoint": self.url}  # which CloudFormation takes no http for
            self.made[f"{name}.Arn"] = events.create_api_destination(**destination)["ApiDestinationArn"]
        for name in [name for name in self.resources if name.endswith("Rule")]:
            rule = self.of(name)
            events.put_rule(Name=name, EventPattern=json.dumps(rule["EventPattern"]))
            events.put_targets(Rule=name, Targets=rule["Targets"])

    def of(self, resource: str) -> dict[str, Any]:
        """The properties of a resource, as CloudFormation hands them on."""
        found: dict[str, Any] = resolved(self.resources[resource], self.made)
        return found

    def send(self, given: dict[str, Any]) -> dict[str, Any]:
        """An execution of the alert machine that has ended."""
        sfn = self.aws.boto("stepfunctions")
        arn = sfn.start_execution(stateMachineArn=self.made["AlertMachine"], input=json.dumps(given))["executionArn"]
        until(lambda: sfn.describe_execution(executionArn=arn)["status"] != "RUNNING", "the execution", 60)
        return dict(sfn.describe_execution(executionArn=arn))

    def received(self) -> dict[str, Any]:
        """What each webhook was sent since the last time, once."""
        until(lambda: len(self.got) >= len(BODIES), "the webhooks", 20)
        found, self.got[:] = list(self.got), []
        assert len(found) == len(BODIES)
        return {next(name for name, key in BODIES.items() if key in body): body for body in found[::-1]}

    def put(self, event: dict[str, Any]) -> None:
        """Put an event; AWS puts its own only."""
        entry = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
        self.aws.boto("events").put_events(Entries=[{**entry, "Resources": event.get("resources", [])}])

    def store(self, key: str, value: Any) -> None:
        """An object of the bucket, as a run leaves it."""
        self.aws.boto("s3").put_object(Bucket=self.made["Bucket"], Key=key, Body=json.dumps(value).encode())

    def stored(self, key: str) -> Any:
        """An object of the bucket; None where there is none."""
        s3 = self.aws.boto("s3")
        if "Contents" not in s3.list_objects_v2(Bucket=self.made["Bucket"], Prefix=key):
            return None
        return json.load(s3.get_object(Bucket=self.made["Bucket"], Key=key)["Body"])


@pytest.fixture(scope="module")
def created(localstack: str) -> Iterator[Alerts]:
    """With three webhooks."""
    aws = AwsAccount(localstack, new_account())
    with serve_subscriber() as (url, got):
        made = Alerts(aws, url, got)
        made.create(SLACK, TEAMS, OTHER)
        yield made
    aws.close()


@pytest.fixture
def alerts(created: Alerts) -> Alerts:
    """The same for one test, to which no failure is known."""
    created.aws.boto("s3").delete_object(Bucket=created.made["Bucket"], Key=s3_keys.open_alert(STACK))
    return created


def task(exit_code: int | None, stop_code: str, reason: str = "", **more: Any) -> str:
    """The cause of a task that failed; its overrides hold DATA."""
    container = {"Name": "handoff", **({} if exit_code is None else {"ExitCode": exit_code}), **more}
    overrides = {"ContainerOverrides": [{"Environment": [{"Name": "DATA", "Value": "hunter2"}]}]}
    return json.dumps(
        {"StopCode": stop_code, "StoppedReason": reason, "Containers": [container], "Overrides": overrides}
    )


EXITED = "Essential container in task exited"
AGENT = {"Name": "aws-guardduty-agent-x", "ExitCode": 0, "Reason": "not ours"}
OURS = {"Name": "handoff", "ExitCode": 139}
ENDINGS = [
    pytest.param(
        {
            "error": "States.TaskFailed",
            "cause": task(137, "EssentialContainerExited", EXITED, Reason="OutOfMemoryError"),
        },
        "failed with exit code 137",
        f"{EXITED} OutOfMemoryError",
        id="the runtime was killed",
    ),
    pytest.param(
        {"error": "States.TaskFailed", "cause": task(None, "TaskFailedToStart", "CannotPullContainerError: x")},
        "not started",
        "CannotPullContainerError: x ",
        id="the task never started",
    ),
    pytest.param(
        {"error": "States.TaskFailed", "cause": task(None, "SpotInterruption", "Your Spot Task was interrupted.")},
        "failed without an exit code",
        "Your Spot Task was interrupted. ",
        id="the task was taken away",
    ),
    pytest.param(
        {"error": "States.TaskFailed", "cause": json.dumps({"StopCode": "x", "Containers": [AGENT, OURS]})},
        "failed with exit code 139",
        " ",
        id="beside a container of AWS",
    ),
    pytest.param(
        {"error": "AmazonECS.Unknown", "cause": '{"Failures": [{"Reason": "RESOURCE:ENI"}], "Tasks": []}'},
        "not started",
        "RESOURCE:ENI ",
        id="RunTask had failures",
    ),
    pytest.param(
        {"error": "ECS.ClusterNotFoundException", "cause": "Cluster not found. (Service: AmazonECS)"},
        "not started",
        "Cluster not found. (Service: AmazonECS)",
        id="RunTask was refused",
    ),
    pytest.param(
        {"error": "States.TaskFailed", "cause": '{"Overrides": "hunter2 is cut off'},
        "failed",
        "States.TaskFailed",
        id="a cause that was cut off",
    ),
]


def ended_as(outcome: str, reason: str) -> str:
    return f"execution    {RUN}\noutcome      {outcome}\nreason       {reason}\n"


@pytest.mark.parametrize(("ending", "outcome", "reason"), ENDINGS)
def test_a_run_that_could_say_nothing(alerts: Alerts, ending: dict[str, str], outcome: str, reason: str) -> None:
    """Killed with its runtime, or never started."""
    schedule = ["nightly"] if "cut off" in ending["cause"] else []
    ended = alerts.send({"execution": RUN, "schedule": schedule, **ending})
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", '[{"to":"webhooks"}]')
    facts = f"project      rates\nenvironment  dev\njob          main\nschedule     {(*schedule, 'none known')[0]}\n"
    text = f"{facts}{ended_as(outcome, reason)}{COMMANDS}"
    message = {"kind": "failed", "subject": f"handoff dev/rates: {outcome}", "text": text}
    assert alerts.received()["plain"] == {**message, "project": "rates", "environment": "dev"}
    kept = alerts.stored(s3_keys.open_alert(STACK))
    assert {**kept, "since": ""} == {"kind": "failed", "subject": message["subject"], "since": ""}


def test_a_run_that_says_how_it_failed_and_its_recovery(alerts: Alerts) -> None:
    """As it says it; the first failure is kept until a run succeeds. A message of a test changes nothing."""
    failed = {"format": 1, "kind": "failed", "subject": "handoff dev/rates: failed", "text": ODD}
    for execution in ("first", "second"):
        alerts.store(s3_keys.alert(STACK, execution), {**failed, "subject": f"{failed['subject']} {execution}"})
        assert alerts.send({"execution": execution, "error": "States.TaskFailed", "cause": ""})["status"] == "SUCCEEDED"
        subject = f"{failed['subject']} {execution}"
        card = {"subject": subject, "text": ODD}
        found = alerts.received()
        assert found["slack"] == {"text": f"*{subject}*\n```\n{ODD}\n```"}
        assert found["plain"] == {"kind": "failed", **card, "project": "rates", "environment": "dev"}
        (attached,) = found["teams"].pop("attachments")
        title, code = attached["content"]["body"]
        assert (found["teams"], attached["contentType"]) == (
            {"type": "message"},
            "application/vnd.microsoft.card.adaptive",
        )
        assert (title["text"], code["codeSnippet"], code["fallback"]["text"]) == (subject, ODD, ODD)
        kept = alerts.stored(s3_keys.open_alert(STACK))
        assert kept["subject"] == f"{failed['subject']} first"
    tags = alerts.aws.boto("s3").get_object_tagging(Bucket=alerts.made["Bucket"], Key=s3_keys.open_alert(STACK))
    assert tags["TagSet"] == [{"Key": "keep", "Value": "90"}]

    alerts.send({"kind": "test", "subject": "a test", "text": "x"})
    assert (alerts.received()["plain"]["kind"], alerts.stored(s3_keys.open_alert(STACK))) == ("test", kept)
    alerts.store(s3_keys.alert(STACK, "third"), {**failed, "kind": "recovered"})
    alerts.send({"execution": "third"})
    assert (alerts.received()["plain"]["kind"], alerts.stored(s3_keys.open_alert(STACK))) == ("recovered", None)
    ended = alerts.send({"execution": "second"})  # which succeeded, at the second start
    assert (ended["status"], alerts.got, alerts.stored(s3_keys.open_alert(STACK))) == ("SUCCEEDED", [], None)


@pytest.mark.parametrize(
    ("detail", "outcome", "reason"),
    [
        pytest.param(
            {"status": "TIMED_OUT", "error": None, "cause": None},
            "stopped",
            "its execution took more than a week",
            id="too long",
        ),
        pytest.param({"status": "ABORTED"}, "stopped", "its execution was stopped, and not by invoke", id="stopped"),
        pytest.param(
            {"status": "FAILED", "error": "States.Runtime", "cause": "not found in the input: hunter2"},
            "failed",
            "States.Runtime",
            id="a mistake in the machine",
        ),
        pytest.param(
            {"status": "FAILED", "error": "Handoff.NotAlerted", "cause": task(1, "EssentialContainerExited", EXITED)},
            "failed with exit code 1",
            f"{EXITED} ",
            id="the machine could not be started",
        ),
    ],
)
def test_an_execution_that_could_say_nothing(alerts: Alerts, detail: dict[str, Any], outcome: str, reason: str) -> None:
    """A rule hears of it, and starts the alert machine."""
    alerts.put(execution_event(alerts, detail))
    message = alerts.received()["plain"]
    assert message["subject"] == f"handoff dev/rates: {outcome}"
    assert f"\n{ended_as(outcome, reason)}" in message["text"]
    assert "hunter2" not in json.dumps(message)


def test_a_schedule_that_started_no_run(alerts: Alerts) -> None:
    alerts.put(alarm_event(alerts, "ALARM"))
    message = alerts.received()["plain"]
    assert (message["kind"], message["subject"]) == ("missed", "handoff dev/rates: missed, not started")
    assert f"queue {STACK}-missed has the event" in message["text"]
    assert "\n  invoke missed --project rates --environment dev\n" in message["text"]


def execution_event(alerts: Alerts, detail: dict[str, Any], machine: str = "Machine") -> dict[str, Any]:
    """As https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html has it."""
    arn = alerts.made[machine].replace("stateMachine", "execution")
    given = {"input": '{"environment": [{"Name": "DATA", "Value": "hunter2"}]}', "output": None}
    ids = {"executionArn": f"{arn}:{RUN}", "stateMachineArn": alerts.made[machine], "name": RUN}
    return {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": ids | given | detail,
    }


def alarm_event(alerts: Alerts, state: str, alarm: str = f"{STACK}-schedule-missed") -> dict[str, Any]:
    """As https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html has it."""
    arn = f"arn:aws:cloudwatch:{REGION}:{alerts.aws.account}:alarm:{alarm}"
    detail = {"alarmName": alarm, "state": {"value": state, "reason": "x"}, "previousState": {"value": "OK"}}
    return {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "resources": [arn],
        "detail": detail,
    }


def test_what_the_rules_hear_of(alerts: Alerts) -> None:
    """Nothing that the machine of runs reports itself, nor what `invoke stop` ended: no failure is reported twice."""
    own = ["Handoff.Failed", "Handoff.NotStarted"]
    executions: list[tuple[dict[str, Any], str, bool]] = [
        *(({"status": status, "error": None}, "Machine", status in ("TIMED_OUT", "ABORTED")) for status in ENDS),
        *(({"status": "FAILED", "error": error}, "Machine", False) for error in own),
        ({"status": "FAILED", "error": "States.DataLimitExceeded"}, "Machine", True),
        ({"status": "FAILED", "error": "Handoff.NotAlerted"}, "Machine", True),
        ({"status": "ABORTED", "error": "Handoff.Stopped"}, "Machine", False),
        ({"status": "ABORTED", "error": "by hand"}, "Machine", True),
        ({"status": "ABORTED"}, "Machine", True),
        ({"status": "TIMED_OUT"}, "AlertMachine", False),
    ]
    alarms = [("ALARM", f"{STACK}-schedule-missed", True), ("OK", f"{STACK}-schedule-missed", False)]
    alarms += [("ALARM", f"{STACK}x-schedule-missed", False), ("ALARM", f"{STACK}-schedule-lost", True)]
    events = [("EndedRule", execution_event(alerts, detail, name), heard) for detail, name, heard in executions]
    events += [("MissedRule", alarm_event(alerts, state, alarm), heard) for state, alarm, heard in alarms]
    for rule, event, heard in events:
        given = {"id": "1", "account": alerts.aws.account, "time": "2026-01-31T02:00:00Z", "region": REGION}
        text = json.dumps({"resources": [], **given, **event})
        pattern = json.dumps(alerts.of(rule)["EventPattern"])
        found = alerts.aws.boto("events").test_event_pattern(EventPattern=pattern, Event=text)["Result"]
        assert found is heard, event


ENDS = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


def test_topics_and_one_that_refuses(aws_account: AwsAccount) -> None:
    """It keeps no message from the others, and the execution says which it was."""
    sns, sqs = aws_account.boto("sns"), aws_account.boto("sqs")
    mail, there = (sns.create_topic(Name=name)["TopicArn"] for name in (f"{STACK}-alerts", "there"))
    gone = there.replace("there", "gone")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for topic in (mail, there):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    alerts = Alerts(aws_account, "", made={"AlertTopic": mail})
    alerts.create("mailto:a@example.com", gone, there)
    ended = alerts.send({"kind": "failed", "subject": "a subject", "text": ODD})
    sent = json.loads(ended["cause"])
    assert (ended["status"], ended["error"]) == ("FAILED", "Handoff.NotDelivered")
    assert [(each["to"], each.get("error")) for each in sent] == [
        (mail, None),
        (gone, "SNS.NotFoundException"),
        (there, None),
    ]
    found = [
        json.loads(each["Body"]) for each in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    ]
    assert sorted((each["TopicArn"], each["Subject"], each["Message"]) for each in found) == sorted(
        (topic, "a subject", ODD) for topic in (mail, there)
    )

    key = s3_keys.open_alert(STACK)
    assert alerts.stored(key)["subject"] == "a subject"
    for topic in (mail, there):
        sns.delete_topic(TopicArn=topic)
    ended = alerts.send({"kind": "recovered", "subject": "not announced", "text": ODD})
    assert (ended["error"], alerts.stored(key)["subject"]) == ("Handoff.NotDelivered", "a subject")
    aws_account.boto("s3").delete_object(Bucket=alerts.made["Bucket"], Key=key)
    ended = alerts.send({"kind": "failed", "subject": "nobody knows", "text": ODD})
    assert (ended["error"], alerts.stored(key)) == ("Handoff.NotDelivered", None)
