"""A CloudFormation template as plain values, whose tags (!Ref, !Sub, ...) are what they are short for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SECTIONS", "defaults", "filled", "made", "parse", "section"]

SECTIONS = ("Resources", "Outputs", "Conditions", "Mappings", "Rules", "Transform")
"""What makes a difference; a description alone CloudFormation does not take for a change."""
_PLAIN = ("Ref", "Condition")
_NAMED = re.compile(r"\$\{([A-Za-z0-9]+)\}")


def parse(text: str) -> dict[str, Any]:
    """The template's values, scalars as texts; empty where it is none."""
    yaml = YAML(typ="safe")
    try:
        node = yaml.compose(text)
    except YAMLError:
        return {}
    found = _value(node) if node is not None else None
    return found if isinstance(found, dict) else {}


def section(template: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A section of a template by its names."""
    found = template.get(name)
    return found if isinstance(found, dict) else {}


def defaults(template: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that have a value where none is given."""
    found = section(template, "Parameters")
    return {name: str(one["Default"]) for name, one in found.items() if isinstance(one, dict) and "Default" in one}


def filled(value: Any, parameters: Mapping[str, str]) -> Any:  # noqa: ANN401  # any part of a template
    """A part of a template with its parameters in place."""
    match value:
        case {"Ref": str(name)} if name in parameters:
            return parameters[name]
        case {"Fn::Sub": str(text)}:
            return _substituted(text, parameters)
        case dict():
            return {name: filled(one, parameters) for name, one in value.items()}
        case list():
            return [filled(one, parameters) for one in value]
    return value


def made(resources: Mapping[str, Any], conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The resources but those whose condition is known not to hold: two texts that are not the same."""
    return {name: one for name, one in resources.items() if not _is_left_out(one, conditions)}


def _is_left_out(resource: Any, conditions: Mapping[str, Any]) -> bool:  # noqa: ANN401
    named = resource.get("Condition") if isinstance(resource, dict) else None
    match conditions.get(str(named)):
        case {"Fn::Equals": [str(one), str(other)]}:
            return one != other
    return False


def _substituted(text: str, parameters: Mapping[str, str]) -> Any:  # noqa: ANN401
    found = _NAMED.sub(lambda match: parameters.get(match[1], match[0]), text)
    return {"Fn::Sub": found} if "${" in found else found


def _value(node: Node) -> Any:  # noqa: ANN401
    found = _untagged(node)
    tag = str(node.tag or "")
    if not tag.startswith("!") or tag == "!":
        return _joined(found)
    name = tag[1:] if tag[1:] in _PLAIN else f"Fn::{tag[1:]}"
    return _joined({name: found})


def _untagged(node: Node) -> Any:  # noqa: ANN401
    if isinstance(node, MappingNode):
        return {str(key.value): _value(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [_value(one) for one in node.value]
    return str(node.value) if isinstance(node, ScalarNode) else None


def _joined(value: Any) -> Any:  # noqa: ANN401
    """!GetAtt A.B and Fn::GetAtt: [A, B] are the same."""
    match value:
        case {"Fn::GetAtt": [*parts]} if all(isinstance(part, str) for part in parts):
            return {"Fn::GetAtt": ".".join(parts)}
    return value
