"""A CloudFormation template: read with its short forms written out, and sent in a request or by the bucket."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from handoff_kit.errors import AWSError, ProjectError
from handoff_kit.resource_names import TEMPLATES
from handoff_kit.steps import DeployStack
from handoff_runtime.aws.partition import partition_of
from handoff_runtime.aws.session import S3, Session

COMPARED_SECTIONS = ("Resources", "Outputs", "Conditions", "Mappings", "Rules", "Transform")
"""The sections that are compared; CloudFormation ignores a change of the description alone."""
_PLAIN = ("Ref", "Condition")
_NAMED = re.compile(r"\$\{([A-Za-z0-9]+)\}")
# CloudFormation quotas, "Template body size": in a request, and in an S3 object
MAX_BYTES, MAX_BYTES_BY_URL = 51_200, 1_000_000


def parse_template(text: str) -> dict[str, Any]:
    """The template with scalars as texts; empty where it is no YAML mapping."""
    yaml = YAML(typ="safe")
    try:
        node = yaml.compose(text)
    except YAMLError:
        return {}
    template = _parse_node(node) if node is not None else None
    return template if isinstance(template, dict) else {}


def template_section(template: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A section of a template; empty where it is missing."""
    section = template.get(name)
    return section if isinstance(section, dict) else {}


def parameter_defaults(template: Mapping[str, Any]) -> dict[str, str]:
    parameters = template_section(template, "Parameters")
    return {name: str(one["Default"]) for name, one in parameters.items() if isinstance(one, dict) and "Default" in one}


def fill_parameters(value: Any, parameters: Mapping[str, str]) -> Any:  # noqa: ANN401  # any part of a template
    """A part of a template with the parameters filled in."""
    match value:
        case {"Ref": str(name)} if name in parameters:
            return parameters[name]
        case {"Fn::Sub": str(text)}:
            filled_in = _NAMED.sub(lambda match: parameters.get(match[1], match[0]), text)
            return {"Fn::Sub": filled_in} if "${" in filled_in else filled_in
        case dict():
            return {name: fill_parameters(one, parameters) for name, one in value.items()}
        case list():
            return [fill_parameters(one, parameters) for one in value]
    return value


def conditional_resources(resources: Mapping[str, Any], conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The resources without those whose condition compares two texts that differ."""

    def is_left_out(resource: Any) -> bool:  # noqa: ANN401
        condition = resource.get("Condition") if isinstance(resource, dict) else None
        match conditions.get(str(condition)):
            case {"Fn::Equals": [str(one), str(other)]}:
                return one != other
        return False

    return {name: resource for name, resource in resources.items() if not is_left_out(resource)}


def _parse_node(node: Node) -> Any:  # noqa: ANN401
    value: Any
    if isinstance(node, MappingNode):
        value = {str(key.value): _parse_node(item) for key, item in node.value}
    elif isinstance(node, SequenceNode):
        value = [_parse_node(item) for item in node.value]
    else:
        value = str(node.value) if isinstance(node, ScalarNode) else None
    tag = str(node.tag or "")
    if tag.startswith("!") and tag != "!":
        value = {tag[1:] if tag[1:] in _PLAIN else f"Fn::{tag[1:]}": value}
    match value:  # !GetAtt A.B and Fn::GetAtt: [A, B] are the same
        case {"Fn::GetAtt": [*parts]} if all(isinstance(part, str) for part in parts):
            return {"Fn::GetAtt": ".".join(parts)}
    return value


def check_size(step: DeployStack) -> None:
    """Refuse a template that is too long for CloudFormation."""
    size = len(step.template.encode())
    if size > MAX_BYTES_BY_URL:
        limit = f"{MAX_BYTES_BY_URL:,}, CloudFormation's limit"
        message = f"{step.file.name}: found {size:,} bytes, expected at most {limit}"
        raise ProjectError(message, "name less in it: schedules, or deploy.policies")
    if size > MAX_BYTES and not step.bucket:
        message = f"{step.file.name}: found {size:,} bytes, expected at most {MAX_BYTES:,} without a bucket to hold it"
        raise AWSError(message, f"name a bucket: S3_BUCKET_NAME=NAME {step.command}")


def template_argument(step: DeployStack, session: Session) -> dict[str, str]:
    """TemplateBody, or TemplateURL of the template, which is uploaded to the bucket first."""
    content = step.template.encode()
    if len(content) <= MAX_BYTES:
        return {"TemplateBody": step.template}
    session.call(S3, "put_object", Bucket=step.bucket, Key=template_key(step), Body=content, ContentType="text/yaml")
    host = f"s3.{session.region}.{partition_of(session.region).domain}"
    return {"TemplateURL": f"https://{host}/{step.bucket}/{template_key(step)}"}


def template_key(step: DeployStack) -> str:
    """The template's key in the bucket, by its content."""
    return f"{TEMPLATES}/{step.name}-{hashlib.sha256(step.template.encode()).hexdigest()[:16]}.yml"
