"""The recipients of alerts: the items of `alerts` in the project file, by how a message reaches them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from handoff_kit.project.model import Project
from handoff_runtime.aws.references import Reference, parse_reference
from handoff_runtime.aws.session import SSM

SLACK, TEAMS, PLAIN = "slack", "teams", "plain"
"""The bodies that a webhook may take."""
_HOSTS = {
    r"hooks\.slack(-gov)?\.com": SLACK,
    r".*\.(logic\.azure|api\.powerplatform|webhook\.office)\.com": TEAMS,
}


@dataclass(frozen=True)
class Webhook:
    """A URL, or a reference to it, which CloudFormation resolves. A URL is a credential; `name` is its host."""

    name: str
    endpoint: str
    body: str


@dataclass(frozen=True)
class Recipients:
    """Mail addresses, ARNs of SNS topics, and webhooks."""

    mails: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    webhooks: tuple[Webhook, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.mails or self.topics or self.webhooks)


def recipients_of(project: Project) -> Recipients:
    """`alerts`, or `deploy.alerts` as its only item."""
    items = project.alerts or tuple(filter(None, (project.deploy.alerts,)))
    mails = (item.removeprefix("mailto:") for item in items if item.startswith("mailto:"))
    topics = (item.removeprefix("sns:") for item in items if item.startswith(("sns:", "arn:")))
    others = (item for item in items if not item.startswith(("mailto:", "sns:", "arn:")))
    return Recipients(tuple(mails), tuple(topics), tuple(map(_webhook, others)))


def _webhook(item: str) -> Webhook:
    reference = parse_reference(item.removeprefix("teams+"))
    if reference:
        return Webhook(item, _dynamic_reference(reference), TEAMS if item.startswith("teams+") else PLAIN)
    host = urlsplit(item).hostname or ""
    return Webhook(host, item, next((body for pattern, body in _HOSTS.items() if re.fullmatch(pattern, host)), PLAIN))


def _dynamic_reference(reference: Reference) -> str:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html"""
    if reference.service == SSM:
        return f"{{{{resolve:ssm:{reference.name}}}}}"
    key = f":{reference.key}" if reference.key else ""
    return f"{{{{resolve:secretsmanager:{reference.name}:SecretString{key}}}}}"
