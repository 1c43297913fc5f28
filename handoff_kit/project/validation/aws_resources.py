"""Rules for existing resources in AWS: policies and network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from handoff_kit.project.fields import as_list
from handoff_kit.project.model import PROJECT_FILE
from handoff_kit.project.patterns import (
    MAX_ALERTS,
    MAX_GROUPS,
    MAX_INLINE,
    MAX_MANAGED,
    MAX_SUBNETS,
    OWN_INLINE,
    POLICY_ARN,
    matches,
)
from handoff_kit.project.problem import describe_value, shorten
from handoff_kit.project.validation.fault import Fault, duplicate, label
from handoff_kit.project.validation.keys import is_misspelt
from handoff_kit.project.yaml_reader import KeyPath, YamlFile
from handoff_kit.text import plural

_SUBNETS = PROJECT_FILE.at(("deploy", "subnets")).key.example
_NEEDED = ("Action", "Resource")
_SHORTEST = {"AccountId": 12 * "0", "Partition": "aws", "Region": "us-east-1"}
_TASK = ("a task takes no more", "take the line out for the shared ones")
_LISTS: dict[KeyPath, tuple[int, str, str]] = {
    ("deploy", "subnets"): (MAX_SUBNETS, *_TASK),
    ("deploy", "security_groups"): (MAX_GROUPS, *_TASK),
    ("alerts",): (MAX_ALERTS, "for more, name an SNS topic", "take the line out: then alerts go to the shared topic"),
}
"""Lists of distinct items: the most, why, and the hint for an empty one."""


def managed_policies(source: YamlFile) -> Iterator[Fault]:
    """ARNs of managed policies that are repeated, or more than a role can have."""
    first: dict[str, KeyPath] = {}
    for key_path, value in source.texts("deploy", "policies"):
        if not matches(POLICY_ARN, value):
            continue
        if (earlier := first.setdefault(value, key_path)) != key_path:
            yield duplicate(source, key_path, earlier, f"`{shorten(value, 80)}`")
        elif len(first) == MAX_MANAGED + 1:
            message = f"`policies` names more than {MAX_MANAGED} managed policies, and a role can have no more"
            yield Fault(key_path, message, "write what the task really needs of them as statements")


def incomplete_statements(source: YamlFile) -> Iterator[Fault]:
    """Statements without Action or Resource."""
    for key_path, statement in source.mappings("deploy", "policies"):
        for key in _NEEDED:
            declared = PROJECT_FILE.at((*key_path, key))
            if key not in statement and not is_misspelt(statement, key_path, key):
                message = f"{label(key_path)} has no `{key}`, expected {declared.key.expected}"
                yield Fault(key_path, message, declared.hint)
            elif statement.get(key) == []:
                yield Fault((*key_path, key), f"`{key}` is an empty list, expected at least one", declared.hint)


def statement_ids(source: YamlFile) -> Iterator[Fault]:
    """Statements with a repeated Sid."""
    first: dict[str, KeyPath] = {}
    for key_path, statement in source.mappings("deploy", "policies"):
        id_path = (*key_path, "Sid")
        if isinstance(name := statement.get("Sid"), str) and (earlier := first.setdefault(name, id_path)) != id_path:
            message = f"the statement `{shorten(name)}` is there already, on line {source.line(earlier)}"
            yield Fault(id_path, message, f"give it another name: Sid: {shorten(name)}2")


def inline_policies(source: YamlFile) -> Iterator[Fault]:
    """Statements that are too long for the role of a task, even with the shortest names of resources."""
    statements = [statement for _, statement in source.mappings("deploy", "policies")]
    lists = [{key: as_list(statement[key]) for key in _NEEDED if key in statement} for statement in statements]
    rendered = [{"Effect": "Allow", **each, **own} for each, own in zip(statements, lists, strict=True)]
    text = json.dumps(rendered, ensure_ascii=False)
    for name, filled in _SHORTEST.items():
        text = text.replace(f"${{AWS::{name}}}", filled)
    if (length := len(re.sub(r"\s", "", text))) > (most := MAX_INLINE - OWN_INLINE):
        found = f"{plural(len(statements), 'statement')} of {length:,} characters in `policies`"
        message = f"found {found}, expected at most {most:,}: the role of a task takes no more"
        hint = "write one statement with lists of actions and resources; or a policy in IAM, and its ARN here"
        yield Fault(("deploy", "policies"), message, hint, on_key=True)


def list_counts(source: YamlFile) -> Iterator[Fault]:
    """Lists that are empty, too long, or with a repeated item."""
    for key_path, (most, why, hint) in _LISTS.items():
        value, name = source.find(*key_path), label(key_path)
        if value == []:
            yield Fault(key_path, f"{name} is an empty list, expected at least one", hint)
        elif isinstance(value, list) and len(value) > most:
            message = f"{name} has {len(value)} items, expected at most {most}: {why}"
            yield Fault(key_path, message, "take some out", on_key=True)
        first: dict[str, KeyPath] = {}
        for item_path, text in source.texts(*key_path):
            if (earlier := first.setdefault(text.removeprefix("sns:"), item_path)) != item_path:
                yield duplicate(source, item_path, earlier, describe_value(text))


def two_alerts(source: YamlFile) -> Iterator[Fault]:
    """`alerts` in both places."""
    if "alerts" in source.mapping() and "alerts" in source.mapping("deploy"):
        message = "found `alerts` of `deploy` beside `alerts`, expected one of them"
        yield Fault(
            ("deploy", "alerts"), message, "write the ARN as an item of `alerts` at the left margin", on_key=True
        )


def network_combinations(source: YamlFile) -> Iterator[Fault]:
    """Invalid combinations of VPC, subnets and security groups."""
    deploy = source.mapping("deploy")
    if "vpc" in deploy and "security_groups" in deploy:
        message = "found `security_groups` beside `vpc`, expected one of them"
        hint = "with vpc handoff creates a security group; with security_groups it uses yours"
        yield Fault(("deploy", "security_groups"), message, hint, on_key=True)
    elif "vpc" in deploy and "subnets" not in deploy:
        message = "found `vpc` without `subnets`, expected those of its subnets that tasks may run in"
        yield Fault(("deploy", "vpc"), message, f"add them: {_SUBNETS}", on_key=True)
    elif deploy.get("subnets") and not {"vpc", "security_groups"} & deploy.keys():
        message = "found `subnets` without `vpc` or `security_groups`, expected one of them"
        hint = "name the VPC they are in: vpc: vpc-0a1b2c3d; or your own groups: security_groups: [sg-0a1b2c3d]"
        yield Fault(("deploy", "subnets"), message, hint, on_key=True)
