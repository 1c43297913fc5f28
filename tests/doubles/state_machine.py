"""The state machine of a project as its template has it, and what a Choice of it decides."""

from __future__ import annotations

import re
from typing import Any

from doubles.rendered_templates import ROOT, understood
from handoff_kit.deploy.templates import render_task_template
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.project.model import Project

STACK = "handoff-dev-rates"


def machine(deploy: Deploy | None = None) -> dict[str, Any]:
    """The definition in the template of the task stack, where Fn::Sub is a function of YAML as well."""
    project = Project.model_validate({"commands": [{"command": "a"}], "deploy": deploy or Deploy()})
    text = render_task_template(ROOT, "rates", project, STACK, "dev")
    definition: dict[str, Any] = understood(text)["Resources"]["Machine"]["Properties"]["Definition"]
    return definition


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
