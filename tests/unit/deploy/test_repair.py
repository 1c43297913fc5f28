"""What a repair takes out of a stack, and where its change sets come in the plan of a deployment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.cloudformation.stack_resources import MISSING, ResourceState, StackResource
from handoff_kit.aws.probes import find_states
from handoff_kit.deploy.repair import StackRepair, add_repairs, plan_repair, without_missing
from handoff_kit.errors import AWSError
from handoff_kit.steps import ApiCalls, DeployStack

COMMAND = "invoke deploy --repair --project shop"
TEMPLATE = """\
Resources:
  Key:
    Type: AWS::KMS::Key
  LogGroup:
    Type: AWS::Logs::LogGroup
    Properties:
      Key: !Ref Key
  Role:
    Type: AWS::IAM::Role
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      Role: !GetAtt Role.Arn
Outputs:
  Machine:
    Value: !Ref Machine
"""
STACK = StackDescription(
    "shop", "UPDATE_COMPLETE", {"Image": "x"}, {"Machine": "arn:machine"}, {"handoff:project": "shop"}, TEMPLATE
)
KINDS = {
    "Key": "AWS::KMS::Key",
    "LogGroup": "AWS::Logs::LogGroup",
    "Role": "AWS::IAM::Role",
    "Machine": "AWS::StepFunctions::StateMachine",
}
RESOURCES = {name: StackResource("shop", name, kind, f"id-{name}") for name, kind in KINDS.items()}


@pytest.mark.parametrize(
    ("listed", "problem"),
    [
        pytest.param("arn:mail", "", id="confirmed"),
        pytest.param("PendingConfirmation", "", id="unconfirmed, so listed without its ARN"),
        pytest.param("Deleted", MISSING, id="unsubscribed"),
        pytest.param(None, MISSING, id="not confirmed in time"),
    ],
)
def test_a_subscription_that_no_longer_exists(listed: str | None, problem: str) -> None:
    class Stub:
        def call(self, *_: str, **_request: Any) -> dict[str, Any]:
            return {"Subscriptions": [{"SubscriptionArn": listed}] if listed else []}

    topic, mail = (
        StackResource("shop", name, f"AWS::SNS::{name}", arn)
        for name, arn in (("Topic", "arn:topic"), ("Subscription", "arn:mail"))
    )
    found = find_states(cast("Any", Stub()), [topic, mail])
    assert [state.problem for state in found] == ["", problem]


def repair(*missing: str, **problems: str) -> StackRepair:
    found = {**dict.fromkeys(missing, "not found"), **problems}
    states = [ResourceState(one, found.get(name, "")) for name, one in RESOURCES.items()]
    return plan_repair(STACK, states, "bucket", COMMAND)


def test_what_is_gone_leaves_with_what_depends_on_it() -> None:
    found = repair("Role")
    assert (found.missing, found.leaves) == ((RESOURCES["Role"],), (RESOURCES["Machine"],))
    template = TEMPLATE[: TEMPLATE.index("  Role:")] + 'Outputs:\n  Machine:\n    Value: "arn:machine"\n'
    assert found.step == DeployStack(
        "shop", Path("shop.yml"), template, STACK.parameters, STACK.tags, COMMAND, "bucket"
    )
    assert list(found.notes) == [
        "stack shop: found no Role (id-Role): deleted by hand, and created again, with what depends on it: Machine",
        "note: Role is created again: its ARN changes: name it again in policies of others that name it",
        "note: Machine is created again: its executions are no longer listed; the records of runs are in the bucket",
    ]


@pytest.mark.parametrize(
    "found", [repair(), repair(Role="its inline policies were deleted")], ids=["nothing is gone", "one is changed"]
)
def test_a_stack_whose_resources_exist_is_left_alone(found: StackRepair) -> None:
    assert (found, list(found.notes)) == (StackRepair(STACK), [])


def test_a_resource_that_holds_data_is_never_taken_out() -> None:
    with pytest.raises(AWSError) as caught:
        repair("Key")
    assert str(caught.value) == (
        "error: stack shop: LogGroup (AWS::Logs::LogGroup) depends on Key, which is gone; it is not taken out of its stack, "
        "since its logs would be lost\n"
        f"hint: move its logs elsewhere and delete it by hand, then: {COMMAND}"
    )
    assert repair("Key", "LogGroup").leaves == ()


def test_a_repair_comes_before_the_step_of_its_stack() -> None:
    """A stack that the plan leaves alone gets its own template again; each step reverts drift."""
    found, other = repair("Role"), StackRepair(replace(STACK, name="shop-schedule"))
    step = DeployStack("shop", Path("task.yml"), "new", {}, {}, COMMAND)
    params = ApiCalls(())
    again = DeployStack(
        "shop-schedule", Path("shop-schedule.yml"), TEMPLATE, STACK.parameters, STACK.tags, COMMAND, "bucket"
    )
    planned = add_repairs((step, params), {"shop": found, "shop-schedule": other}, COMMAND, "bucket")
    assert planned == (found.step, replace(step, reverts_drift=True), params, replace(again, reverts_drift=True))


def test_what_follows_is_planned_from_the_stack_as_the_repair_leaves_it() -> None:
    found = repair("Role")
    assert found.step
    left = without_missing(STACK, {"shop": found})
    assert left == replace(STACK, template=found.step.template)
    assert without_missing(STACK, {"shop": repair()}) == STACK
    assert without_missing(None, {}) is None
