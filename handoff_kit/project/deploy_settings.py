"""How a project runs on AWS Fargate: `deploy` in the project file."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Discriminator, Field, StrictBool, StrictInt, StringConstraints, Tag

from handoff_kit.project import patterns, suggestions
from handoff_kit.project.fargate_sizes import CPUS, MEMORIES, memories_of
from handoff_kit.project.fields import (
    Flag,
    Form,
    Key,
    Text,
    as_flag,
    as_list,
    as_memory,
    as_retention,
    declare,
    integer,
    number_of,
)

PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""The platform of the image, by architecture."""
_CPU = 256
_STATEMENT = '{Action: "s3:GetObject", Resource: "arn:aws:s3:::BUCKET/*"}'
_DIGITS = "and 8 or 17 of the digits 0 to 9 and a to f"
_CONDITION = 'Condition: {StringEquals: {"aws:RequestedRegion": eu-central-1}}'
_ConditionText: TypeAlias = Annotated[Text, Key("a text", hint=f"write it like this: {_CONDITION}")]
_ConditionValue: TypeAlias = Annotated[
    tuple[_ConditionText, ...], Key("a text, or a list of them", parse=Form(as_list, Text | list[Text]))
]
_Action: TypeAlias = Annotated[
    str, StringConstraints(pattern=patterns.ACTION), Key("an action, as SERVICE:NAME", suggest=suggestions.action)
]
_Resource: TypeAlias = Annotated[
    str, StringConstraints(pattern=patterns.RESOURCE), Key("an ARN, or *", suggest=suggestions.resource)
]


class Statement(BaseModel, extra="forbid", frozen=True):
    """A statement of an IAM policy, by IAM's own names."""

    Sid: str | None = declare(
        None,
        "letters and digits",
        pattern=patterns.SID,
        written="letters and digits",
        suggest=suggestions.statement_id,
        description="The statement's name, unique in the project.",
        examples=["ReadsTables"],
    )
    Effect: Literal["Allow", "Deny"] = declare(
        "Allow", hint="leave it out to allow", description="Whether it allows or denies.", examples=["Deny"]
    )
    Action: tuple[_Action, ...] = declare(
        expected="an action, or a list of them",
        min_length=1,
        example='Action: "s3:GetObject"',
        written="text, or a list of texts",
        parse=Form(as_list, _Action | Annotated[list[_Action], Field(min_length=1)]),
        description="The actions, one or a list, as `SERVICE:NAME`; `*` matches any part of the name.",
        examples=["dynamodb:GetItem", ["s3:GetObject", "s3:PutObject"]],
    )
    Resource: tuple[_Resource, ...] = declare(
        expected="an ARN, or a list of them",
        min_length=1,
        example='Resource: "arn:aws:s3:::BUCKET/*"',
        written="text, or a list of texts",
        parse=Form(as_list, _Resource | Annotated[list[_Resource], Field(min_length=1)]),
        description="The ARNs of what it is about, one or a list, or `*`. `${AWS::AccountId}`, `${AWS::Region}` and "
        "`${AWS::Partition}` are filled by CloudFormation.",
        examples=["arn:aws:dynamodb:*:${AWS::AccountId}:table/rates"],
    )
    Condition: dict[str, Annotated[dict[str, _ConditionValue], Key("a mapping of keys and values")]] = declare(
        expected="a mapping of operators",
        default_factory=dict,
        example=_CONDITION,
        written="mapping: operator to a mapping of key to text, or to a list of texts",
        description="When it holds: operator, key, and a value or a list.",
        examples=[{"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}],
    )


Policy: TypeAlias = Annotated[
    Annotated[str, StringConstraints(pattern=patterns.POLICY_ARN), Tag("arn")] | Annotated[Statement, Tag("statement")],
    Discriminator(lambda value: "statement" if isinstance(value, (dict, Statement)) else "arn"),
    Key(
        "the ARN of a policy, or a statement",
        example=f"- {suggestions.POLICY}, or - {_STATEMENT}",
        suggest=suggestions.policy,
    ),
]
_Subnet: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=patterns.SUBNET),
    Key(
        f"the id of a subnet, subnet- {_DIGITS}",
        hint="list them: aws ec2 describe-subnets --query 'Subnets[].[VpcId,SubnetId]'",
        suggest=suggestions.resource_id("subnets"),
    ),
]
_SecurityGroup: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=patterns.SECURITY_GROUP),
    Key(
        f"the id of a security group, sg- {_DIGITS}",
        hint="list them: aws ec2 describe-security-groups --query 'SecurityGroups[].[VpcId,GroupName,GroupId]'",
        suggest=suggestions.resource_id("security_groups"),
    ),
]


class Deploy(BaseModel, extra="forbid", frozen=True):
    """How the project runs on Fargate: how large, with what permissions, and where."""

    cpu: StrictInt = declare(
        _CPU,
        f"{', '.join(map(str, CPUS[:-1]))} or {CPUS[-1]}",
        example="cpu: 256; 1024 are one vCPU",
        parse=number_of(CPUS),
        suggest=suggestions.cpu,
        description="CPU units of a task: 256, 512, 1024, 2048, 4096, 8192 or 16384. 1024 are one vCPU.",
        examples=[1024],
    )
    memory: StrictInt = declare(
        expected="a size that Fargate has, in MiB or GB",
        default_factory=lambda valid: (memories_of(valid.get("cpu", _CPU)) or memories_of(_CPU))[0],
        example="memory: 2GB",
        written="MiB, or GB",
        default_text="the least that goes with `cpu`",
        parse=Form(as_memory, Literal[MEMORIES] | Annotated[str, StringConstraints(pattern=patterns.MEMORY)]),
        synonyms=("mem", "ram"),
        description="Memory of a task in MiB, or in GB. Which sizes there are depends on `cpu`.",
        examples=[2048, "2GB"],
    )
    storage: StrictInt = declare(
        patterns.MIN_STORAGE,
        f"a number of GiB, {patterns.MIN_STORAGE} to {patterns.MAX_STORAGE}",
        written="GiB",
        parse=integer(patterns.MIN_STORAGE, patterns.MAX_STORAGE),
        suggest=suggestions.storage,
        synonyms=("disk", "ephemeral_storage", "ephemeralstorage"),
        description=f"Ephemeral storage of a task in GiB, {patterns.MIN_STORAGE} to {patterns.MAX_STORAGE}. The first "
        f"{patterns.MIN_STORAGE} cost nothing.",
        examples=[50],
    )
    architecture: Literal["x86_64", "arm64"] = declare(
        "x86_64",
        hint="arm64 is cheaper; x86_64 runs what is built for no other",
        default_text="that of `platform`, else `x86_64`",
        suggest=suggestions.architecture,
        synonyms=("arch", "processor"),
        description="The processor to run on; `arm64` is cheaper. The image is built for it.",
        examples=["arm64"],
    )
    spot: StrictBool | Literal["fallback"] = declare(
        False,  # noqa: FBT003  # the default of the key
        "true, false or fallback",
        example="spot: true",
        written="`true`, `false` or `fallback`",
        parse=Form(as_flag, bool | Literal["yes", "no", "on", "off", "fallback"]),
        suggest=suggestions.flag,
        description="Whether to run on Fargate Spot: much cheaper, but AWS may have no capacity, or stop a task at any "
        "time with two minutes' notice; the run is then started again. With `fallback` it is started again on demand, "
        "at the full price, so that it waits for no capacity and is interrupted once at most.",
        examples=[True, "fallback"],
    )
    log_retention: StrictInt | None = declare(
        90,
        f"days that CloudWatch Logs knows, or {patterns.FOREVER}",
        example="log_retention: 90d",
        written=f"days, or `{patterns.FOREVER}`",
        default_text="`90d`",
        parse=Form(
            as_retention,
            Literal[patterns.RETENTIONS] | Annotated[str, StringConstraints(pattern=patterns.RETENTION)],
        ),
        suggest=suggestions.retention,
        synonyms=("retention", "logs"),
        description="How long CloudWatch Logs keeps the log: days, of the numbers it knows (1, 3, 5, 7, 14, 30, 60, "
        "90, 120, 150, 180, 365, 400, 545, 731, and so on up to 3653), as `30d` or `30`, or `forever`.",
        examples=["30d"],
    )
    stop_timeout: StrictInt = declare(
        30,
        f"a number of seconds, {patterns.MIN_STOP} to {patterns.MAX_STOP}",
        example="stop_timeout: 30",
        written="seconds",
        parse=integer(patterns.MIN_STOP, patterns.MAX_STOP),
        suggest=suggestions.stop_timeout,
        synonyms=("grace", "timeout"),
        description=f"Seconds between a task's stop signal and its kill, {patterns.MIN_STOP} to {patterns.MAX_STOP}.",
        examples=[120],
    )
    tags: dict[str, Text] = declare(
        expected="a mapping of names and texts",
        default_factory=dict,
        written="mapping: name to text",
        description="Tags of everything in AWS that is the project's alone, of its tasks, and of a shared stack that "
        "is created with it.",
        examples=[{"team": "data"}],
    )
    policies: tuple[Policy, ...] = declare(
        (),
        "a list of ARNs and statements",
        hint=f"begin each with a dash: - {_STATEMENT}",
        suggest=suggestions.list_of_ids("policies"),
        synonyms=("permissions", "statements", "role"),
        description="What the task may do besides reading its own params and using its own part of the bucket: ARNs "
        "of managed policies, and statements.",
        examples=[
            [
                "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess",
                {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::rates/*"},
            ]
        ],
    )
    permissions_boundary: str | None = declare(
        None,
        "the name of a policy, or its ARN",
        pattern=patterns.BOUNDARY,
        hint="list them: aws iam list-policies --scope Local",
        written="name or ARN",
        synonyms=("boundary", "permission_boundary"),
        description="The permissions boundary of every role of the project, by the name of a policy of your account or "
        "its ARN: for accounts whose policies demand one.",
        examples=["developer-boundary"],
    )
    kms_key: str | None = declare(
        None,
        "the id of a KMS key, or its ARN",
        pattern=patterns.KMS_KEY,
        hint="list them: aws kms list-keys",
        written="id or ARN",
        synonyms=("kms", "kms_key_id", "encryption_key"),
        description="A KMS key of your own that encrypts params and log, instead of AWS's. Runs may also use it for "
        "objects of a `bucket` of your own. Its policy must allow CloudWatch Logs to use it.",
        examples=["1234abcd-12ab-34cd-56ef-1234567890ab"],
    )
    exec: Flag = Field(
        default=False,
        description="Whether `invoke exec` may open a shell in a running task (ECS Exec). The shell is root's, and can "
        "read the params of the run.",
        examples=[True],
    )
    vpc: str | None = declare(
        None,
        f"the id of a VPC, vpc- {_DIGITS}",
        pattern=patterns.VPC,
        hint="list them: aws ec2 describe-vpcs --query 'Vpcs[].VpcId'",
        written="id",
        suggest=suggestions.resource_id("vpc"),
        description="The VPC of your own `subnets`: the project gets its own security group in it, which lets nothing "
        "in.",
        examples=["vpc-0a1b2c3d"],
    )
    subnets: tuple[_Subnet, ...] = declare(
        (),
        "a list of subnets",
        min_length=1,
        max_length=patterns.MAX_SUBNETS,
        written="list of ids",
        default_text="the shared ones",
        suggest=suggestions.list_of_ids("subnets"),
        description="Subnets of your own instead of the shared ones. `vpc` or `security_groups` goes with them.",
        examples=[["subnet-0a1b2c3d", "subnet-4e5f6a7b"]],
    )
    security_groups: tuple[_SecurityGroup, ...] = declare(
        (),
        "a list of security groups",
        min_length=1,
        max_length=patterns.MAX_GROUPS,
        written="list of ids",
        default_text="the shared ones",
        suggest=suggestions.list_of_ids("security_groups"),
        description="Security groups of your own, instead of the shared one or one that is made in `vpc`.",
        examples=[["sg-0a1b2c3d"]],
    )
    public_ip: Flag = Field(
        default=True,
        description="Whether a task gets a public address, without which it needs a NAT gateway or endpoints to reach "
        "AWS. The security group lets nothing in by it.",
        examples=[False],
    )
    cluster: str | None = declare(
        None,
        "the name of an ECS cluster, or its ARN",
        pattern=patterns.CLUSTER,
        hint="list them: aws ecs list-clusters",
        written="name or ARN",
        default_text="the shared one",
        suggest=suggestions.cluster,
        is_text=True,
        description="An ECS cluster of your own instead of the shared one, by name or ARN.",
        examples=["batch"],
    )
    bucket: str | None = declare(
        None,
        "the name of a bucket, 3 to 63 lower-case letters, digits, - and .",
        pattern=patterns.BUCKET,
        min_length=patterns.MIN_BUCKET,
        max_length=patterns.MAX_BUCKET,
        hint="list them: aws s3 ls",
        written="name",
        default_text="the shared one",
        suggest=suggestions.bucket,
        is_valid=patterns.is_bucket,
        is_text=True,
        description="A bucket of your own instead of the shared one. It should keep versions; `keep` has no effect on "
        "it. The environment variable `S3_BUCKET_NAME` goes before it. A project that is deployed moves to another "
        "bucket by `invoke deploy --move-bucket` only.",
        examples=["our-data"],
    )
    alerts: str | None = declare(
        None,
        "the ARN of an SNS topic",
        pattern=patterns.TOPIC_ARN,
        hint="write recipients at the left margin: alerts: [mailto:data@example.com]",
        written="ARN",
        default_text="the shared one",
        suggest=suggestions.resource_id("alerts"),
        synonyms=("sns", "topic", "alarms"),
        description="An earlier form of `alerts` with one item, the ARN of an SNS topic.",
        examples=["arn:aws:sns:eu-central-1:123456789012:oncall"],
    )

    @property
    def platform(self) -> str:
        """The platform of the image."""
        return PLATFORMS[self.architecture]
