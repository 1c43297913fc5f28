"""The types of values in a project file: how each may be written, and what it becomes."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)

from handoff_kit import forms
from handoff_kit.fargate.sizes import CPUS, MEMORIES

__all__ = [
    "Actions",
    "Args",
    "BucketName",
    "ClusterName",
    "Cpu",
    "Days",
    "EnvItem",
    "Envs",
    "Flag",
    "Installs",
    "Memory",
    "Name",
    "Package",
    "Pattern",
    "PolicyArn",
    "Requirement",
    "Resources",
    "Retention",
    "ScheduleName",
    "SecurityGroups",
    "Service",
    "StatementId",
    "States",
    "Step",
    "StopTimeout",
    "Storage",
    "Subnets",
    "Text",
    "Texts",
    "TopicArn",
    "VenvName",
    "VenvPlace",
    "VpcId",
    "Window",
]


class EnvItem(BaseModel):
    """One environment variable in the list form of `envs`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, Field(pattern=forms.NAME, description="The variable's name.")]
    value: Annotated[
        str,
        WithJsonSchema({"type": ["string", "number", "boolean"]}),
        Field(description="Its value, taken as it is written."),
    ]


Text: TypeAlias = Annotated[str, WithJsonSchema({"type": ["string", "number", "boolean"]})]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=forms.NAME)]
VenvName: TypeAlias = Annotated[str, StringConstraints(pattern=forms.VENV_NAME)]
Requirement: TypeAlias = Annotated[str, StringConstraints(min_length=1)]
Package: TypeAlias = Annotated[str, StringConstraints(pattern=forms.PACKAGE)]
Service: TypeAlias = Annotated[str, StringConstraints(pattern=forms.SERVICE)]
Step: TypeAlias = Annotated[str, StringConstraints(min_length=1)]
Pattern: TypeAlias = Annotated[str, StringConstraints(min_length=1)]
Args: TypeAlias = Annotated[tuple[Text, ...], BeforeValidator(forms.as_words, json_schema_input_type=Text | list[Text])]
Envs: TypeAlias = Annotated[
    dict[Name, Text], BeforeValidator(forms.as_mapping, json_schema_input_type=dict[Name, Text] | list[EnvItem])
]
VenvPlace: TypeAlias = Annotated[str, BeforeValidator(forms.as_directory, json_schema_input_type=str)]
Installs: TypeAlias = Annotated[
    tuple[str, ...], BeforeValidator(forms.as_requirements, json_schema_input_type=list[str])
]

DaysWritten: TypeAlias = (
    Annotated[int, Field(ge=1, le=forms.MAX_DAYS)] | Annotated[str, StringConstraints(pattern=forms.DAYS)]
)
StatesWritten: TypeAlias = (
    Annotated[int, Field(ge=1, le=forms.MAX_STATES)] | Annotated[str, StringConstraints(pattern=forms.STATES)]
)
Days: TypeAlias = Annotated[StrictInt | None, BeforeValidator(forms.as_days, json_schema_input_type=DaysWritten)]
States: TypeAlias = Annotated[StrictInt, BeforeValidator(forms.as_states, json_schema_input_type=StatesWritten)]

FlagWritten: TypeAlias = bool | Literal["yes", "no", "on", "off"]
Flag: TypeAlias = Annotated[StrictBool, BeforeValidator(forms.as_flag, json_schema_input_type=FlagWritten)]
Texts: TypeAlias = Annotated[
    tuple[Text, ...], BeforeValidator(forms.as_texts, json_schema_input_type=Text | list[Text])
]

MemoryWritten: TypeAlias = Literal[MEMORIES] | Annotated[str, StringConstraints(pattern=forms.MEMORY)]  # type: ignore[valid-type]
StorageWritten: TypeAlias = Annotated[int, Field(ge=forms.MIN_STORAGE, le=forms.MAX_STORAGE)]
StopTimeoutWritten: TypeAlias = Annotated[int, Field(ge=forms.MIN_STOP, le=forms.MAX_STOP)]
RetentionWritten: TypeAlias = Literal[forms.RETENTIONS] | Annotated[str, StringConstraints(pattern=forms.RETENTION)]  # type: ignore[valid-type]
WindowWritten: TypeAlias = Annotated[int, Field(ge=0, le=forms.MAX_WINDOW)]
Cpu: TypeAlias = Annotated[StrictInt, BeforeValidator(forms.as_cpu, json_schema_input_type=Literal[CPUS])]
Memory: TypeAlias = Annotated[StrictInt, BeforeValidator(forms.as_memory, json_schema_input_type=MemoryWritten)]
Storage: TypeAlias = Annotated[StrictInt, BeforeValidator(forms.as_storage, json_schema_input_type=StorageWritten)]
StopTimeout: TypeAlias = Annotated[
    StrictInt, BeforeValidator(forms.as_stop_timeout, json_schema_input_type=StopTimeoutWritten)
]
Retention: TypeAlias = Annotated[
    StrictInt | None, BeforeValidator(forms.as_retention, json_schema_input_type=RetentionWritten)
]
Window: TypeAlias = Annotated[StrictInt, BeforeValidator(forms.as_window, json_schema_input_type=WindowWritten)]

PolicyArn: TypeAlias = Annotated[str, StringConstraints(pattern=forms.POLICY_ARN)]
StatementId: TypeAlias = Annotated[str, StringConstraints(pattern=forms.SID)]
Action: TypeAlias = Annotated[str, StringConstraints(pattern=forms.ACTION)]
Resource: TypeAlias = Annotated[str, StringConstraints(pattern=forms.RESOURCE)]
Actions: TypeAlias = Annotated[
    tuple[Action, ...],
    BeforeValidator(forms.as_texts, json_schema_input_type=Action | Annotated[list[Action], Field(min_length=1)]),
]
Resources: TypeAlias = Annotated[
    tuple[Resource, ...],
    BeforeValidator(forms.as_texts, json_schema_input_type=Resource | Annotated[list[Resource], Field(min_length=1)]),
]

VpcId: TypeAlias = Annotated[str, StringConstraints(pattern=forms.VPC)]
SubnetId: TypeAlias = Annotated[str, StringConstraints(pattern=forms.SUBNET)]
SecurityGroupId: TypeAlias = Annotated[str, StringConstraints(pattern=forms.SECURITY_GROUP)]
Subnets: TypeAlias = Annotated[tuple[SubnetId, ...], Field(min_length=1, max_length=forms.MAX_SUBNETS)]
SecurityGroups: TypeAlias = Annotated[tuple[SecurityGroupId, ...], Field(min_length=1, max_length=forms.MAX_GROUPS)]
ClusterName: TypeAlias = Annotated[str, StringConstraints(pattern=forms.CLUSTER)]
BucketName: TypeAlias = Annotated[
    str, StringConstraints(pattern=forms.BUCKET, min_length=forms.MIN_BUCKET, max_length=forms.MAX_BUCKET)
]
TopicArn: TypeAlias = Annotated[str, StringConstraints(pattern=forms.TOPIC_ARN)]
ScheduleName: TypeAlias = Annotated[str, StringConstraints(pattern=forms.SCHEDULE_NAME)]
