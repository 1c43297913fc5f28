"""The state machines of a project as its template has them, and what a Choice of one decides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from doubles.rendered_templates import ROOT, understood
from handoff_kit.deploy.templates import render_task_template
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.project.model import Project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STACK = "handoff-dev-rates"


def task_resources(deploy: Deploy | None = None, alerts: Sequence[str] = ()) -> dict[str, Any]:
    """The properties of each resource in the template of the task stack."""
    project = Project.model_validate({"commands": [{"command": "a"}], "deploy": deploy or Deploy()})
    project = project.model_copy(update={"alerts": tuple(alerts)})
    template = understood(render_task_template(ROOT, "rates", project, STACK, "dev"))
    return {name: resource["Properties"] for name, resource in template["Resources"].items()}


def machine(deploy: Deploy | None = None) -> dict[str, Any]:
    """The definition in the template of the task stack, where Fn::Sub is a function of YAML as well."""
    definition: dict[str, Any] = task_resources(deploy)["Machine"]["Definition"]
    return definition


def resolved(value: Any, references: Mapping[str, str]) -> Any:
    """A part of a template with its functions applied: Ref and GetAtt by `references`, Sub, Split."""
    match value:
        case {"Ref": name, **rest} | {"GetAtt": name, **rest} if not rest:
            return references[name]
        case {"Fn::Sub": str(text), **rest} | {"Sub": str(text), **rest} if not rest:
            return re.sub(r"\$\{([\w:]+)\}", lambda found: references[found[1]], text)
        case {"Fn::Split": [separator, text]}:
            return resolved(text, references).split(separator)
        case dict():
            return {name: resolved(each, references) for name, each in value.items()}
        case list():
            return [resolved(each, references) for each in value]
    return value


def chosen(state: dict[str, Any], data: dict[str, Any]) -> str:
    """The state that a Choice leads to."""
    return str(next((one["Next"] for one in state["Choices"] if holds(one, data)), state["Default"]))


def holds(rule: dict[str, Any], data: dict[str, Any]) -> bool:
    """A rule of a Choice, as https://states-language.net/spec.html has it."""
    match rule:
        case {"And": rules}:
            return all(holds(one, data) for one in rules)
        case {"Or": rules}:
            return any(holds(one, data) for one in rules)
        case {"Not": other}:
            return not holds(other, data)
    value: Any = data
    for name, number in re.findall(r"\.(\w+)|\[(\d+)\]", rule["Variable"]):
        value = value[name] if name else value[int(number)]
    match rule:
        case {"StringEquals": text}:
            return bool(value == text)
        case {"StringMatches": pattern}:
            return bool(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value, re.DOTALL))
        case {"NumericGreaterThanEquals": number}:
            return bool(value >= number)
    raise AssertionError(rule)
