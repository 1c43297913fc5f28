"""The checks of `invoke verify`, of what AWS describes; and how they are printed."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

import pytest
from doubles.fake_session import FakeSession

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.drift import DriftedResource, parse_drift
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.cloudformation.stack_resources import ResourceState, StackResource
from handoff_kit.aws.network import Network
from handoff_kit.aws.session import DeployedProject
from handoff_kit.aws.target import Target
from handoff_kit.deploy import checks
from handoff_kit.deploy.checks import FAILED, OK, SKIPPED, Check, CheckGroup
from handoff_kit.deploy.schedule_template import ScheduleSummary
from handoff_kit.deploy.verify import verify_project
from handoff_kit.deploy.verify_output import checks_json, checks_tree, counts
from handoff_kit.errors import AWSError, HandoffError, ProjectError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.load import load_project
from handoff_runtime.aws.transfer import LocalFile, UploadPlan
from handoff_runtime.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REPAIR, SCHEDULE = "invoke deploy --repair --project shop", "invoke schedule --project shop"
LOG = StackResource("shop", "LogGroup", "AWS::Logs::LogGroup", "/handoff/shop")
ROLE = StackResource("shop", "TaskRole", "AWS::IAM::Role", "shop-TaskRole-1")
RULE = {"IpProtocol": "-1"}
NIGHTLY = ScheduleSummary("nightly", "cron(0 2 * * ? *)", "UTC", "ENABLED")
HOURLY = ScheduleSummary("hourly", "rate(1 hour)", "UTC", "DISABLED")
STARTED = datetime(2027, 1, 31, 6, tzinfo=timezone.utc)


def test_a_tree_of_everything() -> None:
    """A group of many that went well is one line; what failed has its fix on its line."""
    states = [ResourceState(LOG, "not found"), ResourceState(ROLE, unknown="AccessDenied")]
    many = [ResourceState(StackResource("shop", f"R{n}", "AWS::SQS::Queue", f"q{n}")) for n in range(6)]
    network = Network({"subnet-1": "vpc-1"}, groups=[{"GroupId": "sg-1", "IpPermissionsEgress": [RULE]}])
    plan = UploadPlan((LocalFile("a.csv", "/a.csv", 1),), (), ())
    commands = {"schedule": SCHEDULE, "repair": REPAIR}
    groups = (
        CheckGroup(
            "stack shop",
            (
                checks.judge_stack("status", StackDescription("shop", "UPDATE_COMPLETE"), REPAIR),
                *checks.judge_resources([*states, *many], REPAIR),
            ),
            "resource",
        ),
        CheckGroup("network", checks.judge_network(network, ["subnet-1"], ["sg-1"], REPAIR, public_ip=True)),
        CheckGroup(
            "project",
            (
                checks.judge_params(4097, 3, advanced=False, command="invoke params.push"),
                checks.judge_params(None, 0, advanced=False, command="invoke params.push"),
                checks.judge_files(plan, "invoke files.push"),
            ),
        ),
        CheckGroup(
            "schedules",
            checks.judge_schedules([NIGHTLY, HOURLY], [NIGHTLY], {"nightly": "DISABLED"}, commands),
        ),
        CheckGroup("drift", checks.judge_drift("shop", (), REPAIR)),
    )
    assert (
        checks_tree(groups)
        == """\
stack shop
  OK       7 resources
  FAILED   LogGroup: AWS::Logs::LogGroup /handoff/shop: not found; fix: invoke deploy --repair --project shop
  skipped  TaskRole: AWS::IAM::Role shop-TaskRole-1: AccessDenied
network
  FAILED   subnet subnet-1: has no route to the internet; fix: invoke deploy --repair --project shop
  OK       security group sg-1: lets HTTPS out
project
  OK       params: version 3, 4,097 of 8,192 bytes (advanced tier)
  FAILED   params: none are stored; fix: invoke params.push
  FAILED   files: 1 file to upload: a.csv; fix: invoke files.push
schedules
  FAILED   schedule hourly: not deployed; fix: invoke schedule --project shop
  FAILED   schedule nightly: is DISABLED in AWS, deployed as ENABLED; fix: invoke deploy --repair --project shop
drift
  OK       shop: as its template says
"""
    )
    assert counts(groups) == "10 OK, 6 FAILED, 1 skipped"
    assert checks.has_failed(groups)
    assert [json.loads(line) for line in checks_json(groups[-1:]).splitlines()] == [
        {"group": "drift", "name": "shop", "outcome": "OK", "detail": "as its template says", "fix": None}
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(None, (FAILED, "not deployed"), id="not deployed"),
        pytest.param("CREATE_COMPLETE", (OK, "CREATE_COMPLETE"), id="sound"),
        pytest.param(
            "UPDATE_ROLLBACK_COMPLETE",
            (OK, "UPDATE_ROLLBACK_COMPLETE: its last update failed and was undone"),
            id="rolled back",  # where the file was set back too, no deployment gets it out of this status
        ),
        pytest.param("UPDATE_IN_PROGRESS", (SKIPPED, "UPDATE_IN_PROGRESS: it is being changed"), id="being changed"),
        pytest.param("DELETE_FAILED", (FAILED, "DELETE_FAILED"), id="broken"),
    ],
)
def test_the_status_of_a_stack(status: str | None, expected: tuple[str, str]) -> None:
    found = checks.judge_stack("status", StackDescription("shop", status) if status else None, "invoke deploy")
    assert found == Check("status", *expected, "invoke deploy" if expected[0] == FAILED else "")


@pytest.mark.parametrize(
    ("subscriptions", "expected"),
    [
        pytest.param(None, [(FAILED, "not found")], id="no topic"),
        pytest.param([], [(FAILED, "has no subscribers: nobody is notified")], id="no subscriber"),
        pytest.param(
            [
                {"Endpoint": "a@x.org", "Protocol": "email", "SubscriptionArn": "PendingConfirmation"},
                {"Endpoint": "b@x.org", "Protocol": "email", "SubscriptionArn": "arn:aws:sns:x:1:shop:2"},
            ],
            [(FAILED, "unconfirmed"), (OK, "email")],
            id="one unconfirmed",
        ),
    ],
)
def test_subscribers(subscriptions: list[dict[str, str]] | None, expected: list[tuple[str, str]]) -> None:
    found = checks.judge_subscriptions("shop", subscriptions, "subscribe")
    assert [(one.outcome, one.detail) for one in found] == expected


@pytest.mark.parametrize(
    ("executions", "expected"),
    [
        pytest.param(None, (SKIPPED, "its state machine was not found", ""), id="no machine"),
        pytest.param([], (OK, "never ran", ""), id="never ran"),
        pytest.param(
            ["SUCCEEDED", "FAILED"], (OK, "run-0: SUCCEEDED, started 2027-01-31T06:00:00Z", ""), id="succeeded"
        ),
        pytest.param(
            ["FAILED"], (FAILED, "run-0: FAILED, started 2027-01-31T06:00:00Z, no cluster", "repair"), id="failed"
        ),
        pytest.param(
            ["TIMED_OUT"],
            (FAILED, "run-0: TIMED_OUT, started 2027-01-31T06:00:00Z, no cluster", "repair"),
            id="timed out",
        ),
        pytest.param(["ABORTED"], (OK, "run-0: ABORTED, started 2027-01-31T06:00:00Z", ""), id="stopped"),
    ],
)
def test_the_newest_execution(executions: list[str] | None, expected: tuple[str, str, str]) -> None:
    found: Any = executions and [
        {"name": f"run-{number}", "status": status, "startDate": STARTED} for number, status in enumerate(executions)
    ]
    one = checks.judge_execution("last run", [] if executions == [] else found, "no cluster", "repair")
    assert (one.outcome, one.detail, one.fix) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(
            AWSError("x: AccessDenied found, the permission a:B on * expected", "allow it"), SKIPPED, id="permission"
        ),
        pytest.param(AWSError("x: answered 501 InternalFailure"), SKIPPED, id="no such service"),
        pytest.param(AWSError("parameter x: found no params document", "see who stored it"), FAILED, id="damaged"),
        pytest.param(ProjectError("shop is the stack of project x", "unset STACK_NAME"), FAILED, id="of another"),
    ],
)
def test_a_call_that_is_refused(error: HandoffError, expected: str) -> None:
    fix = error.hint or "" if expected == FAILED else ""
    assert checks.refused_check("params", error) == Check("params", expected, error.message, fix)


def test_a_quota_below_the_size_of_a_task() -> None:
    assert checks.judge_quota(6, 1024, "vCPUs", "L-1") == Check("vCPUs", OK, "6; one task takes 1")
    assert checks.judge_quota(0.25, 512, "vCPUs", "L-1") == Check(
        "vCPUs",
        FAILED,
        "0.25, and one task takes 0.5",
        "aws service-quotas request-service-quota-increase --service-code fargate --quota-code L-1 --desired-value 1",
    )


def test_drift_is_told_without_values() -> None:
    described = {
        "LogicalResourceId": "TaskRole",
        "ResourceType": "AWS::IAM::Role",
        "PhysicalResourceId": "shop-TaskRole-1",
        "StackResourceDriftStatus": "MODIFIED",
        "PropertyDifferences": [
            {
                "PropertyPath": "/Policies/0/PolicyName",
                "ExpectedValue": "a",
                "ActualValue": "hunter2",
                "DifferenceType": "NOT_EQUAL",
            },
            {"PropertyPath": "/Tags/1", "ExpectedValue": "", "ActualValue": "x", "DifferenceType": "ADD"},
        ],
    }
    drifted = parse_drift(described)
    assert drifted == DriftedResource(
        "TaskRole", "AWS::IAM::Role", "shop-TaskRole-1", ("Policies.0.PolicyName changed", "Tags.1 added")
    )
    deleted = DriftedResource("LogGroup", "AWS::Logs::LogGroup", "/handoff/shop", is_deleted=True)
    assert checks.judge_drift("shop", (drifted, deleted), REPAIR) == (
        Check(
            "TaskRole",
            FAILED,
            "AWS::IAM::Role shop-TaskRole-1: Policies.0.PolicyName changed, Tags.1 added",
            REPAIR,
        ),
        Check("LogGroup", FAILED, "AWS::Logs::LogGroup /handoff/shop: deleted", REPAIR),
    )


SHARED, REGISTRY, TASK = "handoff-dev", "handoff-dev-shop-registry", "handoff-dev-shop"
OWN_NETWORK = """\
commands: [{command: ls}]
alerts: [mailto:a@x.org]
deploy: {subnets: [subnet-0a1b2c3d], security_groups: [sg-0a1b2c3d], cluster: own, bucket: own-bucket}
"""


def verify(
    directory: Path, file: str, deployed: tuple[str, ...], outputs: Mapping[str, str], **answers: object
) -> list[tuple[str, Check]]:
    """The checks of a project with these stacks, the task stack with these outputs; each after its group."""
    paths = ProjectPaths("shop", directory)
    paths.directory.mkdir(parents=True)
    paths.file.write_text(file, encoding="utf-8")
    tags = {"handoff:project": "shop", "handoff:environment": "dev"}
    every = {
        SHARED: StackDescription(SHARED, "CREATE_COMPLETE", tags={"handoff:environment": "dev"}),
        REGISTRY: StackDescription(REGISTRY, "CREATE_COMPLETE", tags=tags),
        TASK: StackDescription(TASK, "CREATE_COMPLETE", outputs=outputs, tags=tags),
    }
    project = load_project(paths.file, paths.display_path)
    common = resource_names.bucket("dev", "1", "eu-central-1")
    session = cast("Any", FakeSession(answers, other=StoreError("AccessDenied found")))
    target = Target("shop", "dev", TASK, project.deploy.bucket or common, "--project shop", session)
    found = verify_project(DeployedProject(paths, target, every[TASK], project), [every[name] for name in deployed])
    return [(one.name, check) for one in found for check in one.checks]


STATUS = Check("status", OK, "CREATE_COMPLETE")
MISSING_SHARED = Check("status", FAILED, "not deployed", "invoke deploy --project shop")


@pytest.mark.parametrize(
    ("file", "deployed", "expected"),
    [
        pytest.param("commands: [{command: ls}]\n", (SHARED, REGISTRY, TASK), [STATUS, STATUS, STATUS], id="deployed"),
        pytest.param(
            "commands: [{command: ls}]\n",
            (REGISTRY, TASK),
            [MISSING_SHARED, STATUS, STATUS],
            id="the shared one is gone",
        ),
        pytest.param(OWN_NETWORK, (SHARED, REGISTRY, TASK), [None, STATUS, STATUS], id="the shared one is of others"),
    ],
)
def test_the_shared_stack_is_checked_where_the_project_uses_it(
    file: str, deployed: tuple[str, ...], expected: list[Check | None], tmp_path: Path
) -> None:
    """A deployment repairs it only then, and creates it only then."""
    found = verify(tmp_path, file, deployed, {}, list_stack_resources={"StackResourceSummaries": []})
    names = (f"stack {SHARED}", f"stack {REGISTRY}", f"stack {TASK}")
    assert [one for one in found if one[0].startswith("stack ")] == [
        (name, check) for name, check in zip(names, expected, strict=True) if check
    ]


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        pytest.param({}, {}, id="without a state machine"),
        pytest.param({"Machine": "arn:machine"}, {"last run": Check("last run", OK, "never ran")}, id="with one"),
    ],
)
def test_what_an_earlier_version_deployed_is_no_full_deployment(
    outputs: dict[str, str], expected: dict[str, Check], tmp_path: Path
) -> None:
    """Runs cannot be started, and nobody is notified: no resource is missing, so nothing else says so."""
    outputs = {"TaskDefinition": "arn:task:1", **outputs}
    executions = {"executions": list[object]()}
    found = verify(tmp_path, OWN_NETWORK, (REGISTRY, TASK), outputs, list_executions=executions)
    deploy, no_machine = "invoke deploy --project shop", "found no state machine, expected the one that starts runs"
    last_run = f"stack {TASK}: {no_machine}; an earlier version deployed it"
    messages = "found nothing that notifies people; an earlier version deployed the project"
    assert {check.name: check for name, check in found if name in ("alerts", "runs") and "quota" not in check.name} == {
        "messages": Check("messages", FAILED, messages, deploy),
        "last run": Check("last run", FAILED, last_run, deploy),
        **expected,
    }
