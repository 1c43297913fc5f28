"""Who is notified of the runs of a project, as its stack and the topics say it, and a test of that."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from handoff_kit.aws.alerts import (
    Subscriber,
    Subscribers,
    alert_notes,
    describe_subscribers,
    read_subscribers,
    send_test,
)
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError

MAIL, SHARED = "arn:aws:sns:eu-central-1:1:handoff-dev-a-alerts", "arn:aws:sns:eu-central-1:1:handoff-dev"
CONFIRMED = Subscriber(MAIL, "email", "a@b.de", is_confirmed=True)
PENDING = Subscriber(MAIL, "email", "c@b.de", is_confirmed=False)
OUTPUTS = {"AlertMachine": "machine", "AlertMail": MAIL, "AlertWebhook0a1b2c3d": "hooks.slack.com"}
NOBODY = (
    "note: nobody is notified of failures: no alerts, and the topic has no subscribers",
    "hint: projects/a/project.yml: alerts: [mailto:YOU@example.com], or a webhook of Slack or Teams",
)
UNREAD = "topic handoff-dev, whose subscribers are unknown: denied"
OPEN = "unconfirmed: open the link in the mail from AWS"


class Stub:
    """A session that has subscriptions, and an alert machine which ends so."""

    def __init__(self, subscribers: tuple[Subscriber, ...] = (), **ended: str) -> None:
        self.subscribers, self.ended = subscribers, ended
        self.sent: dict[str, Any] = {}

    def pages(self, _service: str, _operation: str, **request: Any) -> list[dict[str, Any]]:
        found = [
            {
                "Protocol": each.protocol,
                "Endpoint": each.endpoint,
                "SubscriptionArn": "arn" if each.is_confirmed else "PendingConfirmation",
            }
            for each in self.subscribers
            if each.topic == request["TopicArn"]
        ]
        return [{"Subscriptions": found}]

    def call(self, _service: str, operation: str, **request: Any) -> dict[str, Any]:
        if operation == "start_execution":
            self.sent = json.loads(request["input"])
            return {"executionArn": "execution"}
        return {"name": "x", **self.ended}


def target(stub: Stub) -> Target:
    return Target("a", "dev", "handoff-dev-a", "bucket", "--project a", cast("Any", stub))


def stack(**outputs: str) -> StackDescription:
    return StackDescription("handoff-dev-a", "CREATE_COMPLETE", outputs=outputs)


@pytest.mark.parametrize(
    ("found", "lines", "notes"),
    [
        pytest.param(
            Subscribers((MAIL,), (CONFIRMED, PENDING), ("hooks.slack.com",)),
            ("webhook hooks.slack.com", "mail a@b.de", f"mail c@b.de, {OPEN}"),
            (f"notified of failures: webhook hooks.slack.com; mail a@b.de; mail c@b.de, {OPEN}",),
            id="some",
        ),
        pytest.param(
            Subscribers((MAIL,), (PENDING,), ()),
            (f"mail c@b.de, {OPEN}",),
            (f"notified of failures: mail c@b.de, {OPEN}",),
            id="none that has confirmed",
        ),
        pytest.param(
            Subscribers((SHARED,), (), ()), ("topic handoff-dev, which has no subscribers",), NOBODY, id="nobody"
        ),
        pytest.param(
            Subscribers((SHARED,), (), (), (UNREAD,)),
            (UNREAD,),
            (f"notified of failures: {UNREAD}",),
            id="not readable",
        ),
    ],
)
def test_who_is_notified(found: Subscribers, lines: tuple[str, ...], notes: tuple[str, ...]) -> None:
    assert (describe_subscribers(found), alert_notes(found, "projects/a/project.yml")) == (lines, notes)


def test_they_are_read_by_the_outputs_of_the_stack() -> None:
    found = read_subscribers(target(Stub((CONFIRMED, PENDING))), stack(**OUTPUTS))
    assert found == Subscribers((MAIL,), (CONFIRMED, PENDING), ("hooks.slack.com",))
    assert [read_subscribers(target(Stub()), each) for each in (None, stack(Machine="arn"))] == [None, None]


OTHERS = "projects/a/project.yml: alerts: [mailto:YOU@example.com], then: invoke deploy --project a"
REFUSED = json.dumps([{"to": "webhooks"}, {"to": MAIL, "error": "SNS.NotFoundException", "cause": "no such topic"}])


@pytest.mark.parametrize(
    ("subscribers", "ended", "error", "hint"),
    [
        pytest.param(
            (CONFIRMED,),
            {"status": "FAILED", "error": "Handoff.NotDelivered", "cause": REFUSED},
            "not sent to handoff-dev-a-alerts: no such topic",
            "invoke status --project a",
            id="a topic that refuses it",
        ),
        pytest.param(
            (CONFIRMED,),
            {"status": "FAILED", "error": "States.Runtime", "cause": "x"},
            "not sent to anybody: execution x ended as FAILED: x",
            "invoke status --project a",
            id="a machine that fails",
        ),
        pytest.param(
            (PENDING,),
            {"status": "SUCCEEDED"},
            f"nobody gets the message: it was sent to mail c@b.de, {OPEN}",
            f"open the link in the mail from AWS; or {OTHERS}",
            id="nobody has confirmed",
        ),
        pytest.param(
            (),
            {"status": "SUCCEEDED"},
            "nobody gets the message: it was sent to topic handoff-dev-a-alerts, which has no subscribers",
            OTHERS,
            id="nobody has subscribed",
        ),
    ],
)
def test_a_message_that_reaches_nobody(
    subscribers: tuple[Subscriber, ...], ended: dict[str, str], error: str, hint: str
) -> None:
    stub = Stub(subscribers, **ended)
    with pytest.raises(AWSError) as raised:
        send_test(target(stub), stack(AlertMachine="machine", AlertMail=MAIL))
    assert (raised.value.message, raised.value.hint, stub.sent["kind"]) == (error, hint, "test")


def test_a_message_that_arrives() -> None:
    stub = Stub((CONFIRMED,), status="SUCCEEDED")
    assert send_test(target(stub), stack(**OUTPUTS)).subscribers == (CONFIRMED,)
    assert stub.sent == {
        "kind": "test",
        "subject": "handoff dev/a: test",
        "text": "project      a\nenvironment  dev\noutcome      a test, sent by invoke alerts.test\n",
    }


@pytest.mark.parametrize(
    ("deployed", "error"),
    [
        pytest.param(
            stack(Machine="arn"), "an earlier version deployed it, which notifies nobody", id="an earlier version"
        ),
        pytest.param(None, "not deployed", id="no stack"),
    ],
)
def test_nothing_that_notifies_people(deployed: StackDescription | None, error: str) -> None:
    with pytest.raises(AWSError) as raised:
        send_test(target(Stub()), deployed)
    assert (raised.value.message, raised.value.hint) == (f"stack handoff-dev-a: {error}", "invoke deploy --project a")
