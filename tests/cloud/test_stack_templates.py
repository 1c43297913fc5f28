"""Our templates, made into stacks by LocalStack: that they can be made, what is there then, and that it goes again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from doubles.moto_bucket import REGION

from handoff_kit import resource_names
from handoff_kit.apply import ApplyOptions
from handoff_kit.aws.cloudformation.deploy_stack import deploy_stack
from handoff_kit.aws.target import Target
from handoff_kit.deploy import templates
from handoff_kit.deploy.destroy import destroy_project
from handoff_kit.deploy.destroy_shared import destroy_shared, shared_target
from handoff_kit.project.model import Project
from handoff_kit.steps import DeployStack
from handoff_runtime.aws import session as connections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubles.checkout import Checkout
    from doubles.localstack import AwsAccount

    from handoff_runtime.aws.session import Session

pytestmark = pytest.mark.takes(30)


STACK = "handoff-prod-rates"
IMAGE = f"{{account}}.dkr.ecr.{REGION}.amazonaws.com/{STACK}@sha256:{'0' * 64}"


@pytest.fixture
def session(aws_account: AwsAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """Ours, for an account nobody uses."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws_account.environ.items():
        monkeypatch.setenv(name, value)
    made = connections.connect(os.environ, lambda _: None)
    yield made
    made.close()


def deploy(checkout: Checkout, session: Session, name: str, text: str, **parameters: str) -> bool:
    """A stack as it is deployed; whether anything changed."""
    ours = {"handoff:project": "rates"} if name != "handoff-prod" else {}
    file = checkout.root / f"{name}.yml"
    tags = {**ours, "handoff:environment": "prod"}
    step = DeployStack(name, file, text, parameters, tags, "invoke deploy", parameters.get("Bucket", ""))
    return deploy_stack(step, session, dry=False, yes=True, say=lambda _: None)


def outputs(aws_account: AwsAccount, name: str) -> dict[str, str]:
    (found,) = aws_account.boto("cloudformation").describe_stacks(StackName=name)["Stacks"]
    assert found["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())}


def policy_of(aws_account: AwsAccount, role: str) -> list[dict[str, Any]]:
    found = aws_account.boto("iam").get_role_policy(RoleName=role, PolicyName="handoff")["PolicyDocument"]
    document = json.loads(found) if isinstance(found, str) else found
    return list(document["Statement"])


def checks(aws_account: AwsAccount) -> list[tuple[str, str]]:
    """The schedules in the account: their states, and the machines they start."""
    found = aws_account.boto("scheduler").list_schedules()["Schedules"]
    return [(each["State"], each["Target"]["Arn"]) for each in found]


def test_all_of_a_project_is_made_and_goes_again(checkout: Checkout, aws_account: AwsAccount, session: Session) -> None:
    checkout.project("rates", "commands: [{command: a}]\n")
    commands = {"commands": [{"command": "a"}]}
    loaded = Project.model_validate({**commands, "expect": {"success_within": "26h"}})
    account = aws_account.account
    bucket, place = resource_names.bucket("prod", account, REGION), f"{REGION}:{account}"
    whole = templates.render_shared_template(checkout.root, "prod")
    assert deploy(checkout, session, "handoff-prod", whole) is True
    assert deploy(checkout, session, "handoff-prod", whole) is False
    shared = outputs(aws_account, "handoff-prod")
    assert (shared["Bucket"], shared["AlertTopic"]) == (bucket, f"arn:aws:sns:{place}:handoff-prod")
    assert len(shared["Subnets"].split(",")) == 2
    s3 = aws_account.boto("s3")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    group = aws_account.boto("ec2").describe_security_groups(GroupIds=[shared["SecurityGroup"]])["SecurityGroups"][0]
    assert (group["IpPermissions"], group["VpcId"]) == ([], shared["Vpc"])

    assert deploy(
        checkout,
        session,
        f"{STACK}-registry",
        templates.render_registry_template(checkout.root, "rates", STACK, "prod"),
    )
    assert outputs(aws_account, f"{STACK}-registry") == {
        "Repository": STACK,
        "RepositoryUri": f"{account}.dkr.ecr.{REGION}.amazonaws.com/{STACK}",
    }

    text = templates.render_task_template(checkout.root, "rates", loaded, STACK, "prod")
    network = {"Subnets": shared["Subnets"], "SecurityGroups": shared["SecurityGroup"]}
    given = {"Image": IMAGE.format(account=account), "Source": "0123456789ab", "Bucket": bucket, **network}
    assert deploy(checkout, session, STACK, text, **given) is True
    assert deploy(checkout, session, STACK, text, **given) is False
    task = outputs(aws_account, STACK)
    assert (task["LogGroup"], task["Image"], task["Source"]) == (f"/handoff/{STACK}", given["Image"], given["Source"])
    params, listing, reading, _ = policy_of(aws_account, task["TaskRole"])
    assert params["Resource"] == f"arn:aws:ssm:{place}:parameter/{STACK}__params"
    assert (listing["Resource"], reading["Resource"]) == (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{STACK}/*")
    definition = aws_account.boto("ecs").describe_task_definition(taskDefinition=STACK)["taskDefinition"]
    (container,) = definition["containerDefinitions"]
    result = {one["name"]: one["value"] for one in container["environment"]}
    assert (result["IMAGE_DIGEST"], result["S3_BUCKET_NAME"]) == (f"sha256:{'0' * 64}", bucket)
    assert task["AlertTopic1"] == shared["AlertTopic"]

    assert checks(aws_account) == [("ENABLED", f"arn:aws:states:{place}:stateMachine:{STACK}-expect")]
    plain = templates.render_task_template(checkout.root, "rates", Project.model_validate(commands), STACK, "prod")
    assert deploy(checkout, session, STACK, plain, **given) is True
    assert checks(aws_account) == []  # once `expect` is taken out

    s3.put_object(Bucket=bucket, Key=f"{STACK}/.artifacts/state", Body=b"1")
    said: list[str] = []
    stack = Target("rates", "prod", STACK, bucket, "--project rates --environment prod", session)
    destroy_project(stack, "handoff-prod", data=False, options=ApplyOptions(said.append, yes=True))
    assert said[-2:] == [
        "verified, only this is kept:",
        f"  s3://{bucket}/{STACK}/: 1 object, 1 version, 1 bytes",
    ]
    target = shared_target(session, "prod", account)
    destroy_shared(target, data=True, options=ApplyOptions(said.append, yes=True))
    assert said[-1] == "verified, nothing is left"
    left = aws_account.boto("cloudformation").describe_stacks()["Stacks"]
    assert [one["StackName"] for one in left if one["StackStatus"] != "DELETE_COMPLETE"] == []
    assert s3.list_buckets()["Buckets"] == []
    assert shared["Vpc"] not in [one["VpcId"] for one in aws_account.boto("ec2").describe_vpcs()["Vpcs"]]
