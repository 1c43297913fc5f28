"""Recipients in `alerts` of a project file: which there are, and everything that can be wrong with one."""

from __future__ import annotations

import pytest
from doubles.project_text import check_words, load_text, problems_of

from handoff_kit.project.problem import describe_value
from handoff_kit.project.recipients import Recipients, Webhook, recipients_of

EXPECTED = (
    "a recipient: mailto:ADDRESS, https://URL of a webhook, secretsmanager:NAME or ssm:/NAME that holds one, "
    "or the ARN of an SNS topic"
)
EXAMPLE = "write it like this: alerts: [mailto:data@example.com]"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:oncall"
SLACK = "https://hooks.slack.com/services/T0/B0/xyz"
POWER = "https://prod-1.westeurope.logic.azure.com:443/workflows/x/triggers/manual/paths/invoke?api-version=1&sp=%2Ft&sig=a-b_c"
STORED = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:slack-AbCdEf"


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param("mailto:data.team+prod@example.com", Recipients(mails=("data.team+prod@example.com",)), id="mail"),
        pytest.param(TOPIC, Recipients(topics=(TOPIC,)), id="a topic"),
        pytest.param(f"sns:{TOPIC}", Recipients(topics=(TOPIC,)), id="a topic with its scheme"),
        pytest.param(SLACK, Recipients(webhooks=(Webhook("hooks.slack.com", SLACK, "slack"),)), id="Slack"),
        pytest.param(
            POWER, Recipients(webhooks=(Webhook("prod-1.westeurope.logic.azure.com", POWER, "teams"),)), id="Teams"
        ),
        pytest.param(
            "https://x.webhook.office.com/y",
            Recipients(webhooks=(Webhook("x.webhook.office.com", "https://x.webhook.office.com/y", "teams"),)),
            id="an Office connector",
        ),
        pytest.param(
            "https://logic.azure.com.example.com/y",
            Recipients(
                webhooks=(Webhook("logic.azure.com.example.com", "https://logic.azure.com.example.com/y", "plain"),)
            ),
            id="another host",
        ),
        pytest.param(
            "ssm:/a/b:3",
            Recipients(webhooks=(Webhook("ssm:/a/b:3", "{{resolve:ssm:/a/b:3}}", "plain"),)),
            id="a parameter",
        ),
        pytest.param(
            "teams+secretsmanager:a#url",
            Recipients(
                webhooks=(
                    Webhook("teams+secretsmanager:a#url", "{{resolve:secretsmanager:a:SecretString:url}}", "teams"),
                )
            ),
            id="a key of a secret, of Teams",
        ),
        pytest.param(
            f"secretsmanager:{STORED}",
            Recipients(
                webhooks=(
                    Webhook(
                        f"secretsmanager:{STORED}", f"{{{{resolve:secretsmanager:{STORED}:SecretString}}}}", "plain"
                    ),
                )
            ),
            id="a secret by its ARN",
        ),
    ],
)
def test_who_is_notified(item: str, expected: Recipients) -> None:
    assert recipients_of(load_text(f"alerts: ['{item}']")) == expected


def test_a_topic_under_deploy_is_the_only_recipient() -> None:
    assert recipients_of(load_text(f"deploy: {{alerts: '{TOPIC}'}}")) == Recipients(topics=(TOPIC,))
    assert not recipients_of(load_text(""))


@pytest.mark.parametrize(
    ("item", "hint"),
    [
        pytest.param("data@example.com", "did you mean `mailto:data@example.com`?", id="a bare address"),
        pytest.param("email: data@example.com", "did you mean `mailto:data@example.com`?", id="by another scheme"),
        pytest.param("mailto:data", EXAMPLE, id="an address without a host"),
        pytest.param("http://example.com/a", "did you mean `https://example.com/a`?", id="http"),
        pytest.param(SLACK[8:], f"did you mean `{SLACK}`?", id="no scheme"),
        pytest.param(f"slack://{SLACK[8:]}", f"did you mean `{SLACK}`?", id="a scheme of Slack"),
        pytest.param("https://example.com/*/a", EXAMPLE, id="a star"),
        pytest.param(f" {TOPIC}", f"did you mean `{TOPIC}`?", id="a blank"),
        pytest.param("oncall", "write the whole ARN: arn:aws:sns:REGION:ACCOUNT:oncall", id="the name of a topic"),
        pytest.param("ssm:webhook", "did you mean `ssm:/webhook`?", id="a parameter without its slash"),
        pytest.param(STORED, f"did you mean `secretsmanager:{STORED}`?", id="the ARN of a secret"),
        pytest.param(
            "arn:aws:ssm:eu-central-1:123456789012:parameter/chat/slack",
            "did you mean `ssm:/chat/slack`?",
            id="the ARN of a parameter",
        ),
        pytest.param(
            "#oncall",
            "write the URL of a webhook that posts to it: https://hooks.slack.com/services/...",
            id="a channel",
        ),
    ],
)
def test_one_that_is_none(item: str, hint: str) -> None:
    found = f"2:10: item 1 of `alerts` is {describe_value(item)}"
    assert problems_of(f"alerts: ['{item}']") == [f"{found}, expected {EXPECTED} | {hint}"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param(
            "alerts: a@b.de, c@b.de",
            [
                "2:9: `alerts` is `a@b.de, c@b.de`, expected a list of recipients | "
                "write it as a list: alerts: [mailto:a@b.de, mailto:c@b.de]"
            ],
            id="a text",
        ),
        pytest.param(
            "alerts: []",
            [
                "2:9: `alerts` is an empty list, expected at least one | take the line out: then alerts go to the shared topic"
            ],
            id="empty",
        ),
        pytest.param(
            f"alerts: ['{TOPIC}', 'mailto:a@b.de', 'sns:{TOPIC}']",
            [
                f"2:75: {describe_value(f'sns:{TOPIC}')} is given a second time, the first is on line 2 | keep one of the two"
            ],
            id="twice",
        ),
        pytest.param(
            f"alerts: [{', '.join(f'mailto:a{n}@b.de' for n in range(11))}]",
            ["2:1: `alerts` has 11 items, expected at most 10: for more, name an SNS topic | take some out"],
            id="too many",
        ),
        pytest.param(
            f"alerts: ['mailto:a@b.de']\ndeploy: {{alerts: '{TOPIC}'}}",
            [
                "3:10: found `alerts` of `deploy` beside `alerts`, expected one of them | "
                "write the ARN as an item of `alerts` at the left margin"
            ],
            id="in both places",
        ),
        pytest.param(
            "deploy: {alerts: ['mailto:a@b.de']}",
            [
                "2:18: `alerts` is a list, expected the ARN of an SNS topic | "
                "write recipients at the left margin: alerts: [mailto:data@example.com]"
            ],
            id="in the place of earlier versions",
        ),
        pytest.param(
            "alerts: ['mailto:{{ owner }}@example.com']",
            [
                "2:10: item 1 of `alerts` holds {{ owner }}, which nothing fills before a run | "
                "write the value itself; placeholders are filled when the pipeline runs"
            ],
            id="a placeholder",
        ),
        pytest.param(
            "alarms: ['mailto:a@b.de']",
            ["2:1: `alarms` is not a known key | did you mean `alerts`?"],
            id="by another name",
        ),
    ],
)
def test_a_list_that_is_wrong(text: str, problems: list[str]) -> None:
    assert problems_of(text) == problems
    check_words(text)
