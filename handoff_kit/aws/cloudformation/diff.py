"""The difference between a deployed stack and its template: resources with their properties, parameters, outputs, tags.

Compared here rather than by a change set, so that a deployment without changes needs none, and a dry run creates none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.cloudformation.template import (
    COMPARED_SECTIONS,
    conditional_resources,
    fill_parameters,
    parameter_defaults,
    parse_template,
    template_section,
)
from handoff_kit.steps import DeployStack

Action = Literal["add", "change", "replace", "may replace", "remove"]
OTHER_KINDS = ("parameter", "output", "tag", "template")
"""The kinds of differences other than resources."""
MAX_TEXT = 48
RETAINING_POLICIES = ("Retain", "RetainExceptOnCreate", "Snapshot")
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
DATA_RESOURCES = {
    "AWS::ECR::Repository": "images",
    "AWS::Logs::LogGroup": "logs",
    "AWS::S3::Bucket": "objects",
    "AWS::SQS::Queue": "messages",
}
"""What is lost when a resource is deleted."""
CREATE_ONLY = {
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::EC2::Route": (
        "DestinationCidrBlock",
        "DestinationIpv6CidrBlock",
        "DestinationPrefixListId",
        "RouteTableId",
    ),
    "AWS::EC2::RouteTable": ("VpcId",),
    "AWS::EC2::SecurityGroup": ("GroupDescription", "GroupName", "VpcId"),
    "AWS::EC2::Subnet": ("AvailabilityZone", "CidrBlock", "VpcId"),
    "AWS::EC2::SubnetRouteTableAssociation": ("RouteTableId", "SubnetId"),
    "AWS::EC2::VPC": ("CidrBlock",),
    "AWS::EC2::VPCEndpoint": ("ServiceName", "VpcEndpointType", "VpcId"),
    "AWS::EC2::VPCGatewayAttachment": ("VpcId",),
    "AWS::ECR::Repository": ("EncryptionConfiguration", "RepositoryName"),
    "AWS::ECS::Cluster": ("ClusterName",),
    "AWS::ECS::ClusterCapacityProviderAssociations": ("Cluster",),
    "AWS::ECS::TaskDefinition": (
        "ContainerDefinitions",
        "Cpu",
        "EphemeralStorage",
        "ExecutionRoleArn",
        "Family",
        "Memory",
        "NetworkMode",
        "RequiresCompatibilities",
        "RuntimePlatform",
        "TaskRoleArn",
        "Volumes",
    ),
    "AWS::Events::Rule": ("Name",),
    "AWS::IAM::ManagedPolicy": ("Description", "ManagedPolicyName", "Path"),
    "AWS::IAM::Role": ("Path", "RoleName"),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::Logs::MetricFilter": ("FilterName", "LogGroupName"),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::SQS::Queue": ("FifoQueue", "QueueName"),
    "AWS::Scheduler::Schedule": ("Name",),
    "AWS::Scheduler::ScheduleGroup": ("Name",),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", "StateMachineType"),
}
"""The createOnlyProperties of the resource types' schemas."""


@dataclass(frozen=True)
class StackChange:
    """`kind` is a resource's type, or one of OTHER_KINDS; `retained` marks a resource that its deletion policy retains.

    `properties` are dotted paths; of a parameter, output or tag they are the values.
    """

    action: Action
    name: str
    kind: str
    properties: tuple[str, ...] = ()
    retained: bool = False


@dataclass(frozen=True)
class _ResolvedTemplate:
    """The sections of a template with the parameters filled in."""

    sections: Mapping[str, Mapping[str, Any]]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]


def diff_stack(
    deployed: StackDescription | None, step: DeployStack, parameters: Mapping[str, str]
) -> tuple[StackChange, ...]:
    """What an update of the stack would change; `parameters` are the step's with images resolved."""
    if deployed and deployed.template == step.template:
        texts = (dict(deployed.parameters), dict(deployed.tags))
        if texts == (dict(parameters), dict(step.tags)):
            return ()
    new = _resolve(step.template, parameters, step.tags)
    if deployed is None:
        return tuple(sorted(_diff_resources({}, new.sections["Resources"]), key=_order))
    old = _resolve(deployed.template, deployed.parameters, deployed.tags)
    sections = [
        StackChange("change", name, "template")
        for name in COMPARED_SECTIONS
        if name not in ("Resources", "Outputs") and old.sections[name] != new.sections[name]
    ]
    changes = (
        *_diff_resources(old.sections["Resources"], new.sections["Resources"]),
        *_diff_texts("parameter", old.parameters, new.parameters),
        *_diff_texts("output", _outputs(old), _outputs(new)),
        *_diff_texts("tag", old.tags, new.tags),
        *sections,
    )
    return tuple(sorted(changes, key=_order))


def is_resource(difference: StackChange) -> bool:
    return difference.kind not in OTHER_KINDS


def merge_changes(change_set: Iterable[StackChange], own: Iterable[StackChange]) -> tuple[StackChange, ...]:
    """The resources of a change set, with our properties where it names none, and our other differences."""
    ours = {one.name: one for one in own if is_resource(one)}
    others = [one for one in own if not is_resource(one)]
    resources = []
    for change in change_set:
        same = ours.get(change.name)
        is_update = change.action not in ("add", "remove")
        is_shallow = not any("." in path for path in change.properties)
        if same and is_update and is_shallow and same.kind == change.kind and same.properties:
            resources.append(replace(change, properties=same.properties))
        else:
            resources.append(change)
    return tuple(sorted((*resources, *others), key=_order))


def _order(change: StackChange) -> tuple[int, str, str]:
    return (OTHER_KINDS.index(change.kind) + 1 if change.kind in OTHER_KINDS else 0, change.name, change.kind)


def _resolve(text: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> _ResolvedTemplate:
    template = parse_template(text)
    values = {**parameter_defaults(template), **parameters}
    filled = {name: fill_parameters(template.get(name), values) or {} for name in COMPARED_SECTIONS}
    sections = {name: section if isinstance(section, dict) else {"": section} for name, section in filled.items()}
    resources = conditional_resources(sections["Resources"], sections["Conditions"])
    return _ResolvedTemplate({**sections, "Resources": resources}, values, tags)


def _diff_resources(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[StackChange]:
    for name in {**old, **new}:
        if name not in old:
            yield StackChange("add", name, _type(new[name]))
        elif name not in new:
            yield StackChange("remove", name, _type(old[name]), retained=_is_retained(old[name], "DeletionPolicy"))
        elif properties := tuple(_paths(_comparable(old[name]), _comparable(new[name]))):
            kind = _type(new[name])
            is_replaced = kind != _type(old[name]) or requires_replacement(kind, properties)
            retained = is_replaced and _is_retained(old[name], "UpdateReplacePolicy")
            yield StackChange("replace" if is_replaced else "change", name, kind, properties, retained=retained)


def _comparable(resource: Any) -> Any:  # noqa: ANN401  # any part of a template
    """A resource's properties and its other attributes, on one level."""
    if not isinstance(resource, dict):
        return resource
    others = {name: one for name, one in resource.items() if name not in ("Properties", "DependsOn")}
    return {**others, **template_section(resource, "Properties")}


def _paths(old: Any, new: Any, at: str = "") -> Iterator[str]:  # noqa: ANN401
    """Where two values differ, as dotted paths, as deep as both have the same form."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict) and not _is_function(old) and not _is_function(new):
        for name in sorted({**old, **new}):
            yield from _paths(old.get(name), new.get(name), f"{at}.{name}" if at else name)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _paths(one, other, f"{at}.{number}" if at else str(number))
    else:
        yield at


def _is_function(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))


def _type(resource: Any) -> str:  # noqa: ANN401
    return str(resource.get("Type", "")) if isinstance(resource, dict) else ""


def _is_retained(resource: Any, policy: str) -> bool:  # noqa: ANN401
    return isinstance(resource, dict) and resource.get(policy) in RETAINING_POLICIES


def _outputs(template: _ResolvedTemplate) -> dict[str, str]:
    """The outputs in short form: ${Name} for a Ref, Name.Attribute for a GetAtt."""
    outputs: dict[str, str] = {}
    for name, output in template.sections["Outputs"].items():
        match output:
            case {"Value": str(text)} | {"Value": {"Fn::Sub": str(text)}} | {"Value": {"Fn::GetAtt": str(text)}}:
                outputs[name] = text
            case {"Value": {"Ref": str(text)}}:
                outputs[name] = f"${{{text}}}"
            case _:
                outputs[name] = str(output)
    return outputs


def _diff_texts(kind: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[StackChange]:
    for name in {**old, **new}:
        if name not in old:
            yield StackChange("add", name, kind, (_shorten(new[name]),))
        elif name not in new:
            yield StackChange("remove", name, kind, (_shorten(old[name]),))
        elif old[name] != new[name]:
            yield StackChange("change", name, kind, (f"{_shorten(old[name])} -> {_shorten(new[name])}",))


def _shorten(text: str) -> str:
    """The beginning of a digest, and the end of any other long text."""
    text = _DIGEST.sub(r"\1", " ".join(text.split()))
    return text if len(text) <= MAX_TEXT else f"...{text[3 - MAX_TEXT :]}"


def requires_replacement(kind: str, properties: tuple[str, ...]) -> bool:
    return any(name.partition(".")[0] in CREATE_ONLY.get(kind, ()) for name in properties)
