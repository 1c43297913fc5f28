"""Before a run whose predecessor started no task: what is checked for which reason, with how many calls."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from doubles.fake_session import FakeSession

from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.start_check import check_last_start
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError
from handoff_kit.project.deploy_settings import Deploy
from handoff_runtime.errors import StoreError

NAME, SUBNET, GROUP = "handoff-dev-shop", "subnet-0a1b2c3d", "sg-0a1b2c3d"
ARN = "arn:aws:ecs:eu-central-1:1:task-definition/handoff-dev-shop:3"
MACHINE = "arn:aws:states:eu-central-1:1:stateMachine:handoff-dev-shop-run"
STACK = StackDescription(
    NAME,
    "UPDATE_COMPLETE",
    {"Subnets": SUBNET},
    {"TaskDefinition": ARN, "Image": "1.dkr.ecr.eu-central-1.amazonaws.com/handoff-dev-shop@sha256:1"},
)
SETTINGS = Deploy(subnets=(SUBNET,), security_groups=(GROUP,))
REPAIR = "invoke deploy --repair --project shop; to start a run anyway: --force"
IMAGE_GONE = {
    "StoppedReason": "CannotPullContainerError: failed to resolve ref x: not found",
    "Containers": [],
    "Overrides": "s",
}
NO_ROUTE = "ResourceInitializationError: unable to retrieve ecr registry auth: dial tcp 1.2.3.4:443: i/o timeout"
MOST_CALLS = 4
READ = ["list_executions", "describe_execution"]
EXITED = {"StoppedReason": "Essential container in task exited", "StopCode": "EssentialContainerExited"}


def check(
    error: str, cause: object, *, status: str = "FAILED", force: bool | None = False, **answers: Any
) -> tuple[list[str], list[str]]:
    """What is printed and called."""
    text = cause if isinstance(cause, str) else json.dumps(cause)
    executions = [{"name": "run-1", "status": status, "executionArn": "arn:execution:run-1"}]
    known = {"list_executions": {"executions": executions}, "describe_execution": {"error": error, "cause": text}}
    fake, said = FakeSession({**known, **answers}), list[str]()
    target = Target("shop", "dev", NAME, "bucket", "--project shop", cast("Any", fake))
    tasks = ProjectTasks(target, "handoff-dev", machine=MACHINE)
    check_last_start(tasks, STACK, SETTINGS, said.append, force=force)
    assert len(fake.calls) <= MOST_CALLS
    return said, fake.calls


ROLES = {
    "StackResourceSummaries": [
        {
            "LogicalResourceId": "MachineRole",
            "ResourceType": "AWS::IAM::Role",
            "PhysicalResourceId": "shop-MachineRole-1",
            "ResourceStatus": "CREATE_COMPLETE",
        }
    ]
}
TABLES = {"RouteTables": [{"VpcId": "vpc-1", "RouteTableId": "rtb-1", "Routes": [], "Associations": [{"Main": True}]}]}
SUBNETS = {"Subnets": [{"SubnetId": SUBNET, "VpcId": "vpc-1"}]}
GROUPS: dict[str, Any] = {"SecurityGroups": [{"GroupId": GROUP, "IpPermissionsEgress": []}]}


@pytest.mark.parametrize(
    ("error", "cause", "answers", "message", "hint"),
    [
        pytest.param(
            "ECS.ClusterNotFoundException",
            "Cluster not found. (Service: AmazonECS; Status Code: 400)",
            {"describe_clusters": {"clusters": []}},
            "ClusterNotFoundException: Cluster not found.; its cluster still is a problem: not found",
            REPAIR,
            id="cluster",
        ),
        pytest.param(
            "ECS.ClientException",
            "TaskDefinition is inactive",
            {"describe_task_definition": None},
            "ClientException: TaskDefinition is inactive; its task definition still is a problem: not found",
            REPAIR,
            id="task definition",
        ),
        pytest.param(
            "Handoff.NotStarted",
            IMAGE_GONE,
            {"describe_images": {"imageDetails": [{"imageDigest": "sha256:2"}]}},
            f"{IMAGE_GONE['StoppedReason']}; its image still is a problem: not found",
            "invoke deploy --project shop; to start a run anyway: --force",
            id="image",
        ),
        pytest.param(
            "Handoff.NotStarted",
            {"StoppedReason": "ResourceInitializationError: ResourceNotFoundException: log group does not exist"},
            {"describe_log_groups": {"logGroups": [{"logGroupName": f"/handoff/{NAME}-2"}]}},
            "ResourceInitializationError: ResourceNotFoundException: log group does not exist; its log group still is a "
            "problem: not found",
            REPAIR,
            id="log group",
        ),
        pytest.param(
            "Handoff.NotStarted",
            {"StoppedReason": NO_ROUTE},
            {"describe_subnets": SUBNETS, "describe_route_tables": TABLES},
            f"{NO_ROUTE}; its network still is a problem: subnet-0a1b2c3d has no route to the internet",
            REPAIR,
            id="network",
        ),
        pytest.param(
            "ECS.InvalidParameterException",
            "The security group 'sg-0a1b2c3d' does not exist",
            {"describe_security_groups": GROUPS},
            "InvalidParameterException: The security group 'sg-0a1b2c3d' does not exist; its security group still is a problem: "
            "sg-0a1b2c3d has no rule that lets HTTPS out",
            REPAIR,
            id="security group",
        ),
        pytest.param(
            "ECS.AccessDeniedException",
            "User: a-role is not authorized to perform: ecs:RunTask",
            {"list_stack_resources": ROLES, "get_account_authorization_details": {"RoleDetailList": []}},
            "AccessDeniedException: User: a-role is not authorized to perform: ecs:RunTask; its role still is a problem: "
            "MachineRole not found",
            REPAIR,
            id="role",
        ),
    ],
)
def test_what_the_reason_points_at_is_checked(
    error: str, cause: object, answers: dict[str, Any], message: str, hint: str
) -> None:
    message = f"the last run (run-1) started no task: {message}"
    with pytest.raises(AWSError) as caught:
        check(error, cause, **answers)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert check(error, cause, force=True, **answers)[0] == [f"note: {message}"]


@pytest.mark.parametrize(
    ("cause", "subject", "answers"),
    [
        pytest.param(
            "Cluster not found.", "cluster", {"describe_clusters": {"clusters": [{"status": "ACTIVE"}]}}, id="cluster"
        ),
        pytest.param(
            "TaskDefinition is inactive",
            "task definition",
            {"describe_task_definition": {"taskDefinition": {"taskDefinitionArn": ARN.replace(":3", ":4")}}},
            id="another revision, which the run uses",
        ),
    ],
)
def test_what_is_found_again_prevents_no_run(cause: str, subject: str, answers: dict[str, Any]) -> None:
    said, _ = check("ECS.ClientException", cause, **answers)
    assert said == [f"note: the last run (run-1) started no task: ClientException: {cause}; its {subject} is found now"]


def test_a_reason_that_passes_is_a_note() -> None:
    said, calls = check("Handoff.NotStarted", {"StoppedReason": "Capacity is unavailable at this time"})
    assert said == [
        "note: the last run (run-1) started no task: Capacity is unavailable at this time; a reason that may have passed"
    ]
    assert calls == ["list_executions", "describe_execution"]


@pytest.mark.parametrize(
    ("error", "cause", "status", "calls"),
    [
        pytest.param("", "", "SUCCEEDED", ["list_executions"], id="it succeeded"),
        pytest.param("", "", "RUNNING", ["list_executions"], id="it runs"),
        pytest.param("States.TaskFailed", "", "FAILED", READ, id="its task failed"),
        pytest.param("Handoff.Failed", "", "FAILED", READ, id="its task failed, told"),
        pytest.param("Handoff.NotAlerted", EXITED, "FAILED", READ, id="its task failed, and nobody could be told"),
    ],
)
def test_a_run_that_started_is_no_matter(error: str, cause: object, status: str, calls: list[str]) -> None:
    assert check(error, cause, status=status) == ([], calls)


def test_a_start_that_failed_and_that_nobody_could_be_told_of() -> None:
    cause = {"StoppedReason": "Capacity is unavailable at this time", "StopCode": "TaskFailedToStart"}
    assert check("Handoff.NotAlerted", cause) == check("Handoff.NotStarted", cause)


def test_a_permission_that_is_missing_prevents_no_run() -> None:
    said, _ = check("", "", list_executions=StoreError("StepFunctions ListExecutions: AccessDenied found"))
    assert said == [
        "note: whether the last run could start was not checked: StepFunctions ListExecutions: AccessDenied found"
    ]


def test_a_task_without_the_flag_names_none() -> None:
    with pytest.raises(AWSError) as caught:
        check("ECS.ClusterNotFoundException", "x", force=None, describe_clusters={"clusters": []})
    assert caught.value.hint == "invoke deploy --repair --project shop"
