"""What a project uses of your own in AWS: policies, network, cluster, bucket and topic."""

from __future__ import annotations

from collections.abc import Iterator

from handoff_kit.project.model import PROJECT_FILE
from handoff_kit.project.patterns import MAX_GROUPS, MAX_MANAGED, MAX_SUBNETS, POLICY_ARN, matches
from handoff_kit.project.problem import describe_value, shorten
from handoff_kit.project.validation.fault import Fault, ProjectFileView, items, label
from handoff_kit.project.validation.keys import is_misspelt
from handoff_kit.project.yaml_reader import KeyPath

_SUBNETS = PROJECT_FILE.at(("deploy", "subnets")).key.example
_NEEDED = ("Action", "Resource")
_MOST = {"subnets": MAX_SUBNETS, "security_groups": MAX_GROUPS}


def managed_policies(outline: ProjectFileView) -> Iterator[Fault]:
    """ARNs of managed policies that are there already, and those that are too many."""
    first: dict[str, KeyPath] = {}
    for trail, value in outline.deploy_texts("policies"):
        if not matches(POLICY_ARN, value):
            continue
        if (earlier := first.setdefault(value, trail)) != trail:
            line = outline.source.line(earlier)
            message = f"`{shorten(value, 80)}` is given a second time, the first is on line {line}"
            yield Fault(trail, message, "keep one of the two")
        elif len(first) == MAX_MANAGED + 1:
            message = f"`policies` names more than {MAX_MANAGED} managed policies, and a role can have no more"
            yield Fault(trail, message, "write what the task really needs of them as statements")


def incomplete_statements(outline: ProjectFileView) -> Iterator[Fault]:
    """Statements without what they need."""
    for trail, statement in outline.statements():
        for key in _NEEDED:
            declared = PROJECT_FILE.at((*trail, key))
            if key not in statement and not is_misspelt(statement, trail, key):
                message = f"{label(trail)} has no `{key}`, expected {declared.key.expected}"
                yield Fault(trail, message, declared.hint)
            elif statement.get(key) == []:
                yield Fault((*trail, key), f"`{key}` is an empty list, expected at least one", declared.hint)


def statement_ids(outline: ProjectFileView) -> Iterator[Fault]:
    """Statements of one name."""
    first: dict[str, KeyPath] = {}
    for trail, statement in outline.statements():
        here = (*trail, "Sid")
        if isinstance(name := statement.get("Sid"), str) and (earlier := first.setdefault(name, here)) != here:
            message = f"the statement `{shorten(name)}` is there already, on line {outline.source.line(earlier)}"
            yield Fault(here, message, f"give it another name: Sid: {shorten(name)}2")


def network_counts(outline: ProjectFileView) -> Iterator[Fault]:
    """Lists that are empty, too long, or name something twice."""
    for key, most in _MOST.items():
        value = outline.deploy().get(key)
        trail: KeyPath = ("deploy", key)
        if value == []:
            message = f"`{key}` is an empty list, expected at least one"
            yield Fault(trail, message, "take the line out for the shared ones")
        elif len(items(value)) > most:
            message = f"`{key}` has {len(items(value))} items, expected at most {most}: a task takes no more"
            yield Fault(trail, message, "take some out", on_key=True)
        yield from _repeated(trail, outline)


def network_combinations(outline: ProjectFileView) -> Iterator[Fault]:
    """A VPC, subnets and security groups that do not go together."""
    deploy = outline.deploy()
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


def _repeated(trail: KeyPath, outline: ProjectFileView) -> Iterator[Fault]:
    first: dict[str, KeyPath] = {}
    for here, value in outline.deploy_texts(str(trail[1])):
        if len(here) > len(trail) and (earlier := first.setdefault(value, here)) != here:
            message = (
                f"{describe_value(value)} is given a second time, the first is on line {outline.source.line(earlier)}"
            )
            yield Fault(here, message, "keep one of the two")
