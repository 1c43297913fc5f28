"""The people who are notified of a project's runs: who they are, and a message to all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError
from handoff_runtime.alert import compose_subject, format_facts
from handoff_runtime.polling import sleep

SNS, STEP_FUNCTIONS = "sns", "stepfunctions"
TOPIC_OUTPUTS, _WEBHOOKS = ("AlertMail", "AlertTopic"), "AlertWebhook"
UNCONFIRMED = "PendingConfirmation"
CONFIRM = "open the link in the mail from AWS"
_POLL = 1.0
_UNSUBSCRIBED = "Deleted"


@dataclass(frozen=True)
class Subscriber:
    """A subscription of a topic, e.g. of protocol email; one that is not confirmed gets no message."""

    topic: str
    protocol: str
    endpoint: str
    is_confirmed: bool


@dataclass(frozen=True)
class Subscribers:
    """ARNs of topics, their subscribers, webhooks by host or reference; `unread` are phrases for unreadable topics."""

    topics: tuple[str, ...]
    subscribers: tuple[Subscriber, ...]
    webhooks: tuple[str, ...]
    unread: tuple[str, ...] = ()

    @property
    def is_nobody(self) -> bool:
        """Whether no message reaches anybody, as far as that can be read."""
        return not (self.webhooks or self.unread or any(each.is_confirmed for each in self.subscribers))

    def of_topic(self, topic: str) -> tuple[Subscriber, ...]:
        return tuple(each for each in self.subscribers if each.topic == topic)


def read_subscribers(target: Target, stack: StackDescription | None) -> Subscribers | None:
    """By the outputs of a task stack, a call for each topic; None where an earlier version deployed it, or none is."""
    if stack is None or "AlertMachine" not in stack.outputs:
        return None
    topics = tuple(value for name, value in stack.outputs.items() if name.startswith(TOPIC_OUTPUTS))
    webhooks = tuple(value for name, value in stack.outputs.items() if name.startswith(_WEBHOOKS))
    subscribers, unread = list[Subscriber](), list[str]()
    for topic in topics:
        try:
            subscribers += [
                Subscriber(topic, each["Protocol"], each["Endpoint"], each["SubscriptionArn"] != UNCONFIRMED)
                for each in list_subscriptions(target.pages(SNS, "list_subscriptions_by_topic", TopicArn=topic))
            ]
        except AWSError as error:  # noqa: PERF203  # the others are known
            unread.append(f"topic {_name(topic)}, whose subscribers are unknown: {error.message}")
    return Subscribers(topics, tuple(subscribers), webhooks, tuple(unread))


def list_subscriptions(pages: Iterable[Mapping[str, Any]]) -> list[Mapping[str, str]]:
    """Those of the pages of a listing, in which SNS has for some time who has unsubscribed, with `Deleted` as ARN."""
    listed = (each for page in pages for each in page["Subscriptions"])
    return [each for each in listed if each["SubscriptionArn"] != _UNSUBSCRIBED]


def describe_subscribers(found: Subscribers) -> tuple[str, ...]:
    """A phrase for each subscriber, webhook, and topic without subscribers."""
    lines = [f"webhook {name}" for name in found.webhooks]
    for topic in found.topics:
        lines += [_describe(each) for each in found.of_topic(topic)]
        if not found.of_topic(topic) and not found.unread:
            lines.append(f"topic {_name(topic)}, which has no subscribers")
    return (*lines, *found.unread)


def _describe(subscriber: Subscriber) -> str:
    protocol = "mail" if subscriber.protocol.startswith("email") else subscriber.protocol
    unconfirmed = "" if subscriber.is_confirmed else f", unconfirmed: {CONFIRM}"
    return f"{protocol} {subscriber.endpoint}{unconfirmed}"


def _name(topic: str) -> str:
    return topic.rpartition(":")[2]


def alert_notes(found: Subscribers, file: str) -> tuple[str, ...]:
    """After a deployment: who is notified of failures, or how to have people notified."""
    if found.is_nobody and not found.subscribers:
        hint = f"hint: {file}: alerts: [mailto:YOU@example.com], or a webhook of Slack or Teams"
        return "note: nobody is notified of failures: no alerts, and the topic has no subscribers", hint
    return (f"notified of failures: {'; '.join(describe_subscribers(found))}",)


def send_test(target: Target, stack: StackDescription | None, pause: Callable[[float], None] = sleep) -> Subscribers:
    """Send a message, and wait until it is sent: to whom. AWSError where a topic refuses it, or nobody gets it."""
    found = read_subscribers(target, stack)
    if stack is None or found is None:
        problem = "an earlier version deployed it, which notifies nobody" if stack else "not deployed"
        raise AWSError(f"stack {target.name}: {problem}", f"invoke deploy {target.options}")
    about = ("project", target.project), ("environment", target.environment)
    text = "\n".join([*format_facts(*about, ("outcome", "a test, sent by invoke alerts.test")), ""])
    message = {"kind": "test", "subject": compose_subject(target.environment, target.project, "test"), "text": text}
    request = {"stateMachineArn": stack.outputs["AlertMachine"], "input": json.dumps(message)}
    execution = target.call(STEP_FUNCTIONS, "start_execution", **request)["executionArn"]
    while (ended := target.call(STEP_FUNCTIONS, "describe_execution", executionArn=execution))["status"] == "RUNNING":
        pause(_POLL)
    if ended["status"] != "SUCCEEDED":
        raise AWSError(f"not sent to {_refusals(ended)}", f"invoke status {target.options}")
    if found.is_nobody:
        others = f"projects/{target.project}/project.yml: alerts: [mailto:YOU@example.com]"
        hint = f"{f'{CONFIRM}; or ' if found.subscribers else ''}{others}, then: invoke deploy {target.options}"
        raise AWSError(f"nobody gets the message: it was sent to {'; '.join(describe_subscribers(found))}", hint)
    return found


def _refusals(execution: Mapping[str, Any]) -> str:
    """What was not sent, as the alert machine says it; else how its execution ended."""
    cause = str(execution.get("cause", ""))
    try:
        return "; ".join(f"{_name(each['to'])}: {each['cause']}" for each in json.loads(cause) if "cause" in each)
    except (ValueError, KeyError, TypeError):
        return f"anybody: execution {execution['name']} ended as {execution['status']}: {cause}"
