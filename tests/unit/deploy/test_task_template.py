"""The template of a task stack: held against goldens and linters, and what its roles may do, word for word."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from doubles.rendered_templates import GOLDENS, ROOT, checkov, golden, lint, made, understood
from jinja2 import Environment

from handoff_kit.deploy import templates
from handoff_kit.project.model import Project
from handoff_kit.project.patterns import OWN_INLINE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STACK = "handoff-prod-rates"
ARN = "arn:aws:ecs:eu-central-1:123456789012:cluster/batch"
FN_CLUSTER = {"Fn::Sub": "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:cluster/handoff-prod"}
SUBNETS, GROUPS = {"Ref": "Subnets"}, {"Ref": "SecurityGroups"}
BELOW = (".lock", ".artifacts/*", "runs/*", "history/*", "occurrences/*")
PLAIN: dict[str, Any] = {}
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:eu-central-1:123456789012:key/{KEY_ID}"
ROLE_OF_TABLES = {
    "Sid": "Tables",
    "Effect": "Deny",
    "Action": ["dynamodb:GetItem", "dynamodb:Query"],
    "Resource": "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${aws:username}",
    "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}},
}
EVERYTHING: dict[str, Any] = {
    "cpu": "1024",
    "memory": "2GB",
    "storage": "50",
    "architecture": "arm64",
    "spot": "true",
    "log_retention": "forever",
    "stop_timeout": "120",
    "tags": {"team": "data"},
    "policies": [
        "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess",
        {"Action": "s3:GetObject", "Resource": "arn:${AWS::Partition}:s3:::rates/*"},
        ROLE_OF_TABLES,
    ],
    "permissions_boundary": "developer-boundary",
    "kms_key": KEY_ID,
    "exec": "true",
    "vpc": "vpc-0a1b2c3d",
    "subnets": ["subnet-0a1b2c3d", "subnet-1a1b2c3d"],
    "public_ip": "false",
    "cluster": "batch",
    "bucket": "our-data",
}
TOPIC = "arn:aws:sns:eu-central-1:123456789012:oncall"
SLACK, TEAMS = "https://hooks.slack.com/services/T/B/x", "teams+secretsmanager:teams-webhook#url"
ALERTS = ["mailto:data@example.com", SLACK, TEAMS, "ssm:/alerts/webhook", f"sns:{TOPIC}"]


def rendered(
    deploy: dict[str, Any], project: str = "rates", environment: str = "prod", alerts: Sequence[str] = ()
) -> str:
    alerts = ALERTS if deploy is EVERYTHING else alerts
    written = {"commands": [{"command": "a"}], "deploy": deploy, **({"alerts": alerts} if alerts else {})}
    loaded = Project.model_validate(written)
    return templates.render_task_template(ROOT, project, loaded, f"handoff-{environment}-{project}", environment)


def resources(deploy: dict[str, Any], *alerts: str) -> dict[str, Any]:
    found: dict[str, Any] = understood(rendered(deploy, alerts=alerts))["Resources"]
    return {name: resource["Properties"] for name, resource in found.items()}


def container(deploy: dict[str, Any]) -> dict[str, Any]:
    (found,) = resources(deploy)["TaskDefinition"]["ContainerDefinitions"]
    return dict(found)


def arn(rest: str) -> dict[str, str]:
    return {"Sub": f"arn:${{AWS::Partition}}:{rest}"}


def inline_characters(policies: list[dict[str, Any]]) -> int:
    """The characters that IAM counts of inline policies, with short names in place of references."""
    text = json.dumps([policy["PolicyDocument"] for policy in policies], separators=(",", ":"))
    text = re.sub(r'\{"(?:Sub|Ref)":("(?:[^"\\]|\\.)*")\}', r"\1", text)
    for name, filled in {"Partition": "aws", "Region": "us-east-1", "AccountId": 12 * "1"}.items():
        text = text.replace(f"${{AWS::{name}}}", filled).replace(f'"AWS::{name}"', f'"{filled}"')
    return len(text.replace("${Bucket}", "bbb")) - 2


# what is rendered


@pytest.mark.parametrize(
    ("name", "deploy"),
    [pytest.param("task.yml", PLAIN, id="plain"), pytest.param("task-everything.yml", EVERYTHING, id="everything set")],
)
def test_what_is_rendered(name: str, deploy: dict[str, Any]) -> None:
    text = rendered(deploy)
    assert text == golden(name, text)
    assert text.endswith("\n")
    assert not re.search(r"[ \t]$|\n\n\n", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("deploy", "project", "environment"),
    [
        pytest.param(PLAIN, "rates", "prod", id="plain"),
        pytest.param(EVERYTHING, "rates", "prod", id="everything set"),
        pytest.param({"security_groups": ["sg-0a1b2c3d"], "subnets": ["subnet-0a1b2c3d"]}, "a", "dev", id="own groups"),
        pytest.param({"cpu": "16384", "memory": "120GB", "storage": "200"}, "a", "dev", id="the largest"),
        pytest.param(PLAIN, "x" * 40, "y" * 20, id="the longest names"),
    ],
)
def test_cfn_lint_finds_nothing(deploy: dict[str, Any], project: str, environment: str) -> None:
    assert lint(rendered(deploy, project, environment)) == []


@pytest.mark.network
def test_checkov_finds_only_what_is_explained(tmp_path: Path) -> None:
    """All templates at once: it takes its time to start. What is skipped is skipped for its reason, in the template."""
    for golden_file in GOLDENS.glob("*.yml"):
        shutil.copy(golden_file, tmp_path)
    found = checkov(tmp_path)
    assert (found["failed_checks"], found["parsing_errors"]) == ([], [])
    assert found["skipped_checks"] == [
        ("registry.yml", "Repository", "CKV_AWS_136"),
        ("schedule-everything.yml", "Missed", "CKV_AWS_27"),
        ("schedule.yml", "Missed", "CKV_AWS_27"),
        ("shared.yml", "AlertTopic", "CKV_AWS_26"),
        ("shared.yml", "Bucket", "CKV_AWS_18"),
        ("shared.yml", "Cluster", "CKV_AWS_65"),
        ("task-everything.yml", "LogGroup", "CKV_AWS_66"),
        ("task.yml", "LogGroup", "CKV_AWS_158"),
    ]


# what it may do


OWN = {"StringEquals": {"aws:ResourceAccount": {"Ref": "AWS::AccountId"}}}


def test_what_a_run_may_do() -> None:
    """Its own parameter, its own part of a bucket of its account; tests/store/test_permissions.py runs one."""
    (policy,) = resources(PLAIN)["TaskRole"]["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Sid": "Params",
            "Effect": "Allow",
            "Action": "ssm:GetParameter",
            "Resource": arn(f"ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter/{STACK}__params"),
        },
        {
            "Sid": "List",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": arn("s3:::${Bucket}"),
            "Condition": {**OWN, "StringLike": {"s3:prefix": f"{STACK}/*"}},
        },
        {
            "Sid": "Read",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": arn(f"s3:::${{Bucket}}/{STACK}/*"),
            "Condition": OWN,
        },
        {
            "Sid": "Write",
            "Effect": "Allow",
            "Action": ["s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectTagging"],
            "Resource": [
                arn(f"s3:::${{Bucket}}/{STACK}/{below}") for below in (*BELOW, "alerts/*.json", "expect/*.json")
            ],
            "Condition": {
                **OWN,
                "ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["keep", "keep-old", "states"]},
            },
        },
    ]


def test_what_who_starts_it_may_do() -> None:
    (policy,) = resources(PLAIN)["ExecutionRole"]["Policies"]
    place = "${AWS::Region}:${AWS::AccountId}"
    sign_in, pull, log = policy["PolicyDocument"]["Statement"]
    assert (sign_in["Action"], sign_in["Resource"]) == ("ecr:GetAuthorizationToken", "*")
    assert pull["Resource"] == arn(f"ecr:{place}:repository/{STACK}")
    assert log["Resource"] == arn(f"logs:{place}:log-group:/handoff/{STACK}:*")
    assert log["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]


LIST_OF_ALERTS = {
    "Effect": "Allow",
    "Action": "s3:ListBucket",
    "Resource": arn("s3:::${Bucket}"),
    "Condition": {**OWN, "StringLike": {"s3:prefix": f"{STACK}/alerts/*"}},
}


def test_what_the_machine_may() -> None:
    place = "${AWS::Region}:${AWS::AccountId}"
    of_this_cluster = arn(f"ecs:{place}:task/handoff-prod/*")
    (policy,) = resources(PLAIN)["MachineRole"]["Policies"]
    assert {one.pop("Sid"): one for one in policy["PolicyDocument"]["Statement"]} == {
        "Run": {
            "Effect": "Allow",
            "Action": "ecs:RunTask",
            "Resource": [arn(f"ecs:{place}:task-definition/{STACK}"), arn(f"ecs:{place}:task-definition/{STACK}:*")],
            "Condition": {"ArnEquals": {"ecs:cluster": FN_CLUSTER}},
        },
        "Follow": {
            "Effect": "Allow",
            "Action": ["ecs:DescribeTasks", "ecs:StopTask"],
            "Resource": of_this_cluster,
            "Condition": {
                "StringEquals": {
                    "aws:ResourceTag/handoff:project": "rates",
                    "aws:ResourceTag/handoff:environment": "prod",
                }
            },
        },
        "Tag": {
            "Effect": "Allow",
            "Action": "ecs:TagResource",
            "Resource": of_this_cluster,
            "Condition": {"StringEquals": {"ecs:CreateAction": "RunTask"}},
        },
        "Hear": {
            "Effect": "Allow",
            "Action": ["events:DescribeRule", "events:PutRule", "events:PutTargets"],
            "Resource": arn(f"events:{place}:rule/StepFunctionsGetEventsForECSTaskRule"),
        },
        "Pass": {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": [{"GetAtt": "ExecutionRole.Arn"}, {"GetAtt": "TaskRole.Arn"}],
            "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        },
        "Alert": {"Effect": "Allow", "Action": "states:StartExecution", "Resource": {"Ref": "AlertMachine"}},
        "Look": LIST_OF_ALERTS,
    }


@pytest.mark.parametrize(
    ("role", "service", "source"),
    [
        pytest.param("MachineRole", "states", f"stateMachine:{STACK}-run", id="of runs"),
        pytest.param("AlertMachineRole", "states", f"stateMachine:{STACK}-alert", id="of alerts"),
        pytest.param("AlertRuleRole", "events", "rule/*", id="of rules"),
    ],
)
def test_who_may_take_a_role(role: str, service: str, source: str) -> None:
    (trust,) = resources(PLAIN)[role]["AssumeRolePolicyDocument"]["Statement"]
    place = arn(f"{service}:${{AWS::Region}}:${{AWS::AccountId}}:{source}")
    assert (trust["Principal"], trust["Condition"]) == (
        {"Service": f"{service}.amazonaws.com"},
        {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}, "ArnLike": {"aws:SourceArn": place}},
    )


@pytest.mark.parametrize(
    ("alerts", "topics", "webhooks"),
    [
        pytest.param((), [arn("sns:${AWS::Region}:${AWS::AccountId}:handoff-prod")], 0, id="the shared topic"),
        pytest.param(("mailto:a@b.de", "mailto:c@b.de"), [{"Ref": "AlertTopic"}], 0, id="mail"),
        pytest.param((TOPIC,), [TOPIC], 0, id="a topic"),
        pytest.param((SLACK, TEAMS), [], 2, id="webhooks"),
        pytest.param(tuple(ALERTS), [{"Ref": "AlertTopic"}, TOPIC], 3, id="all"),
    ],
)
def test_what_notifies_people_may(alerts: tuple[str, ...], topics: list[Any], webhooks: int) -> None:
    found = resources(PLAIN, *alerts)
    (policy,), (of_rules,) = found["AlertMachineRole"]["Policies"], found["AlertRuleRole"]["Policies"]
    topics = [{"Fn::Sub": topic["Sub"]} if "Sub" in topic else topic for topic in topics]
    statements = {one.pop("Sid"): one for one in policy["PolicyDocument"]["Statement"]}
    (remember,) = [statements.pop("Remember")]
    assert remember["Resource"] == arn(f"s3:::${{Bucket}}/{STACK}/alerts/open.json")
    assert statements == {
        **({"Publish": {"Effect": "Allow", "Action": "sns:Publish", "Resource": topics}} if topics else {}),
        **({"Put": PUT_EVENTS} if webhooks else {}),
        "List": LIST_OF_ALERTS,
        "Read": {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": arn(f"s3:::${{Bucket}}/{STACK}/alerts/*"),
            "Condition": OWN,
        },
    }
    start, *calls = of_rules["PolicyDocument"]["Statement"]
    assert (start["Action"], start["Resource"]) == ("states:StartExecution", {"Ref": "AlertMachine"})
    assert [len(call["Resource"]) for call in calls] == ([webhooks] if webhooks else [])


PUT_EVENTS = {
    "Effect": "Allow",
    "Action": "events:PutEvents",
    "Resource": arn("events:${AWS::Region}:${AWS::AccountId}:event-bus/default"),
    "Condition": {"StringEquals": {"events:source": "handoff"}},
}


@pytest.mark.parametrize("role", ["ExecutionRole", "TaskRole"])
def test_whose_roles_they_are(role: str) -> None:
    """They have no name of their own, so that nobody needs a permission to make roles of any name."""
    found = resources(PLAIN)[role]
    assert (found["Path"], "RoleName" in found, "ManagedPolicyArns" in found) == (f"/handoff/{STACK}/", False, False)
    (trust,) = found["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}


@pytest.mark.parametrize(
    ("deploy", "boundary", "key"),
    [
        pytest.param({}, None, None, id="neither"),
        pytest.param(
            {"permissions_boundary": "dev/boundary", "kms_key": KEY_ID},
            arn("iam::${AWS::AccountId}:policy/dev/boundary"),
            arn(f"kms:${{AWS::Region}}:${{AWS::AccountId}}:key/{KEY_ID}"),
            id="names",
        ),
        pytest.param(
            {"permissions_boundary": "arn:aws:iam::123456789012:policy/b", "kms_key": KEY_ARN},
            {"Sub": "arn:aws:iam::123456789012:policy/b"},
            {"Sub": KEY_ARN},
            id="ARNs",
        ),
    ],
)
def test_boundary_and_key_of_an_organization(deploy: dict[str, str], boundary: object, key: object) -> None:
    found = understood(rendered(deploy))["Resources"]
    roles = [one["Properties"] for one in found.values() if one["Type"] == "AWS::IAM::Role"]
    assert [role.get("PermissionsBoundary") for role in roles] == [boundary] * len(roles)
    assert found["LogGroup"]["Properties"].get("KmsKeyId") == key
    statements = found["TaskRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert [each["Resource"] for each in statements if each["Sid"] == "Key"] == ([key] if key else [])


def test_room_and_channels_for_a_shell() -> None:
    """The agent of ECS Exec writes below /var/lib/amazon and /var/log/amazon, and the root is read-only."""
    plain, allowed = resources(PLAIN), resources({"exec": "true"})
    mounts = [
        {mount["ContainerPath"] for mount in found["TaskDefinition"]["ContainerDefinitions"][0]["MountPoints"]}
        for found in (plain, allowed)
    ]
    assert mounts[1] - mounts[0] == {"/var/lib/amazon", "/var/log/amazon"}
    statements = [found["TaskRole"]["Policies"][0]["PolicyDocument"]["Statement"] for found in (plain, allowed)]
    (more,) = [statement for statement in statements[1] if statement not in statements[0]]
    assert more["Action"] == [
        f"ssmmessages:{verb}{what}Channel" for verb in ("Create", "Open") for what in ("Control", "Data")
    ]


def test_permissions_of_a_project() -> None:
    role = resources(EVERYTHING)["TaskRole"]
    assert role["ManagedPolicyArns"] == ["arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess"]
    own = {policy["PolicyName"]: policy["PolicyDocument"]["Statement"] for policy in role["Policies"]}
    plain = resources(PLAIN)["TaskRole"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert [each for each in own["handoff"] if each["Sid"] not in {"Key", "Exec"}] == plain
    place = "${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}"
    assert own["project"] == [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": [{"Fn::Sub": "arn:${AWS::Partition}:s3:::rates/*"}],
        },
        {
            "Sid": "Tables",
            "Effect": "Deny",
            "Action": ["dynamodb:GetItem", "dynamodb:Query"],
            "Resource": [{"Fn::Sub": f"arn:{place}:table/${{!aws:username}}"}],
            "Condition": {"StringEquals": {"aws:RequestedRegion": ["eu-central-1"]}},
        },
    ]


# what runs


@pytest.mark.parametrize(
    ("deploy", "expected"),
    [
        pytest.param(PLAIN, ("256", "512", "X86_64", None, 30), id="plain"),
        pytest.param(EVERYTHING, ("1024", "2048", "ARM64", {"SizeInGiB": 50}, 120), id="everything set"),
    ],
)
def test_how_large_it_is(deploy: dict[str, Any], expected: tuple[Any, ...]) -> None:
    task = resources(deploy)["TaskDefinition"]
    platform, storage = task["RuntimePlatform"]["CpuArchitecture"], task.get("EphemeralStorage")
    found = (task["Cpu"], task["Memory"], platform, storage, container(deploy)["StopTimeout"])
    assert found == expected
    assert (task["Family"], task["NetworkMode"], task["RequiresCompatibilities"]) == (STACK, "awsvpc", ["FARGATE"])


def test_its_root_is_read_only_but_for_what_is_declared_a_volume() -> None:
    """A volume takes owner and mode from the image only where the image declares its very path."""
    found, task = container(PLAIN), resources(PLAIN)["TaskDefinition"]
    mounts = {mount["ContainerPath"]: mount["SourceVolume"] for mount in found["MountPoints"]}
    declared = re.search(r"^VOLUME (.+)$", (ROOT / "Dockerfile.j2").read_text(encoding="utf-8"), re.MULTILINE)
    assert declared
    assert declared[1] == str(list(mounts)).replace("'", '"')
    assert [{"Name": name} for name in mounts.values()] == task["Volumes"]
    assert (found["ReadonlyRootFilesystem"], found["LinuxParameters"]) == (True, {"InitProcessEnabled": True})
    assert f"USER {found['User']}" in (ROOT / "Dockerfile.j2").read_text(encoding="utf-8")


def test_what_it_is_told() -> None:
    found = container(EVERYTHING)
    assert found["Image"] == {"Ref": "Image"}
    assert {each["Name"]: each["Value"] for each in found["Environment"]} == {
        "STACK_NAME": STACK,
        "S3_BUCKET_NAME": {"Ref": "Bucket"},
        "S3_BUCKET_OWNER": {"Ref": "AWS::AccountId"},
        "STOP_TIMEOUT": "120",
        "LOG_FORMAT": "json",
        "HANDOFF_PROJECT": "rates",
        "HANDOFF_ENVIRONMENT": "prod",
        "IMAGE_DIGEST": {"Select": [1, {"Split": ["@", {"Ref": "Image"}]}]},
    }


def test_where_it_logs_to() -> None:
    assert container(PLAIN)["LogConfiguration"] == {
        "LogDriver": "awslogs",
        "Options": {
            "awslogs-group": {"Ref": "LogGroup"},
            "awslogs-region": {"Ref": "AWS::Region"},
            "awslogs-stream-prefix": "run",
            "mode": "non-blocking",
            "max-buffer-size": "25m",
        },
    }


@pytest.mark.parametrize(
    ("retention", "expected"),
    [
        pytest.param({}, {"LogGroupName": f"/handoff/{STACK}", "RetentionInDays": 90}, id="as it is"),
        pytest.param({"log_retention": "7d"}, {"LogGroupName": f"/handoff/{STACK}", "RetentionInDays": 7}, id="a week"),
        pytest.param({"log_retention": "forever"}, {"LogGroupName": f"/handoff/{STACK}"}, id="for ever"),
    ],
)
def test_how_long_the_log_stays(retention: dict[str, str], expected: dict[str, Any]) -> None:
    assert resources(retention)["LogGroup"] == expected


# where, and who is told


@pytest.mark.parametrize(
    ("deploy", "made_one"),
    [
        pytest.param(PLAIN, False, id="in the shared network"),
        pytest.param({"vpc": "vpc-0a1b2c3d", "subnets": ["subnet-0a1b2c3d"]}, True, id="in a VPC of one's own"),
        pytest.param(
            {"vpc": "vpc-0a1b2c3d", "subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"]},
            False,
            id="with groups of one's own",
        ),
    ],
)
def test_who_gets_a_security_group(deploy: dict[str, Any], made_one: bool) -> None:  # noqa: FBT001
    assert ("SecurityGroup" in resources(deploy)) is made_one
    if made_one:
        group = resources(deploy)["SecurityGroup"]
        assert (group["VpcId"], "SecurityGroupIngress" in group) == ("vpc-0a1b2c3d", False)


def digest(recipient: str) -> str:
    return hashlib.sha256(recipient.encode()).hexdigest()[:8]


def test_whom_it_notifies() -> None:
    """Each by logical ids of its own text: to add one confirms no other anew."""
    found = resources(PLAIN, *ALERTS)
    name = f"Mail{digest('mailto:data@example.com'.removeprefix('mailto:'))}"
    mail = {"TopicArn": {"Ref": "AlertTopic"}, "Protocol": "email", "Endpoint": "data@example.com"}
    assert (found["AlertTopic"]["TopicName"], found[name]) == (f"{STACK}-alerts", mail)
    webhooks = {
        each["InvocationEndpoint"]: found[f"{name}Rule"]["Targets"][0]["InputPath"]
        for name, each in found.items()
        if "InvocationEndpoint" in each
    }
    assert webhooks == {
        SLACK: "$.detail.slack",
        "{{resolve:secretsmanager:teams-webhook:SecretString:url}}": "$.detail.teams",
        "{{resolve:ssm:/alerts/webhook}}": "$.detail.plain",
    }
    rules = [each for name, each in found.items() if name.endswith("Rule")]
    targets = [target for rule in rules for target in rule["Targets"]]
    assert len(targets) == len(webhooks) + 2
    assert {tuple(target["RetryPolicy"].items()) for target in targets} == {
        (("MaximumEventAgeInSeconds", 3600), ("MaximumRetryAttempts", 60))
    }


def test_what_is_put_out() -> None:
    outputs = understood(rendered(EVERYTHING))["Outputs"]
    assert {name: output["Value"] for name, output in outputs.items()} == {
        "TaskDefinition": {"Ref": "TaskDefinition"},
        "LogGroup": {"Ref": "LogGroup"},
        "TaskRole": {"Ref": "TaskRole"},
        "TaskRoleArn": {"GetAtt": "TaskRole.Arn"},
        "Image": {"Ref": "Image"},
        "Source": {"Ref": "Source"},
        "Base": {"Ref": "Base"},
        "Bucket": {"Ref": "Bucket"},
        "Machine": {"Ref": "Machine"},
        "AlertMachine": {"Ref": "AlertMachine"},
        "AlertMail": {"Ref": "AlertTopic"},
        "AlertTopic1": TOPIC,
        f"AlertWebhook{digest(SLACK)}": "hooks.slack.com",
        f"AlertWebhook{digest('{{resolve:secretsmanager:teams-webhook:SecretString:url}}')}": TEAMS,
        f"AlertWebhook{digest('{{resolve:ssm:/alerts/webhook}}')}": "ssm:/alerts/webhook",
        "Cluster": {"Fn::Sub": f"arn:{'${AWS::Partition}'}:ecs:{'${AWS::Region}:${AWS::AccountId}'}:cluster/batch"},
        "Subnets": "subnet-0a1b2c3d,subnet-1a1b2c3d",
        "SecurityGroups": {"Fn::GetAtt": ["SecurityGroup", "GroupId"]},
        "PublicIp": "DISABLED",
        "Spot": "true",
        "Exec": "true",
        "Cpu": "1024",
        "Memory": "2048",
        "StopTimeout": "120",
        "KmsKey": KEY_ID,
    }


@pytest.mark.parametrize(
    ("deploy", "parameters", "cluster", "subnets", "groups"),
    [
        pytest.param(PLAIN, {"Subnets", "SecurityGroups"}, FN_CLUSTER, SUBNETS, GROUPS, id="shared"),
        pytest.param(
            {"subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"], "cluster": ARN},
            set(),
            ARN,
            "subnet-0a1b2c3d",
            "sg-0a1b2c3d",
            id="own",
        ),
        pytest.param(
            {"vpc": "vpc-0a1b2c3d", "subnets": ["subnet-0a1b2c3d"]},
            set(),
            FN_CLUSTER,
            "subnet-0a1b2c3d",
            {"Fn::GetAtt": ["SecurityGroup", "GroupId"]},
            id="own VPC",
        ),
    ],
)
def test_the_network(deploy: dict[str, Any], parameters: set[str], cluster: Any, subnets: Any, groups: Any) -> None:
    template = understood(rendered(deploy))
    assert set(template["Parameters"]) == {"Image", "Source", "Base", "Bucket", *parameters}
    run = template["Resources"]["Machine"]["Properties"]["Definition"]["States"]["Run"]["Parameters"]
    lists = {"Subnets": {"Fn::Split": [",", subnets]}, "SecurityGroups": {"Fn::Split": [",", groups]}}
    network = {**lists, "AssignPublicIp": "ENABLED"}
    assert (run["Cluster"], run["NetworkConfiguration"]) == (cluster, {"AwsvpcConfiguration": network})


def test_a_template_is_read_once_for_all_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not how long it takes: how often jinja2 compiles."""
    root = made(tmp_path, {})
    compiled: list[str] = []
    before = Environment.compile

    def counted(self: Environment, source: Any, name: str, *more: Any, **named: Any) -> Any:
        compiled.append(name)
        return before(self, source, name, *more, **named)

    monkeypatch.setattr(Environment, "compile", counted)
    loaded = Project.model_validate({"commands": [{"command": "a"}]})
    texts = {
        templates.render_task_template(root, name, loaded, f"handoff-dev-{name}", "dev") for name in ("a", "b", "c")
    }
    assert (len(texts), compiled) == (
        3,
        ["task.yml.j2", "state_machine.asl.json.j2", "alerts.yml.j2", "alert_machine.asl.json.j2"],
    )


def test_check_knows_how_long_our_own_policies_are_at_least() -> None:
    role = understood(rendered({}, "a", "b"))["Resources"]["TaskRole"]["Properties"]
    assert 0 <= inline_characters(role["Policies"]) - OWN_INLINE < 100
