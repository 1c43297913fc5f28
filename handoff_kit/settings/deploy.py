"""How a project runs on AWS Fargate: `deploy` in the project file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from handoff_kit.fargate.sizes import memories
from handoff_kit.forms import MAX_STOP, MAX_STORAGE, MIN_STOP, MIN_STORAGE
from handoff_kit.settings.written import (
    Actions,
    BucketName,
    ClusterName,
    Cpu,
    Flag,
    Memory,
    PolicyArn,
    Resources,
    Retention,
    SecurityGroups,
    StatementId,
    StopTimeout,
    Storage,
    Subnets,
    Text,
    Texts,
    TopicArn,
    VpcId,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLATFORMS", "Deploy", "Statement"]

PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""What an image is built for, to run on an architecture."""
_CPU = 256


class Statement(BaseModel):
    """A statement of an IAM policy, by IAM's own names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    Sid: StatementId | None = Field(
        None, description="A name of its own, which tells it from the others.", examples=["ReadsTables"]
    )
    Effect: Literal["Allow", "Deny"] = Field("Allow", description="Whether it allows or denies.", examples=["Deny"])
    Action: Actions = Field(
        min_length=1,
        description="The actions, one or a list, as `SERVICE:NAME`; `*` stands for any part of the name.",
        examples=["dynamodb:GetItem", ["s3:GetObject", "s3:PutObject"]],
    )
    Resource: Resources = Field(
        min_length=1,
        description="The ARNs of what it is about, one or a list, or `*`. `${AWS::AccountId}`, `${AWS::Region}` and "
        "`${AWS::Partition}` are filled by CloudFormation.",
        examples=["arn:aws:dynamodb:*:${AWS::AccountId}:table/rates"],
    )
    Condition: dict[str, dict[str, Texts]] = Field(
        default_factory=dict,
        description="When it holds: operator, key, and a value or a list.",
        examples=[{"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}],
    )


def _least_memory(validated: Mapping[str, Any]) -> int:
    """The least memory that goes with the cpu."""
    return (memories(validated.get("cpu", _CPU)) or memories(_CPU))[0]


def _kind(value: object) -> str:
    return "statement" if isinstance(value, (dict, Statement)) else "arn"


Policy: TypeAlias = Annotated[
    Annotated[PolicyArn, Tag("arn")] | Annotated[Statement, Tag("statement")], Discriminator(_kind)
]


class Deploy(BaseModel):
    """How the project runs on Fargate: how large, with what permissions, and where."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: Cpu = Field(
        _CPU,
        description="CPU units of a task: 256, 512, 1024, 2048, 4096, 8192 or 16384. 1024 are one vCPU.",
        examples=[1024],
    )
    memory: Memory = Field(
        default_factory=_least_memory,
        description="Memory of a task in MiB, or in GB. Which sizes there are depends on `cpu`.",
        examples=[2048, "2GB"],
    )
    storage: Storage = Field(
        MIN_STORAGE,
        description=f"Ephemeral storage of a task in GiB, {MIN_STORAGE} to {MAX_STORAGE}. The first {MIN_STORAGE} cost "
        "nothing.",
        examples=[50],
    )
    architecture: Literal["x86_64", "arm64"] = Field(
        "x86_64",
        description="The processor to run on; `arm64` is cheaper. The image is built for it.",
        examples=["arm64"],
    )
    spot: Flag = Field(
        default=False,
        description="Whether to run on Fargate Spot: much cheaper, but AWS may stop a task at any time, with two "
        "minutes' notice; a schedule then starts it again.",
        examples=[True],
    )
    log_retention: Retention = Field(
        90,
        description="How long CloudWatch Logs keeps the log: days, of the numbers it knows (1, 3, 5, 7, 14, 30, 60, "
        "90, 120, 150, 180, 365, 400, 545, 731, and so on up to 3653), as `30d` or `30`, or `forever`.",
        examples=["30d"],
    )
    stop_timeout: StopTimeout = Field(
        30,
        description=f"Seconds a task has from being told to stop until it is killed, {MIN_STOP} to {MAX_STOP}.",
        examples=[120],
    )
    tags: dict[str, Text] = Field(
        default_factory=dict,
        description="Tags of everything in AWS that is the project's alone, and of its tasks.",
        examples=[{"team": "data"}],
    )
    policies: tuple[Policy, ...] = Field(
        (),
        description="What the task may do besides reading its own params and using its own part of the bucket: ARNs "
        "of managed policies, and statements.",
        examples=[
            [
                "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess",
                {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::rates/*"},
            ]
        ],
    )
    vpc: VpcId | None = Field(
        None,
        description="The VPC of your own `subnets`: with it the project gets a security group of its own in there, "
        "with no way in.",
        examples=["vpc-0a1b2c3d"],
    )
    subnets: Subnets = Field(
        (),
        description="Subnets of your own instead of the shared ones. `vpc` or `security_groups` goes with them.",
        examples=[["subnet-0a1b2c3d", "subnet-4e5f6a7b"]],
    )
    security_groups: SecurityGroups = Field(
        (),
        description="Security groups of your own, instead of the shared one or one that is made in `vpc`.",
        examples=[["sg-0a1b2c3d"]],
    )
    public_ip: Flag = Field(
        default=True,
        description="Whether a task gets a public address, without which it needs a NAT gateway or endpoints to reach "
        "AWS. The security group lets nothing in by it.",
        examples=[False],
    )
    cluster: ClusterName | None = Field(
        None, description="An ECS cluster of your own instead of the shared one, by name or ARN.", examples=["batch"]
    )
    bucket: BucketName | None = Field(
        None,
        description="A bucket of your own instead of the shared one. It should keep versions; `keep` has no effect on "
        "it. The environment variable `S3_BUCKET_NAME` goes before it. A project that is deployed moves to another "
        "bucket by `invoke deploy --move-bucket` only.",
        examples=["our-data"],
    )
    alerts: TopicArn | None = Field(
        None,
        description="The ARN of an SNS topic of your own that alarms go to, instead of the shared one.",
        examples=["arn:aws:sns:eu-central-1:123456789012:oncall"],
    )

    @property
    def platform(self) -> str:
        """What the image is built for."""
        return PLATFORMS[self.architecture]
