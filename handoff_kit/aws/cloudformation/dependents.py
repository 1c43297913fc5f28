"""A template without some of its resources and what depends on them, and otherwise the same, byte for byte.

CloudFormation creates a resource that was deleted by hand only where a template without it was deployed in between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node

from handoff_kit.aws.cloudformation.template import parse_template, template_section
from handoff_kit.errors import AWSError

PLACEHOLDER = "  Placeholder:\n    Type: AWS::CloudFormation::WaitConditionHandle\n\n"
"""The resource of a template without others, since it must have one; it exists in CloudFormation only."""
_IN_TEXT = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}")


def dependents(resources: Mapping[str, Any], names: Collection[str]) -> tuple[str, ...]:
    """The resources that refer to these by Ref, GetAtt, Sub or DependsOn, also by others in between; sorted."""
    needs = {name: {*_references(resource)} & {*resources} for name, resource in resources.items()}
    found = {*names}
    while more := {name for name, needed in needs.items() if needed & found} - found:
        found |= more
    return tuple(sorted(found - {*names}))


def _references(value: Any, key: str = "") -> Iterator[str]:  # noqa: ANN401  # any part of a template
    """The names that a part of a parsed template refers to."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": str(name)}:
            yield name.partition(".")[0]
        case {"Fn::Sub": str(text)}:
            yield from _IN_TEXT.findall(text)
        case {"Fn::Sub": [str(text), dict() as values]}:
            yield from (name for name in _IN_TEXT.findall(text) if name not in values)
            yield from _references(values)
        case dict():
            for name, one in value.items():
                yield from _references(one, name)
        case list():
            for one in value:
                yield from _references(one, key)
        case str() if key == "DependsOn":
            yield value


def without_resources(template: str, names: Collection[str], outputs: Mapping[str, str], where: str) -> str:
    """The template without these resources; an output that refers to one has its deployed value as a text instead.

    So a stack between two change sets says the same of itself as before. AWSError for a template in flow style (JSON).
    """
    root = _compose(template)
    resources = _child(root, "Resources")
    if not isinstance(resources, MappingNode) or resources.flow_style:
        message = f"{where}: its template is not written in YAML's block style, so no resource can be taken out of it"
        raise AWSError(message, f"see it: aws cloudformation get-template --stack-name {where.partition(' ')[2]}")
    left = [key.value for key, _ in resources.value if key.value not in names]
    edits = [] if left else [(_line_start(template, resources), _line_start(template, resources), PLACEHOLDER)]
    edits += ((start, end, "") for name, start, end in _blocks(template, resources) if name in names)
    parsed = template_section(parse_template(template), "Outputs")
    section = _child(root, "Outputs")
    for key, output in section.value if isinstance(section, MappingNode) else ():
        value = _child(output, "Value")
        if value is not None and key.value in outputs and {*_references(parsed[key.value])} & {*names}:
            text = json.dumps(outputs[key.value], ensure_ascii=False)
            edits.append((value.start_mark.index, _end(template, value), text))
    for start, end, text in sorted(edits, reverse=True):
        template = template[:start] + text + template[end:]
    return template


def _compose(template: str) -> Node | None:
    try:
        node: Node | None = YAML(typ="rt", pure=True).compose(template)
    except YAMLError:
        return None
    return node


def _child(node: Node | None, name: str) -> Node | None:
    pairs = node.value if isinstance(node, MappingNode) else ()
    return next((value for key, value in pairs if key.value == name), None)


def _blocks(template: str, section: MappingNode) -> Iterator[tuple[str, int, int]]:
    """Each entry of a section in block style: its name, and where its lines begin and end; the next one ends them."""
    starts = [_line_start(template, key) for key, _ in section.value]
    last = _end(template, section.value[-1][1])
    newline = template.find("\n", last)
    ends = [*starts[1:], len(template) if newline < 0 else newline + 1]
    yield from (
        (key.value, *place) for (key, _), place in zip(section.value, zip(starts, ends, strict=True), strict=True)
    )


def _line_start(template: str, node: Node) -> int:
    return template.rfind("\n", 0, node.start_mark.index) + 1


def _end(template: str, node: Node) -> int:
    """Where the text of a node ends, without the blank lines and comments that a block includes."""
    text = template[node.start_mark.index : node.end_mark.index]
    lines = text.split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return int(node.start_mark.index) + len("\n".join(lines).rstrip())
