"""What the task stack notifies people with: values for its template and for that of the alert machine.

What a webhook takes: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from handoff_kit import resource_names
from handoff_kit.project.model import Project
from handoff_kit.project.recipients import PLAIN, SLACK, TEAMS, recipients_of
from handoff_kit.project.retention import on_ladder
from handoff_runtime import s3_keys
from handoff_runtime.alert import JOB, compose_subject, format_facts
from handoff_runtime.retention import object_tag

_CARD: dict[str, Any] = {
    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
    "type": "AdaptiveCard",
    "version": "1.4",
    "msteams": {"width": "Full"},
    "body": [
        {"type": "TextBlock", "text.$": "$.subject", "weight": "Bolder", "wrap": True},
        {
            "type": "CodeBlock",  # keeps lines, which a TextBlock joins; not all clients of Teams have it
            "codeSnippet.$": "$.text",
            "language": "PlainText",
            "fallback": {"type": "TextBlock", "text.$": "$.text", "wrap": True},
        },
    ],
}


def alert_values(project_name: str, project: Project, stack: str, environment: str) -> dict[str, Any]:
    """Recipients by how they are reached, bodies of webhooks, and the texts of messages that no run writes."""
    recipients = recipients_of(project)
    mail_topic = [{"id": "Mail", "arn": {"Ref": "AlertTopic"}}] if recipients.mails else []
    shared = f"arn:${{AWS::Partition}}:sns:${{AWS::Region}}:${{AWS::AccountId}}:{resource_names.topic(environment)}"
    topics: list[Any] = [*recipients.topics] if recipients else [{"Fn::Sub": shared}]
    bodies = {
        SLACK: {"text.$": "States.Format('*{}*\n```\n{}\n```', $.subject, $.text)"},
        TEAMS: {
            "type": "message",
            "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": _CARD}],
        },
        PLAIN: {
            **{f"{name}.$": f"$.{name}" for name in ("text", "subject", "kind")},
            "project": project_name,
            "environment": environment,
        },
    }
    taken = {webhook.body for webhook in recipients.webhooks}
    tag = "=".join(object_tag(s3_keys.open_alert(stack), on_ladder(project.keep)) or ())
    return {
        "alert_machine": resource_names.alert_machine(stack),
        "alert_key": s3_keys.alert(stack, "{}"),
        "alert_keys": s3_keys.alert(stack, "*").removesuffix(".json"),
        "open_key": s3_keys.open_alert(stack),
        "open_tag": tag,
        "open_object": {
            "Bucket": {"Ref": "Bucket"},
            "Key": s3_keys.open_alert(stack),
            "ExpectedBucketOwner": {"Ref": "AWS::AccountId"},
        },
        "composed_subject": compose_subject(environment, project_name, "{}"),
        "composed": _composed(project_name, environment),
        "missed": json.dumps(_missed(project_name, environment, resource_names.dead_letters(stack))),
        "missed_alarms": [resource_names.missed_alarm(stack), resource_names.lost_alarm(stack)],
        "alert_topic": resource_names.alert_topic(stack),
        "connection": resource_names.alert_connection(stack),
        "mails": [{"id": f"Mail{_digest(mail)}", "address": mail} for mail in recipients.mails],
        "topics": mail_topic + [{"id": f"Topic{number}", "arn": arn} for number, arn in enumerate(topics, 1)],
        "webhooks": [
            {"id": f"Webhook{digest}", "destination": resource_names.alert_webhook(stack, digest), **vars(webhook)}
            for webhook in recipients.webhooks
            for digest in [_digest(webhook.endpoint)]
        ],
        "bodies": {name: body for name, body in bodies.items() if name in taken},
    }


def _digest(recipient: str) -> str:
    """A part of a logical id, so that no order counts: another subscription would have to be confirmed again."""
    return hashlib.sha256(recipient.encode()).hexdigest()[:8]


def message_text(
    project: str,
    environment: str,
    facts: Mapping[str, str],
    look: Iterable[str],
    *,
    sentence: str = "",
    when: str = "again",
) -> str:
    """A message that no run writes, in the form of those of runs: facts, a sentence, the tasks to look and to run."""
    options = f"--project {project} --environment {environment}"
    known = ("project", project), ("environment", environment), ("job", JOB), *facts.items()
    lines = [*format_facts(*known), "", *([sentence, ""] if sentence else [])]
    lines += ["To look at it:", *(f"  invoke {task} {options}" for task in look)]
    return "\n".join([*lines, f"To run it {when}:", f"  invoke run {options}", ""])


def _composed(project: str, environment: str) -> str:
    """A template for States.Format: schedule, execution, outcome, reason, execution.

    The data of the run is left out, since nothing has masked it.
    """
    facts = dict.fromkeys(("schedule", "execution", "outcome", "reason"), "{}")
    look = ("history.show --remote --run {}", "logs")
    return message_text(project, environment, facts, look, when="again, with the --data that it had")


def _missed(project: str, environment: str, queue: str) -> dict[str, str]:
    """The message when a schedule could start no run."""
    reason = f"EventBridge Scheduler could not start a run; queue {queue} has the event, and why, unless it is missing"
    look = ("missed", "history --remote", "verify")
    text = message_text(project, environment, {"outcome": "missed", "reason": reason}, look)
    return {"kind": "missed", "subject": compose_subject(environment, project, "missed, not started"), "text": text}
