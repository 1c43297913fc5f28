"""What a repair takes out of a stack, and where its change sets come in the plan of a deployment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from doubles.fake_session import FakeSession

from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.cloudformation.stack_resources import ResourceState, StackResource
from handoff_kit.aws.target import Target
from handoff_kit.deploy import repair as repairs
from handoff_kit.deploy.repair import (
    StackRepair,
    add_repairs,
    check_repairs,
    find_repairs,
    plan_repair,
    without_missing,
)
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


def repair(*missing: str, **problems: str) -> StackRepair:
    found = {**dict.fromkeys(missing, "not found"), **problems}
    states = [ResourceState(one, found.get(name, "")) for name, one in RESOURCES.items()]
    return plan_repair(STACK, states, "bucket", COMMAND)


def test_what_is_gone_leaves_with_what_depends_on_it() -> None:
    found = repair("Role")
    assert (found.missing, found.leaves) == ((RESOURCES["Role"],), (RESOURCES["Machine"],))
    template = TEMPLATE[: TEMPLATE.index("  Role:")] + 'Outputs:\n  Machine:\n    Value: "arn:machine"\n'
    assert found.step == DeployStack(
        "shop", Path("shop.yml"), template, STACK.parameters, STACK.tags, COMMAND, "bucket", made_from=TEMPLATE
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


def account(roles: object, tags: dict[str, str], **answers: object) -> Target:
    """With the stack, as CloudFormation describes it, and these roles."""
    stack = {
        "StackName": "shop",
        "StackStatus": "UPDATE_COMPLETE",
        "Tags": [{"Key": k, "Value": tags[k]} for k in tags],
    }
    listed = [
        {
            "LogicalResourceId": one.name,
            "ResourceType": one.kind,
            "PhysicalResourceId": one.id,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for one in (RESOURCES["Role"], RESOURCES["Machine"])
    ]
    known = {
        "describe_stacks": {"Stacks": [stack]},
        "get_template": {"TemplateBody": TEMPLATE},
        "list_stack_resources": {"StackResourceSummaries": listed},
        "get_account_authorization_details": roles,
        "list_executions": {"executions": []},
    }
    return Target("shop", "dev", "shop", "bucket", "--project shop", cast("Any", FakeSession({**known, **answers})))


OWNER = {"handoff:project": "shop", "handoff:environment": "dev"}
NO_ROLES: dict[str, Any] = {"RoleDetailList": []}
ROLES = {"RoleDetailList": [{"RoleName": "id-Role", "RolePolicyList": [{}]}]}


def test_a_machine_with_a_run_under_way_stays_also_after_many_others() -> None:
    def list_executions(statusFilter: str = "", **_: object) -> dict[str, Any]:  # noqa: N803  # of the API
        ended = [{"name": f"run-{n}", "status": "SUCCEEDED"} for n in range(10)]
        return {"executions": [{"name": "run-long", "status": "RUNNING"}] if statusFilter == "RUNNING" else ended}

    with pytest.raises(AWSError, match="runs are under way: run-long"):
        find_repairs(["shop"], account(NO_ROLES, OWNER, list_executions=list_executions), COMMAND)


@pytest.mark.parametrize(
    ("own", "tags", "found"),
    [
        pytest.param(True, OWNER, ["shop"], id="of the project"),
        pytest.param(True, {**OWNER, "handoff:project": "other"}, [], id="of another project"),
        pytest.param(False, {"handoff:environment": "dev"}, ["shop"], id="the shared one"),
        pytest.param(False, {}, [], id="the shared one, not of handoff"),
        pytest.param(False, {"handoff:environment": "prod"}, [], id="that of another environment"),
    ],
)
def test_a_stack_of_others_is_not_repaired(own: bool, tags: dict[str, str], found: list[str]) -> None:  # noqa: FBT001
    assert [*find_repairs(["shop"], account(NO_ROLES, tags), COMMAND, own=own)] == found


def test_what_was_just_created_may_be_listed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = list[float]()
    monkeypatch.setattr(repairs, "sleep", pauses.append)
    roles = iter([NO_ROLES, NO_ROLES, ROLES])
    check_repairs(["shop"], account(lambda **_: next(roles), OWNER), COMMAND, lambda _: None)
    assert len(pauses) == 2
    with pytest.raises(AWSError) as caught:
        check_repairs(["shop"], account(NO_ROLES, OWNER), COMMAND, lambda _: None)
    assert (caught.value.message, caught.value.hint) == (
        "not repaired: Role (AWS::IAM::Role id-Role): not found",
        COMMAND,
    )
