"""A CloudFormation template as plain values, its short forms (!Ref, !Sub, ...) written out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

SECTIONS = ("Resources", "Outputs", "Conditions", "Mappings", "Rules", "Transform")
"""The sections that are compared; CloudFormation ignores a change of the description alone."""
_PLAIN = ("Ref", "Condition")
_NAMED = re.compile(r"\$\{([A-Za-z0-9]+)\}")


def parse(text: str) -> dict[str, Any]:
    """The template with scalars as texts; empty where it is no YAML mapping."""
    yaml = YAML(typ="safe")
    try:
        node = yaml.compose(text)
    except YAMLError:
        return {}
    found = _value(node) if node is not None else None
    return found if isinstance(found, dict) else {}


def section(template: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A section of a template; empty where it is missing."""
    found = template.get(name)
    return found if isinstance(found, dict) else {}


def defaults(template: Mapping[str, Any]) -> dict[str, str]:
    """The default values of the parameters."""
    found = section(template, "Parameters")
    return {name: str(one["Default"]) for name, one in found.items() if isinstance(one, dict) and "Default" in one}


def filled(value: Any, parameters: Mapping[str, str]) -> Any:  # noqa: ANN401  # any part of a template
    """A part of a template with the parameters filled in."""
    match value:
        case {"Ref": str(name)} if name in parameters:
            return parameters[name]
        case {"Fn::Sub": str(text)}:
            filled_in = _NAMED.sub(lambda match: parameters.get(match[1], match[0]), text)
            return {"Fn::Sub": filled_in} if "${" in filled_in else filled_in
        case dict():
            return {name: filled(one, parameters) for name, one in value.items()}
        case list():
            return [filled(one, parameters) for one in value]
    return value


def made(resources: Mapping[str, Any], conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The resources without those whose condition compares two texts that differ."""

    def is_left_out(resource: Any) -> bool:  # noqa: ANN401
        condition = resource.get("Condition") if isinstance(resource, dict) else None
        match conditions.get(str(condition)):
            case {"Fn::Equals": [str(one), str(other)]}:
                return one != other
        return False

    return {name: resource for name, resource in resources.items() if not is_left_out(resource)}


def _value(node: Node) -> Any:  # noqa: ANN401
    value: Any
    if isinstance(node, MappingNode):
        value = {str(key.value): _value(item) for key, item in node.value}
    elif isinstance(node, SequenceNode):
        value = [_value(item) for item in node.value]
    else:
        value = str(node.value) if isinstance(node, ScalarNode) else None
    tag = str(node.tag or "")
    if tag.startswith("!") and tag != "!":
        value = {tag[1:] if tag[1:] in _PLAIN else f"Fn::{tag[1:]}": value}
    match value:  # !GetAtt A.B and Fn::GetAtt: [A, B] are the same
        case {"Fn::GetAtt": [*parts]} if all(isinstance(part, str) for part in parts):
            return {"Fn::GetAtt": ".".join(parts)}
    return value
