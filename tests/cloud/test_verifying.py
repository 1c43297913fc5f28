"""Verify a deployed project, and repair each of its resources after it was deleted by hand. No image is built."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from doubles import protocols
from doubles.checkout import InvokeResult, make_checkout
from doubles.deployed_project import push_image, put_image
from doubles.fault_proxy import Proxy
from doubles.localstack import AwsAccount, new_account
from doubles.moto_bucket import REGION

from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.aws.cloudformation.dependents import dependents
from handoff_kit.aws.cloudformation.stack_resources import ResourceState, StackResource, list_resources
from handoff_kit.aws.cloudformation.template import parse_template
from handoff_kit.aws.probes import find_states
from handoff_kit.aws.reader import Reader
from handoff_kit.aws.target import Target
from handoff_kit.deploy.repair import add_repairs, find_repairs
from handoff_runtime.aws.session import Session, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubles.checkout import Checkout

pytestmark = pytest.mark.takes(90)

PROJECT = """\
commands:
  - shell: "echo hello"
deploy: {cpu: 256, memory: 512}
schedules: [{name: daily, cron: "0 6 * * *"}]
"""


Boto = Callable[[str], Any]
Every = Mapping[str, StackResource]


@dataclass
class Deployed:
    """A project in an account of LocalStack; `session` is of this process."""

    checkout: Checkout
    aws: AwsAccount
    proxy: Proxy
    session: Session

    def invoke(self, *words: str) -> InvokeResult:
        environ = {**self.aws.environ, "AWS_ENDPOINT_URL": self.proxy.url, "PATH": "/nowhere"}
        result = self.checkout.invoke(*words, "--project", "shop", env=environ)
        assert "Traceback" not in result.stderr, result.stderr
        return InvokeResult(result.exit, self.stable(result.stdout), self.stable(result.stderr))

    def states(self) -> dict[str, ResourceState]:
        """What is found of each resource, by its name."""
        reader = Reader(self.session)
        resources = [one for stack in STACKS for one in list_resources(reader, stack)]
        return {state.resource.name: state for state in find_states(reader, resources)}

    def problems(self) -> dict[str, str]:
        return {
            name: state.problem or state.unknown
            for name, state in self.states().items()
            if state.problem or state.unknown
        }

    def delete(self, *names: str) -> None:
        """Delete resources by hand, each with what must be deleted before."""
        every = {name: state.resource for name, state in self.states().items()}
        for name in names:
            DELETE[every[name].kind](self.aws.boto, every[name], every)

    def outputs(self) -> dict[str, str]:
        """Of the task stack."""
        found = self.aws.boto("cloudformation").describe_stacks(StackName="handoff-dev-shop")["Stacks"][0]
        return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}

    def template(self, stack: str) -> dict[str, Any]:
        body = self.aws.boto("cloudformation").get_template(StackName=stack)["TemplateBody"]
        return parse_template(body)

    def repair(self, *words: str) -> InvokeResult:
        result = self.invoke("deploy", "--repair", "--yes", *words)
        assert result.exit == 0, result.stderr
        return result

    def stable(self, text: str) -> str:
        text = text.replace(self.aws.account, "ACCOUNT").replace(self.proxy.url, "URL")
        text = re.sub(r"\b(subnet|sg|rtb|vpc|igw)-[0-9a-f]{17}\b", r"\1-ID", text)
        text = re.sub(r"sha256:[0-9a-f]{64}", "DIGEST", text)
        text = re.sub(r"Role-[0-9a-f]{8}\b", "Role-ID", text)
        text = re.sub(r"^\d\d:\d\d:\d\d .*\n", "", text, flags=re.MULTILINE)
        return re.sub(r"\b\d+(\.\d+)? s\b", "N s", text)


@pytest.fixture(scope="module")
def deployed(localstack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """One with schedules, which the tests of this module share."""
    aws = AwsAccount(localstack, new_account())
    checkout = make_checkout(tmp_path_factory.mktemp("verify") / "team", tmp_path_factory.getbasetemp() / "compiled")
    checkout.project("shop", PROJECT, {"files/a.csv": "1\n"})
    push_image(checkout, "shop", aws)
    with Proxy.to(localstack, aws.account) as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environ.items():
            patch.setenv(name, value)
        made = Deployed(checkout, aws, proxy, connect({"AWS_REGION": REGION}, lambda _: None))
        for task in ("deploy", "schedule"):
            done = made.invoke(task, "--yes")
            assert done.exit == 0, done.stderr
        arn = f"arn:aws:sqs:{REGION}:{aws.account}:people"
        topic = f"arn:aws:sns:{REGION}:{aws.account}:handoff-dev"
        aws.boto("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        yield made
    aws.close()


STACKS = ("handoff-dev", "handoff-dev-shop-registry", "handoff-dev-shop", "handoff-dev-shop-schedule")


def quietly(call: Callable[..., object], **request: object) -> None:
    """A deletion of what may be gone with another resource; what is left is found later."""
    with suppress(ClientError):
        call(**request)


def delete_role(boto: Boto, role: StackResource, _: Every) -> None:
    iam = boto("iam")
    for name in iam.list_role_policies(RoleName=role.id)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role.id, PolicyName=name)
    iam.delete_role(RoleName=role.id)


def delete_vpc(boto: Boto, vpc: StackResource, every: Every) -> None:
    """With everything in it."""
    boto("ec2").delete_vpc_endpoints(VpcEndpointIds=[every["S3Endpoint"].id])
    for name in ("Gateway", "Routes", "SubnetA", "SubnetB", "SecurityGroup"):
        DELETE[every[name].kind](boto, every[name], every)
    boto("ec2").delete_vpc(VpcId=vpc.id)


def delete_route(boto: Boto, _route: StackResource, every: Every) -> None:
    quietly(boto("ec2").delete_route, RouteTableId=every["Routes"].id, DestinationCidrBlock="0.0.0.0/0")


def detach_gateway(boto: Boto, attachment: StackResource, every: Every) -> None:
    """With the route through it, which would be a black hole."""
    delete_route(boto, attachment, every)
    ids = {"InternetGatewayId": every["Gateway"].id, "VpcId": every["Vpc"].id}
    quietly(boto("ec2").detach_internet_gateway, **ids)


def delete_gateway(boto: Boto, gateway: StackResource, every: Every) -> None:
    detach_gateway(boto, gateway, every)
    quietly(boto("ec2").delete_internet_gateway, InternetGatewayId=gateway.id)


def delete_association(boto: Boto, association: StackResource, _: Every) -> None:
    quietly(boto("ec2").disassociate_route_table, AssociationId=association.id)


def delete_table(boto: Boto, table: StackResource, every: Every) -> None:
    for name in ("SubnetARoutes", "SubnetBRoutes"):
        delete_association(boto, every[name], every)
    quietly(boto("ec2").delete_route_table, RouteTableId=table.id)


def delete_subnet(boto: Boto, subnet: StackResource, every: Every) -> None:
    delete_association(boto, every[f"{subnet.name}Routes"], every)
    quietly(boto("ec2").delete_subnet, SubnetId=subnet.id)


def delete_rule(boto: Boto, rule: StackResource, _: Every) -> None:
    events, name = boto("events"), rule.id.rpartition("|")[2]
    events.remove_targets(Rule=name, Ids=[one["Id"] for one in events.list_targets_by_rule(Rule=name)["Targets"]])
    events.delete_rule(Name=name)


def delete_bucket(boto: Boto, bucket: StackResource, _: Every) -> None:
    s3 = boto("s3")
    for one in s3.list_object_versions(Bucket=bucket.id).get("Versions", ()):
        s3.delete_object(Bucket=bucket.id, Key=one["Key"], VersionId=one["VersionId"])
    s3.delete_bucket(Bucket=bucket.id)


DELETE: dict[str, Callable[[Boto, StackResource, Every], object]] = {
    "AWS::CloudWatch::Alarm": lambda boto, one, _: boto("cloudwatch").delete_alarms(AlarmNames=[one.id]),
    "AWS::EC2::InternetGateway": delete_gateway,
    "AWS::EC2::Route": delete_route,
    "AWS::EC2::RouteTable": delete_table,
    "AWS::EC2::SecurityGroup": lambda boto, one, _: quietly(boto("ec2").delete_security_group, GroupId=one.id),
    "AWS::EC2::Subnet": delete_subnet,
    "AWS::EC2::SubnetRouteTableAssociation": delete_association,
    "AWS::EC2::VPC": delete_vpc,
    "AWS::EC2::VPCGatewayAttachment": detach_gateway,
    "AWS::ECR::Repository": lambda boto, one, _: boto("ecr").delete_repository(repositoryName=one.id, force=True),
    "AWS::ECS::Cluster": lambda boto, one, _: boto("ecs").delete_cluster(cluster=one.id),
    "AWS::ECS::TaskDefinition": lambda boto, one, _: boto("ecs").deregister_task_definition(taskDefinition=one.id),
    "AWS::Events::Rule": delete_rule,
    "AWS::IAM::Role": delete_role,
    "AWS::Logs::LogGroup": lambda boto, one, _: boto("logs").delete_log_group(logGroupName=one.id),
    "AWS::S3::Bucket": delete_bucket,
    "AWS::S3::BucketPolicy": lambda boto, _one, every: boto("s3").delete_bucket_policy(Bucket=every["Bucket"].id),
    "AWS::SNS::Topic": lambda boto, one, _: boto("sns").delete_topic(TopicArn=one.id),
    "AWS::SQS::Queue": lambda boto, one, _: boto("sqs").delete_queue(QueueUrl=one.id),
    "AWS::SQS::QueuePolicy": lambda boto, _one, every: quietly(
        boto("sqs").set_queue_attributes, QueueUrl=every["Missed"].id, Attributes={"Policy": ""}
    ),
    "AWS::Scheduler::Schedule": lambda boto, one, every: boto("scheduler").delete_schedule(
        Name=one.id, GroupName=every["Group"].id
    ),
    "AWS::Scheduler::ScheduleGroup": lambda boto, one, _: boto("scheduler").delete_schedule_group(Name=one.id),
    "AWS::StepFunctions::StateMachine": lambda boto, one, _: boto("stepfunctions").delete_state_machine(
        stateMachineArn=one.id
    ),
}

UNDELETABLE = {
    "AlertTopicPolicy": "a topic always has a policy; a changed one is drift",
    "S3Endpoint": "the emulator leaves its route, which proves it to `verify`: tests/unit/aws/test_network.py",
}
MOST_CALLS = 24
VERIFIED = """\
access
  OK       credentials: account ACCOUNT
  OK       region: eu-central-1
  skipped  docker or podman: found no docker and no podman on PATH, expected one that builds images
stack handoff-dev
  OK       17 resources
stack handoff-dev-shop-registry
  OK       status: CREATE_COMPLETE
  OK       Repository: AWS::ECR::Repository handoff-dev-shop
stack handoff-dev-shop
  OK       12 resources
stack handoff-dev-shop-schedule
  OK       8 resources
network
  OK       subnet subnet-ID: has a route
  OK       subnet subnet-ID: has a route
  OK       security group sg-ID: lets HTTPS out
project
  OK       files: 1 file up to date
  OK       image: handoff-dev-shop@DIGEST
  OK       params: version 1, 266 of 4,096 bytes (standard tier)
schedules
  OK       schedule daily: cron(0 6 * * ? *) UTC
alerts
  OK       subscriber arn:aws:sqs:eu-central-1:ACCOUNT:people: sqs
  OK       last message: none was sent yet
runs
  OK       last run: never ran
  skipped  quota vCPUs of Fargate: Service Quotas GetServiceQuota: answered 501 InternalFailure (The API for service \
service-quotas is either not included in your current license plan or has not yet been emulated by LocalStack.)
"""


def test_what_is_deployed_is_verified_in_few_calls(deployed: Deployed) -> None:
    """The whole tree, and the calls it takes; a resource of which no permission says anything is skipped."""
    start = len(deployed.proxy.passed)
    result = deployed.invoke("verify")
    calls = Counter(call.name for call in deployed.proxy.passed[start:])
    assert calls.pop("ec2:DescribeInternetGateways") == 1  # the emulator's route does not name its gateway
    assert (result.exit, result.stdout, result.stderr) == (
        0,
        VERIFIED,
        "shop: 51 OK, 2 skipped\nnext: invoke run --project shop\n",
    )
    assert calls.total() <= MOST_CALLS, calls
    fault = deployed.proxy.fault(
        "answer", wants=lambda call: call.name == "logs:DescribeLogGroups", refusal=protocols.denied
    )
    result = deployed.invoke("verify", "--json")
    deployed.proxy.faults.remove(fault)
    (skipped,) = [one for one in map(json.loads, result.stdout.splitlines()) if one["name"] == "LogGroup"]
    assert (result.exit, skipped) == (
        0,
        {
            "group": "stack handoff-dev-shop",
            "name": "LogGroup",
            "outcome": "skipped",
            "detail": "AWS::Logs::LogGroup /handoff/handoff-dev-shop: CloudWatch Logs DescribeLogGroups: AccessDeniedException "
            "found, the permission logs:DescribeLogGroups on * expected",
            "fix": None,
        },
    )


def test_resources_that_may_not_be_listed_are_skipped(deployed: Deployed) -> None:
    fault = deployed.proxy.fault(
        "answer", wants=lambda call: call.name == "cloudformation:ListStackResources", refusal=protocols.denied
    )
    result = deployed.invoke("verify", "--json")
    deployed.proxy.faults.remove(fault)
    found = [one for one in map(json.loads, result.stdout.splitlines()) if one["name"] == "resources"]
    assert [(one["group"], one["outcome"]) for one in found] == [(f"stack {name}", "skipped") for name in STACKS]
    assert (result.exit, found[0]["detail"]) == (
        0,
        "stack handoff-dev: AccessDenied found, the permission cloudformation:ListStackResources on "
        "arn:aws:cloudformation:eu-central-1:*:stack/handoff-dev/* expected",
    )


def test_a_repair_that_stops_between_its_change_sets_is_finished_by_any_deployment(deployed: Deployed) -> None:
    """The outputs stay as they were, so that nobody takes the project for one that is not deployed, or its bucket for another."""
    before = deployed.outputs()
    for words in (("--repair",), ()):
        deployed.delete("TaskRole")
        is_ours = lambda call: call.name == "cloudformation:CreateChangeSet" and call.about == "handoff-dev-shop"  # noqa: E731
        deployed.proxy.fault("answer", wants=is_ours, every=2, times=1, refusal=protocols.denied)
        assert deployed.invoke("deploy", "--repair", "--yes").exit == 1
        deployed.proxy.faults.clear()
        between = deployed.outputs()
        assert between == before
        assert "Machine" not in deployed.states()
        assert "  + TaskRole " in deployed.invoke("deploy", "--yes", *words).stderr
        assert deployed.problems() == {}
        before = deployed.outputs()


def test_what_is_changed_and_not_reverted_is_named_with_what_to_do(deployed: Deployed) -> None:
    """A role that lost its policy; the emulator takes the mode of a change set that reverts drift, and does nothing."""
    role = deployed.states()["MachineRole"].resource.id
    deployed.aws.boto("iam").delete_role_policy(RoleName=role, PolicyName="handoff")
    verified = deployed.invoke("verify")
    assert [line for line in verified.stdout.splitlines() if "FAILED" in line] == [
        "  FAILED   MachineRole: AWS::IAM::Role handoff-dev-shop-MachineRole-ID: its inline policies were deleted; "
        "fix: invoke deploy --repair --project shop"
    ]
    result = deployed.invoke("deploy", "--repair", "--yes")
    assert (result.exit, result.stderr.splitlines()[-2:]) == (
        1,
        [
            "error: not repaired: MachineRole (AWS::IAM::Role handoff-dev-shop-MachineRole-ID): its inline policies were deleted",
            "hint: delete handoff-dev-shop-MachineRole-ID by hand, so that it is created again, then: invoke deploy "
            "--repair --project shop",
        ],
    )
    deployed.delete("MachineRole")
    assert "  + MachineRole " in deployed.repair().stderr


def test_drift_that_cannot_be_detected_is_skipped(deployed: Deployed) -> None:
    result = deployed.invoke("verify", "--drift")
    assert result.exit == 0
    assert result.stdout.count("CloudFormation DetectStackDrift answered 501") == len(STACKS)


def test_of_a_project_that_is_not_deployed_only_the_stacks_are_checked(deployed: Deployed) -> None:
    result = deployed.invoke("verify", "--environment", "prod")
    fix = "fix: invoke deploy --project shop --environment prod"
    assert (result.exit, result.stdout.partition("stack ")[2]) == (
        1,
        f"handoff-prod\n  FAILED   status: not deployed; {fix}\n"
        f"stack handoff-prod-shop-registry\n  FAILED   status: not deployed; {fix}\n"
        f"stack handoff-prod-shop\n  FAILED   status: not deployed; {fix}\n",
    )


def test_without_credentials_nothing_else_is_checked(deployed: Deployed) -> None:
    fault = deployed.proxy.fault(
        "answer", wants=lambda call: call.name.startswith("sts:"), status=403, code="InvalidClientTokenId"
    )
    result = deployed.invoke("verify")
    deployed.proxy.faults.remove(fault)
    assert (result.exit, [line for line in result.stdout.splitlines() if "docker" not in line]) == (
        1,
        [
            "access",
            "  FAILED   credentials: STS GetCallerIdentity: credentials that AWS does not accept found "
            "(InvalidClientTokenId); fix: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
            "aws sts get-caller-identity tries them",
            "  OK       region: eu-central-1",
        ],
    )


def test_every_resource_is_repaired(deployed: Deployed) -> None:
    """In each turn the resources that depend on as many others: at first what depends on none, and so takes most along."""
    resources = {name: state.resource for name, state in deployed.states().items() if name not in UNDELETABLE}
    turns: dict[int, list[str]] = {}
    for stack in STACKS:
        declared = deployed.template(stack)["Resources"]
        for name in declared.keys() & (resources.keys() - {"Repository"}):
            depth = sum(name in dependents(declared, [other]) for other in declared)
            turns.setdefault(depth, []).append(name)
    for depth, names in sorted(turns.items()):
        deployed.delete(*names)
        assert {name: deployed.problems().get(name) for name in names} == dict.fromkeys(names, "not found")
        result = deployed.repair()
        assert deployed.problems() == {}, (depth, names, result.stderr)
    assert "no changes: the deployment is up to date" in deployed.invoke("deploy", "--yes").stderr


def test_the_repository_is_repaired_for_an_image_that_is_pushed_again(deployed: Deployed) -> None:
    """Here nothing builds one: it is pushed as another machine would."""
    deployed.delete("Repository")
    verified = deployed.invoke("verify")
    assert [line.partition("; fix: ")[0::2] for line in verified.stdout.splitlines() if "FAILED" in line][:2] == [
        (
            "  FAILED   Repository: AWS::ECR::Repository handoff-dev-shop: not found",
            "invoke deploy --repair --project shop",
        ),
        ("  FAILED   image: not found", "invoke deploy --project shop"),
    ]
    said: list[str] = []
    target = Target("shop", "dev", "handoff-dev-shop", "", "--project shop", deployed.session)
    repairs = find_repairs(["handoff-dev-shop-registry"], target, "again")
    apply(add_repairs((), repairs, "again", ""), target, ApplyOptions(said.append, yes=True))
    assert [line for line in said if line.startswith("  ")] == [
        "  + Placeholder  AWS::CloudFormation::WaitConditionHandle",
        "  - Repository   AWS::ECR::Repository",
        "  - Placeholder  AWS::CloudFormation::WaitConditionHandle",
        "  + Repository   AWS::ECR::Repository",
    ]
    assert deployed.problems() == {}
    put_image(deployed.checkout, "shop", deployed.aws)
    assert "no changes: the deployment is up to date" in deployed.invoke("deploy", "--yes").stderr
