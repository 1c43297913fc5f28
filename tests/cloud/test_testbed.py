"""The testbed itself: that what plays AWS here does what the tests of the kit take for granted."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import tarfile
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from doubles.containers import LABEL, Engine
from doubles.ecr import DOMAIN, login
from doubles.moto_bucket import REGION
from doubles.runtime_project import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doubles.account import Account, Fired
    from doubles.localstack import AwsAccount

pytestmark = pytest.mark.takes(120)


def deploy(
    aws_account: AwsAccount, stack: str, resources: dict[str, Any], outputs: dict[str, Any], kind: str = "CREATE"
) -> Any:
    """A stack made by a change set, or changed by one; how it ended, and its outputs."""
    cloudformation = aws_account.boto("cloudformation")
    wrapped = {name: {"Value": value} for name, value in outputs.items()}
    body = json.dumps({"Resources": resources, **({"Outputs": wrapped} if wrapped else {})})
    name = f"handoff-{uuid.uuid4().hex[:8]}"
    made = {"StackName": stack, "ChangeSetName": name, "ChangeSetType": kind, "TemplateBody": body}
    cloudformation.create_change_set(**made, Tags=[{"Key": "handoff:project", "Value": "sample"}])
    cloudformation.get_waiter("change_set_create_complete").wait(
        StackName=stack, ChangeSetName=name, WaiterConfig={"Delay": 0.2}
    )
    cloudformation.execute_change_set(StackName=stack, ChangeSetName=name)
    while True:
        said = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        if not said["StackStatus"].endswith("_IN_PROGRESS"):
            return said["StackStatus"], {each["OutputKey"]: each["OutputValue"] for each in said.get("Outputs", ())}


LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 50},
                "action": {"type": "expire"},
            }
        ]
    }
)
EVERYTHING = (("ecr:*", "*"), ("logs:*", "*"))
CONTAINER = {"Name": "handoff", "Image": "busybox", "Essential": True}
FAMILY: dict[str, Any] = {
    "Type": "AWS::ECS::TaskDefinition",
    "Properties": {
        "Family": "sample",
        "RequiresCompatibilities": ["FARGATE"],
        "NetworkMode": "awsvpc",
        "ExecutionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "Cpu": "256",
        "Memory": "512",
        "ContainerDefinitions": [
            {
                **CONTAINER,
                "StopTimeout": 30,
                "LogConfiguration": {
                    "LogDriver": "awslogs",
                    "Options": {"awslogs-group": "G", "max-buffer-size": "25m"},
                },
            }
        ],
    },
}


def test_tenants_do_not_meet(aws_account: AwsAccount) -> None:
    aws_account.boto("sqs").create_queue(QueueName="one")
    assert aws_account.boto("sts").get_caller_identity()["Account"] == aws_account.account


def test_cloudformation_makes_changes_and_deletes_what_ecs_and_ecr_have(aws_account: AwsAccount) -> None:
    resources = {
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "one"}},
        "Providers": {
            "Type": "AWS::ECS::ClusterCapacityProviderAssociations",
            "Properties": {
                "Cluster": {"Ref": "Cluster"},
                "CapacityProviders": ["FARGATE", "FARGATE_SPOT"],
                "DefaultCapacityProviderStrategy": [],
            },
        },
        "Repository": {
            "Type": "AWS::ECR::Repository",
            "Properties": {
                "RepositoryName": "one",
                "ImageTagMutability": "IMMUTABLE",
                "LifecyclePolicy": {"LifecyclePolicyText": LIFECYCLE},
            },
        },
        "Family": FAMILY,
    }
    outputs = {
        "Cluster": {"Ref": "Cluster"},
        "Arn": {"Fn::GetAtt": ["Cluster", "Arn"]},
        "Uri": {"Fn::GetAtt": ["Repository", "RepositoryUri"]},
        "Family": {"Ref": "Family"},
    }
    made = deploy(aws_account, "sample", resources, outputs)
    arn = f"arn:aws:ecs:eu-central-1:{aws_account.account}"
    said = {
        "Cluster": "one",
        "Arn": f"{arn}:cluster/one",
        "Uri": f"{aws_account.account}.dkr.ecr.eu-central-1.amazonaws.com/one",
        "Family": f"{arn}:task-definition/sample:1",
    }
    assert made == ("CREATE_COMPLETE", said)
    ecs, ecr = aws_account.boto("ecs"), aws_account.boto("ecr")
    (cluster,) = ecs.describe_clusters(clusters=["one"])["clusters"]
    assert cluster["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"] == [
        {"Key": "handoff:project", "Value": "sample"}
    ]
    definition = ecs.describe_task_definition(taskDefinition="sample")["taskDefinition"]
    container = definition["containerDefinitions"][0]
    assert (container["stopTimeout"], container["logConfiguration"]["options"]["max-buffer-size"]) == (30, "25m")
    assert "memory" not in container

    changed = json.loads(json.dumps(FAMILY))
    changed["Properties"]["Memory"] = "1024"
    said["Family"] = f"{arn}:task-definition/sample:2"
    assert deploy(aws_account, "sample", {**resources, "Family": changed}, outputs, "UPDATE") == (
        "UPDATE_COMPLETE",
        said,
    )
    assert ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"] == [said["Family"]]

    aws_account.boto("cloudformation").delete_stack(StackName="sample")
    aws_account.boto("cloudformation").get_waiter("stack_delete_complete").wait(
        StackName="sample", WaiterConfig={"Delay": 0.2}
    )
    assert ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"] == []
    assert ecr.describe_repositories()["repositories"] == []
    assert ecs.describe_clusters(clusters=["one"])["clusters"][0]["status"] == "INACTIVE"


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        pytest.param(
            {**FAMILY, "Properties": {**FAMILY["Properties"], "Memory": "8192"}},
            "No Fargate configuration exists for given values.",
            id="a size that does not exist",
        ),
        pytest.param({"Type": "AWS::Unknown::Type", "Properties": {}}, "not supported", id="a type nobody knows"),
    ],
)
def test_what_is_refused_fails_the_stack_with_its_reason(aws_account: AwsAccount, resource: Any, reason: str) -> None:
    status, _ = deploy(aws_account, "sample", {"One": resource}, {})
    events = aws_account.boto("cloudformation").describe_stack_events(StackName="sample")["StackEvents"]
    failed = [
        each["ResourceStatusReason"]
        for each in events
        if (each["LogicalResourceId"], each["ResourceStatus"]) == ("One", "CREATE_FAILED")
    ]
    assert status in {"ROLLBACK_COMPLETE", "CREATE_FAILED"}
    assert reason in failed[-1]


def parameter(value: str, name: str = "one") -> dict[str, Any]:
    """A resource that is cheap."""
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": value}}


NO_SIZE = {**FAMILY, "Properties": {**FAMILY["Properties"], "Memory": "8192"}, "DependsOn": "One"}


def there(aws_account: AwsAccount) -> dict[str, str]:
    """The parameters that are there."""
    ssm = aws_account.boto("ssm")
    found = [each["Name"] for each in ssm.describe_parameters()["Parameters"]]
    return {name: ssm.get_parameter(Name=name)["Parameter"]["Value"] for name in found}


def test_a_stack_that_cannot_be_made_leaves_nothing_but_what_is_retained(aws_account: AwsAccount) -> None:
    kept = {**parameter("2", "two"), "DeletionPolicy": "Retain", "DependsOn": "One"}
    status, _ = deploy(aws_account, "sample", {"One": parameter("1"), "Two": kept, "Bad": NO_SIZE}, {})
    assert (status, set(there(aws_account)) - {"two"}) == ("ROLLBACK_COMPLETE", set())
    aws_account.boto("cloudformation").delete_stack(StackName="sample")
    assert deploy(aws_account, "sample", {"One": parameter("1")}, {})[0] == "CREATE_COMPLETE"


def test_a_stack_that_cannot_be_changed_is_as_it_was_and_can_be_changed_again(aws_account: AwsAccount) -> None:
    deploy(aws_account, "sample", {"One": parameter("1")}, {"One": {"Ref": "One"}})
    resources = {"One": parameter("2"), "New": parameter("n", "new"), "Bad": NO_SIZE}
    status, outputs = deploy(aws_account, "sample", resources, {}, "UPDATE")
    assert (status, outputs, there(aws_account)) == ("UPDATE_ROLLBACK_COMPLETE", {"One": "one"}, {"one": "1"})
    del resources["Bad"]
    assert deploy(aws_account, "sample", resources, {}, "UPDATE")[0] == "UPDATE_COMPLETE"
    assert there(aws_account) == {"one": "2", "new": "n"}


def test_a_bucket_with_something_in_it_keeps_its_stack(aws_account: AwsAccount) -> None:
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}
    deploy(aws_account, "sample", {"One": parameter("1"), "Bucket": bucket}, {})
    aws_account.boto("s3").put_object(Bucket=name, Key="one", Body=b"1")
    cloudformation = aws_account.boto("cloudformation")
    cloudformation.delete_stack(StackName="sample")
    until(lambda: cloudformation.describe_stacks(StackName="sample")["Stacks"][0]["StackStatus"] == "DELETE_FAILED")
    aws_account.boto("s3").delete_object(Bucket=name, Key="one")
    cloudformation.delete_stack(StackName="sample")
    until(
        lambda: (
            not cloudformation.list_stacks(StackStatusFilter=["DELETE_FAILED", "DELETE_IN_PROGRESS"])["StackSummaries"]
        )
    )
    assert (there(aws_account), aws_account.boto("s3").list_buckets()["Buckets"]) == ({}, [])


# ECR


def test_docker_logs_in_pushes_and_pulls_by_the_name_of_ecr(account: Account, tiny: str) -> None:
    ecr = account.boto("ecr")
    uri = ecr.create_repository(repositoryName="one", imageTagMutability="IMMUTABLE")["repository"]["repositoryUri"]
    docker = Engine("docker", {**account.docker.env, "DOCKER_CONFIG": str(account.docker_config)})
    docker.tell("tag", tiny, f"{uri}:a")
    refused = docker.run("push", f"{uri}:a")
    assert refused.exit == 1
    assert "no basic auth credentials" in refused.stderr

    token = base64.b64decode(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]).decode()
    user, _, password = token.partition(":")
    host = uri.partition("/")[0]
    wrong = docker.run("login", "--username", user, "--password-stdin", host, given=b"wrong")
    assert (wrong.exit, "401 Unauthorized" in wrong.stderr) == (1, True), wrong
    said = docker.run("login", "--username", user, "--password-stdin", host, given=password.encode())
    assert (said.exit, "Login Succeeded" in said.stdout) == (0, True), said
    docker.tell("push", f"{uri}:a")
    digest = docker.inspect(f"{uri}:a")["RepoDigests"][-1].partition("@")[2]
    assert account.images("one") == {"a": digest}
    (result,) = ecr.describe_images(repositoryName="one")["imageDetails"]
    assert 500_000 < result["imageSizeInBytes"] < docker.size(tiny)

    docker.tell("rmi", f"{uri}:a")
    docker.tell("pull", f"{uri}@{digest}")
    assert ecr.batch_delete_image(repositoryName="one", imageIds=[{"imageDigest": digest}])["failures"] == []
    assert account.images("one") == {}
    gone = docker.run("pull", f"{uri}:a")
    assert (gone.exit, "not found" in gone.stderr) == (1, True), gone


@pytest.mark.parametrize(
    ("repository", "tag", "words"),
    [
        pytest.param("other", "a", "name unknown: The repository with name 'other' does not exist", id="no repository"),
        pytest.param("one", "a", "tag invalid: The image tag 'a' already exists", id="immutable tag"),
    ],
)
def test_a_push_is_refused_as_ecr_does(account: Account, tiny: str, repository: str, tag: str, words: str) -> None:
    uri = pushed(account, tiny, "one", "a").partition("@")[0].rpartition("/")[0]
    account.docker.run("build", "--tag", f"{uri}/{repository}:{tag}", "-", given=f"FROM {tiny}\nLABEL n={tag}".encode())
    refused = account.docker.run("push", f"{uri}/{repository}:{tag}", env=account.environ)
    assert (refused.exit, words in refused.stderr) == (1, True), refused


def test_a_push_that_is_cut_off_is_taken_up_by_docker(account: Account, tiny: str) -> None:
    account.registry.cut_pushes(account.number, 1)
    assert pushed(account, tiny, "one", "a")


def test_an_image_can_be_pushed_by_half(account: Account, tiny: str) -> None:
    account.registry.deny_manifests(account.number)
    with pytest.raises(AssertionError, match="the test says so"):
        pushed(account, tiny, "one", "a")
    assert account.images("one") == {}
    assert pushed(account, tiny, "one", "a", made=True)


# Fargate


def test_a_task_runs_its_image(account: Account, tiny: str) -> None:
    network = deployed(account, pushed(account, tiny, "one", "a"), 'echo "$ONE $TWO"; echo to-stderr >&2; exit 3')
    overrides = {"containerOverrides": [{"name": "handoff", "environment": [{"name": "TWO", "value": "2"}]}]}
    said = account.boto("ecs").run_task(
        **network, overrides=overrides, startedBy="a test", propagateTags="TASK_DEFINITION"
    )
    (task,), number = said["tasks"], said["tasks"][0]["taskArn"].rpartition("/")[2]
    assert (task["lastStatus"], task["desiredStatus"], said["failures"]) == ("PROVISIONING", "RUNNING", [])
    account.wait_for(task["taskArn"])
    ecs = account.boto("ecs")
    (ended,) = ecs.describe_tasks(cluster="one", tasks=[task["taskArn"]], include=["TAGS"])["tasks"]
    (container,) = ended["containers"]
    assert (ended["stopCode"], ended["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert (container["exitCode"], ended["lastStatus"], ended["startedBy"]) == (3, "STOPPED", "a test")
    assert ended["createdAt"] < ended["pullStartedAt"] < ended["startedAt"] < ended["stoppedAt"]
    assert ended["tags"] == [{"key": "handoff:project", "value": "sample"}]
    assert sorted(account.log("sample", number)) == ["1 2", "to-stderr"]  # two pipes, read in any order
    assert ecs.list_tasks(cluster="one")["taskArns"] == []
    assert ecs.list_tasks(cluster="one", desiredStatus="STOPPED", family="sample")["taskArns"] == [task["taskArn"]]


@pytest.mark.parametrize(
    ("script", "more", "exit_", "reason"),
    [
        pytest.param("a=xxxxxxxx; while :; do a=$a$a; done", {}, 137, "OutOfMemoryError: Container killed due to memory usage", id="out of memory"),
        pytest.param("echo no >/there", {"ReadonlyRootFilesystem": True}, 2, None, id="read-only root"),
        pytest.param("echo yes >/declared/file", {"ReadonlyRootFilesystem": True, "User": "1000"}, 0, None, id="declared volume is the image's"),
        pytest.param("echo no >/made/file", {"ReadonlyRootFilesystem": True, "User": "1000"}, 2, None, id="other volume is root's"),
        pytest.param("echo yes >/made/file", {"ReadonlyRootFilesystem": True}, 0, None, id="and root may write there"),
        pytest.param('test "$$" != 1', {"LinuxParameters": {"InitProcessEnabled": True}}, 0, None, id="an init"),
    ],
)  # fmt: skip
def test_a_task_is_confined_as_its_definition_says(
    account: Account, tiny: str, script: str, more: dict[str, Any], exit_: int, reason: str | None
) -> None:
    network = deployed(account, tiny, script, **more)
    (task,) = account.boto("ecs").run_task(**network)["tasks"]
    (container,) = account.wait_for(task["taskArn"])["containers"]
    assert (container["exitCode"], container.get("reason")) == (exit_, reason)


@pytest.mark.parametrize(
    ("stop", "code", "reason"),
    [
        pytest.param(lambda account, arn: account.boto("ecs").stop_task(cluster="one", task=arn, reason="enough"), "UserInitiated", "enough", id="by a user"),
        pytest.param(lambda account, arn: account.fargate.interrupt(arn), "SpotInterruption", "Your Spot Task was interrupted.", id="by spot"),
    ],
)  # fmt: skip
def test_a_task_is_stopped(account: Account, tiny: str, stop: Any, code: str, reason: str) -> None:
    network = deployed(account, tiny, "trap 'echo told; exit 143' TERM; echo up; while :; do sleep 0.1; done")
    (task,) = account.boto("ecs").run_task(**network)["tasks"]
    number = task["taskArn"].rpartition("/")[2]
    until(lambda: account.log("sample", number) == ["up"], "the first line")
    stop(account, task["taskArn"])
    said = account.wait_for(task["taskArn"])
    assert (said["stopCode"], said["stoppedReason"], said["containers"][0]["exitCode"]) == (code, reason, 143)
    assert account.log("sample", number) == ["up", "told"]


def test_a_task_that_never_leaves_pending_can_be_stopped(account: Account, tiny: str) -> None:
    network = deployed(account, tiny, "true")
    account.faults.hang()
    (task,) = account.boto("ecs").run_task(**network)["tasks"]
    account.wait_for(task["taskArn"], "PENDING")
    account.boto("ecs").stop_task(cluster="one", task=task["taskArn"])
    said = account.wait_for(task["taskArn"])
    assert (said["stopCode"], said["stoppedReason"]) == ("UserInitiated", "Task stopped by user")
    assert "exitCode" not in said["containers"][0]


@pytest.mark.parametrize(
    ("image", "fault", "reason"),
    [
        pytest.param("ECR/one@sha256:" + "0" * 64, "", "CannotPullContainerError: .*", id="an image that is not there"),
        pytest.param(None, "ResourceInitializationError: x", "ResourceInitializationError: x", id="as a test says"),
        pytest.param(None, "G", "ResourceInitializationError: .*log group does not exist.*", id="no log group"),
    ],
)
def test_a_start_fails(account: Account, tiny: str, image: str | None, fault: str, reason: str) -> None:
    host = pushed(account, tiny, "one", "a").partition("/")[0]
    network = deployed(account, image.replace("ECR", host) if image else tiny, "true")
    if fault == "G":
        account.boto("logs").delete_log_group(logGroupName="/handoff/sample")
    elif fault:
        account.faults.fail_start(fault)
    (task,) = account.boto("ecs").run_task(**network)["tasks"]
    said = account.wait_for(task["taskArn"])
    assert said["stopCode"] == "TaskFailedToStart"
    assert re.fullmatch(reason, said["stoppedReason"]), said["stoppedReason"]
    assert "exitCode" not in said["containers"][0]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({"cluster": "no"}, "ClusterNotFoundException", id="cluster"),
        pytest.param({"taskDefinition": "no"}, "TaskDefinition not found.", id="task definition"),
        pytest.param({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0"]}}}, "InvalidSubnetID.NotFound", id="subnet"),
        pytest.param({"overrides": {"containerOverrides": [{"name": "no"}]}}, "Override for container named no is not", id="container"),
        pytest.param({"overrides": {"containerOverrides": [{"name": "handoff", "command": ["x" * 8192]}]}}, "at most 8192", id="overrides"),
        pytest.param({"overrides": {"cpu": "256", "memory": "8192"}}, "No Fargate configuration exists for given values.", id="size"),
        pytest.param({"overrides": {"taskRoleArn": "arn:aws:iam::1:role/no"}}, "ECS was unable to assume the role", id="role"),
        pytest.param({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}, "not associated with the cluster", id="provider"),
    ],
)  # fmt: skip
def test_run_task_refuses_what_ecs_would(account: Account, tiny: str, changed: dict[str, Any], words: str) -> None:
    network = {**deployed(account, tiny, "true"), **changed}
    if "capacityProviderStrategy" in changed:
        del network["launchType"]
    with pytest.raises(ClientError, match=re.escape(words)):
        account.boto("ecs").run_task(**network)


def test_run_task_lacks_capacity_or_is_throttled_when_a_test_says_so(account: Account, tiny: str) -> None:
    network = deployed(account, tiny, "true")
    account.faults.lack_capacity()
    said = account.boto("ecs").run_task(**network)
    assert (said["tasks"], [each["reason"][:23] for each in said["failures"]]) == ([], ["Capacity is unavailable"])
    account.faults.refuse("InvalidParameterException", "Rate exceeded")
    with pytest.raises(ClientError, match="Rate exceeded"):
        account.boto("ecs").run_task(**network)
    assert account.boto("ecs").run_task(**network)["failures"] == []
    missing = account.boto("ecs").describe_tasks(cluster="one", tasks=["0" * 32])["failures"]
    assert [each["reason"] for each in missing] == ["MISSING"]


@pytest.mark.parametrize(
    ("allowed", "reason"),
    [
        pytest.param((("ecr:*", "*"),), "ResourceInitializationError: .*logs:CreateLogStream.*", id="log"),
        pytest.param((("logs:*", "*"),), "ResourceInitializationError: .*ecr:GetAuthorizationToken.*", id="login"),
        pytest.param((("logs:*", "*"), ("ecr:*", "arn:aws:ecr:*:*:repository/other"), ("ecr:GetAuthorizationToken", "*")), "CannotPullContainerError: .*ecr:BatchGetImage.*", id="pull"),
    ],
)  # fmt: skip
def test_a_task_starts_by_what_its_execution_role_may(
    account: Account, tiny: str, allowed: tuple[tuple[str, str], ...], reason: str
) -> None:
    network = deployed(account, pushed(account, tiny, "one", "a"), "true", allowed)
    (task,) = account.boto("ecs").run_task(**network)["tasks"]
    said = account.wait_for(task["taskArn"])
    assert (said["stopCode"], re.fullmatch(reason, said["stoppedReason"]) is not None) == ("TaskFailedToStart", True), (
        said
    )


def test_a_container_does_what_its_role_may(account: Account, tiny: str) -> None:
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    own = account.boto("s3")
    own.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("mine/a", "other/a"):
        own.put_object(Bucket=bucket, Key=key, Body=b"1")
    for name in ("mine", "other"):
        account.boto("ssm").put_parameter(Name=name, Value="1", Type="String")
    allowed = (
        ("s3:GetObject", f"arn:aws:s3:::{bucket}/mine/*"),
        ("s3:PutObject", f"arn:aws:s3:::{bucket}/mine/b"),
        ("ssm:GetParameter", f"arn:aws:ssm:{REGION}:{account.number}:parameter/mine"),
    )
    network = deployed(account, tiny, "sleep 60 & wait", (*EVERYTHING, *allowed), StopTimeout=2)
    account.boto("ecs").run_task(**network)
    s3, ssm = in_container(account, "s3"), in_container(account, "ssm")
    assert in_container(account, "sts").get_caller_identity()["Account"] == account.number
    assert s3.get_object(Bucket=bucket, Key="mine/a")["Body"].read() == b"1"
    s3.put_object(Bucket=bucket, Key="mine/b", Body=b"22")
    assert s3.head_object(Bucket=bucket, Key="mine/b")["ContentLength"] == 2
    assert ssm.get_parameter(Name="mine")["Parameter"]["Value"] == "1"
    beyond: tuple[Callable[[], Any], ...] = (
        lambda: s3.get_object(Bucket=bucket, Key="other/a"),
        lambda: s3.put_object(Bucket=bucket, Key="mine/a", Body=b""),
        lambda: s3.delete_object(Bucket=bucket, Key="mine/b"),
        lambda: s3.list_objects_v2(Bucket=bucket, Prefix="mine/"),
        lambda: s3.get_object(Bucket=bucket, Key="mine/none"),  # whether it is there is told to whom may list
        lambda: ssm.get_parameter(Name="other"),
    )
    for refused in beyond:
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()


# Step Functions


def test_a_state_machine_runs_a_task_and_gets_what_became_of_it(account: Account, tiny: str) -> None:
    fired = machine(account, deployed(account, tiny, "exit 0"))
    assert (fired.status, fired.output["Containers"][0]["ExitCode"]) == ("SUCCEEDED", 0)
    assert (fired.output["LastStatus"], fired.output["StartedBy"]) == ("STOPPED", "AWS Step Functions")


@pytest.mark.parametrize(
    ("script", "fault", "error", "cause"),
    [
        pytest.param("exit 3", None, "States.TaskFailed", ("EssentialContainerExited", 3), id="exit code"),
        pytest.param(
            "", "CannotPullContainerError: x", "States.TaskFailed", ("TaskFailedToStart", None), id="no start"
        ),
    ],
)
def test_a_state_fails_with_its_task(
    account: Account, tiny: str, script: str, fault: str | None, error: str, cause: Any
) -> None:
    network = deployed(account, tiny, script)
    if fault:
        account.faults.fail_start(fault)
    fired = machine(account, network)
    result = (fired.cause["StopCode"], fired.cause["Containers"][0].get("ExitCode"))
    assert (fired.status, fired.error, result) == ("FAILED", error, cause)


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        pytest.param(lambda faults: faults.lack_capacity(), "AmazonECS.Unknown", "Capacity is unavailable", id="no capacity"),
        pytest.param(lambda faults: faults.refuse("ThrottlingException", "Rate exceeded"), "ECS.AmazonECSException", "Rate exceeded", id="throttled"),
        pytest.param(lambda faults: faults.refuse("ClientException", "no"), "ECS.ClientException", "no", id="refused"),
    ],
)  # fmt: skip
def test_a_state_fails_by_the_name_that_aws_gives(
    account: Account, tiny: str, fault: Any, error: str, words: str
) -> None:
    network = deployed(account, tiny, "true")
    fault(account.faults)
    fired = machine(account, network)
    assert (fired.status, fired.error, words in json.dumps(fired.cause)) == ("FAILED", error, True)


def test_an_execution_that_is_stopped_stops_its_task(account: Account, tiny: str) -> None:
    network = deployed(account, tiny, "sleep 60 & wait", StopTimeout=2)
    execution = start(account, network)
    task = account.running()
    account.boto("stepfunctions").stop_execution(executionArn=execution)
    assert account.wait_for(task["taskArn"])["stopCode"] == "UserInitiated"


# EventBridge Scheduler


def test_a_schedule_is_fired_by_hand(account: Account, tiny: str) -> None:
    network = deployed(account, tiny, 'echo "$DATA"')
    role = new_role(account, "scheduler", [("states:StartExecution", "*")])
    arn = new_machine(account, network, {"Name": "DATA", "Value.$": "States.JsonToString($.data)"})
    given = json.dumps({"data": {"scheduled_at": "<aws.scheduler.scheduled-time>"}})
    account.boto("scheduler").create_schedule(
        Name="daily",
        ScheduleExpression="cron(0 1 * * ? *)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": role, "Input": given},
    )
    assert account.fire("daily", at=datetime(2026, 3, 1, 1, tzinfo=timezone.utc)).status == "SUCCEEDED"
    assert account.log("sample") == ['{"scheduled_at":"2026-03-01T01:00:00Z"}']


# what the tests are made of


@pytest.fixture(scope="session")
def tiny(docker: Engine) -> Iterator[str]:
    """An image of a shell and little else, with a volume that somebody else may write to."""
    name = f"handoff-tiny:{uuid.uuid4().hex[:8]}"
    changes = ["VOLUME /declared", f"LABEL {LABEL}=tiny", "ENV PATH=/bin", "ENV ONE=1"]
    words = [word for change in changes for word in ("--change", change)]
    said = docker.run("import", *words, "-", name, given=_root("/bin/sh", "/bin/sleep"))
    assert said.exit == 0, said
    yield name
    docker.run("rmi", "--force", name)


def _root(*programs: str) -> bytes:
    """Programs of this machine and what they are linked to, and directories."""
    said = [subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout for program in programs]
    linked = {found for text in said for found in re.findall(r"(/\S+) \(0x", text)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted({*programs, *linked}):
            archive.add(Path(path).resolve(), path.lstrip("/"))
        for name, owner in (("declared", 1000), ("tmp", 0)):
            made = tarfile.TarInfo(name)
            made.type, made.mode, made.uid = tarfile.DIRTYPE, 0o755, owner
            archive.addfile(made)
    return buffer.getvalue()


def pushed(account: Account, image: str, repository: str, tag: str, *, made: bool = False) -> str:
    """An image in a repository of the account; its name by digest."""
    ecr = account.boto("ecr")
    if not made:
        ecr.create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")
    uri = f"{account.number}.{DOMAIN}/{repository}"
    login(account.docker_config, account.registry, account.number)
    docker = Engine("docker", {**account.docker.env, "DOCKER_CONFIG": str(account.docker_config)})
    docker.tell("tag", image, f"{uri}:{tag}")
    docker.tell("push", f"{uri}:{tag}")
    return f"{uri}@{account.images(repository)[tag]}"


def may_do(*allowed: tuple[str, str]) -> dict[str, Any]:
    """A role of tasks."""
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
    policy = {"PolicyName": "one", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document, "Policies": [policy]}}


def deployed(
    account: Account, image: str, script: str, permissions: tuple[tuple[str, str], ...] = (), **container: Any
) -> dict[str, Any]:
    """A cluster, a network and a family whose container runs a shell script; what RunTask asks for."""
    options = {"awslogs-group": "/handoff/sample", "awslogs-region": REGION, "awslogs-stream-prefix": "run"}
    definition = {
        **CONTAINER,
        "Image": image,
        "Command": ["/bin/sh", "-c", script],
        "MountPoints": [{"ContainerPath": path, "SourceVolume": path[1:]} for path in ("/declared", "/made")],
        "LogConfiguration": {"LogDriver": "awslogs", "Options": options},
        **container,
    }
    volumes = [{"Name": "declared"}, {"Name": "made"}]
    role = {"Fn::GetAtt": ["Role", "Arn"]}
    roles = {"ExecutionRoleArn": role, "TaskRoleArn": role}
    family = {**FAMILY["Properties"], **roles, "ContainerDefinitions": [definition], "Volumes": volumes}
    resources = {
        "Role": may_do(*(permissions or EVERYTHING)),
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "one"}},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/handoff/sample"}},
        "Family": {**FAMILY, "Properties": family},
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"}},
    }
    status, outputs = deploy(account.aws_account, "sample", resources, {"Subnet": {"Ref": "Subnet"}})
    assert status == "CREATE_COMPLETE"
    network = {"awsvpcConfiguration": {"subnets": [outputs["Subnet"]], "assignPublicIp": "ENABLED"}}
    return {"cluster": "one", "taskDefinition": "sample", "launchType": "FARGATE", "networkConfiguration": network}


def in_container(account: Account, service: str) -> Any:
    """A client as the one task's container has it; like ours, it expects buckets to be of the account."""
    task = account.running()
    given = account.fargate.credentials(task["taskArn"].rpartition("/")[2])
    assert account.fargate.life.iam_proxy
    made = boto3.client(
        service,
        endpoint_url=account.fargate.life.iam_proxy.url,
        region_name=REGION,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
    )
    owner = {"ExpectedBucketOwner": account.number}
    made.meta.events.register("provide-client-params.s3", lambda params, **_: {**params, **owner})
    account.aws_account.botos[f"{service} of a task"] = made  # closed with the others
    return made


def new_role(account: Account, service: str, allowed: list[tuple[str, str]]) -> str:
    """A role of a service."""
    iam, name = account.boto("iam"), f"role-{uuid.uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="one", PolicyDocument=policy)
    return str(arn)


def new_machine(account: Account, asked: dict[str, Any], *environment: dict[str, str]) -> str:
    """A state machine of one task, that runs it and waits."""
    capital = {key[:1].upper() + key[1:]: value for key, value in asked.items() if key != "networkConfiguration"}
    vpc = asked["networkConfiguration"]["awsvpcConfiguration"]
    network = {"AwsvpcConfiguration": {"Subnets": vpc["subnets"], "AssignPublicIp": vpc["assignPublicIp"]}}
    overrides = {"ContainerOverrides": [{"Name": "handoff", "Environment": list(environment)}]}
    parameters = {**capital, "NetworkConfiguration": network, "Overrides": overrides}
    state = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": parameters, "End": True}
    definition = json.dumps({"StartAt": "Run", "States": {"Run": state}})
    role = new_role(account, "states", [("ecs:RunTask", "*")])
    made = account.boto("stepfunctions").create_state_machine(name="one", definition=definition, roleArn=role)
    return str(made["stateMachineArn"])


def start(account: Account, asked: dict[str, Any]) -> str:
    """Start it."""
    arn = new_machine(account, asked)
    return str(account.boto("stepfunctions").start_execution(stateMachineArn=arn, input="{}")["executionArn"])


def machine(account: Account, asked: dict[str, Any]) -> Fired:
    """Start it and wait for its end."""
    return account.ended(start(account, asked))
