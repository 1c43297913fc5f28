"""Whether resources of stacks exist, by the answers of their services."""

from __future__ import annotations

from typing import Any, cast

import pytest
from doubles.fake_session import FakeSession

from handoff_kit.aws.cloudformation.stack_resources import ResourceState, StackResource
from handoff_kit.aws.probes import find_states, read_subscriptions
from handoff_kit.aws.reader import Reader

ARN = "arn:aws:ecs:eu-central-1:1:task-definition/shop"
TASK = StackResource("shop", "TaskDefinition", "AWS::ECS::TaskDefinition", f"{ARN}:3")
TOPIC = StackResource("shop", "AlertTopic", "AWS::SNS::Topic", "arn:aws:sns:eu-central-1:1:shop")


def find(answers: dict[str, Any], *resources: StackResource) -> tuple[ResourceState, ...]:
    return find_states(Reader(cast("Any", FakeSession(answers))), resources)


@pytest.mark.parametrize(
    ("newest", "problem"),
    [
        pytest.param(f"{ARN}:3", "", id="the deployed one"),
        pytest.param(f"{ARN}:7", "not found as the newest revision: runs use 7", id="a newer one"),
        pytest.param(f"{ARN}:2", "not found", id="an older one"),
        pytest.param("", "not found", id="none"),
    ],
)
def test_the_deployed_task_definition_is_the_newest(newest: str, problem: str) -> None:
    """Deleting it by hand would not help where there is a newer one; created again it is the newest."""
    answer = {"taskDefinition": {"taskDefinitionArn": newest}} if newest else None
    (state,) = find({"describe_task_definition": answer}, TASK)
    assert (state.problem, state.is_missing) == (problem, bool(problem))


def subscription(arn: str, endpoint: str) -> dict[str, str]:
    return {"SubscriptionArn": arn, "Endpoint": endpoint, "Protocol": "email"}


def test_who_has_unsubscribed_is_no_subscriber() -> None:
    """SNS lists them for some time; and it has a hundred subscriptions on a page."""
    mails = [StackResource("shop", f"Mail{n}", "AWS::SNS::Subscription", f"{TOPIC.id}:{n}") for n in range(3)]
    pages = [
        {"Subscriptions": [subscription("Deleted", "a@x.org"), subscription(mails[0].id, "b@x.org")]},
        {"Subscriptions": [subscription(mails[1].id, "c@x.org")]},
    ]
    answers = {"list_subscriptions_by_topic": pages}
    assert [state.problem for state in find(answers, TOPIC, *mails)] == ["", "", "", "not found"]
    found = read_subscriptions(Reader(cast("Any", FakeSession(answers))), TOPIC.id)
    assert [one["Endpoint"] for one in found or ()] == ["b@x.org", "c@x.org"]


def test_schedules_of_others_are_not_listed() -> None:
    """One without a group of its stack is in the default one, where the whole account may have its schedules."""
    asked = list[dict[str, Any]]()

    def list_schedules(**request: str) -> dict[str, Any]:
        asked.append(request)
        return {"Schedules": [{"Name": "shop-expect-2", "State": "ENABLED"}]}

    expect = StackResource("shop", "Expect", "AWS::Scheduler::Schedule", "shop-expect")
    (state,) = find({"list_schedules": list_schedules}, expect)
    assert (state.problem, asked) == ("not found", [{"GroupName": "default", "NamePrefix": "shop-expect"}])
