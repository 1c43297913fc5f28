"""What a project brings of its own in AWS: its network, cluster, bucket and topic, by id, name or ARN."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.faults.fault import Fault, label, told
from handoff_kit.faults.outline import items
from handoff_kit.forms import (
    CLUSTER,
    MAX_GROUPS,
    MAX_SUBNETS,
    SECURITY_GROUP,
    SUBNET,
    TOPIC_ARN,
    VPC,
    is_bucket,
    is_form,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.faults.outline import Outline
    from handoff_kit.source import Trail

_ID = "and 8 or 17 of the digits 0 to 9 and a to f"
_SUBNETS = "write it like this: subnets: [subnet-0a1b2c3d, subnet-4e5f6a7b]"
_GROUPS = "write it like this: security_groups: [sg-0a1b2c3d]"
SHAPES: dict[str, tuple[tuple[str, str], ...]] = {
    "vpc": ((f"the id of a VPC, vpc- {_ID}", "aws ec2 describe-vpcs --query 'Vpcs[].VpcId' tells them"),),
    "subnets": (
        ("a list of subnets", _SUBNETS),
        (
            f"the id of a subnet, subnet- {_ID}",
            "aws ec2 describe-subnets --query 'Subnets[].[VpcId,SubnetId]' tells them",
        ),
    ),
    "security_groups": (
        ("a list of security groups", _GROUPS),
        (
            f"the id of a security group, sg- {_ID}",
            "aws ec2 describe-security-groups --query 'SecurityGroups[].[VpcId,GroupName,GroupId]' tells them",
        ),
    ),
    "cluster": (("the name of an ECS cluster, or its ARN", "aws ecs list-clusters tells them"),),
    "bucket": (("the name of a bucket, 3 to 63 lower-case letters, digits, - and .", "aws s3 ls tells them"),),
    "alerts": (("the ARN of an SNS topic", "aws sns list-topics tells them"),),
}
_FORMS = {"vpc": VPC, "subnets": SUBNET, "security_groups": SECURITY_GROUP, "cluster": CLUSTER, "alerts": TOPIC_ARN}
_SCHEME = re.compile("^(s3://|arn:aws[a-z-]*:s3:::)")
_MOST = {"subnets": MAX_SUBNETS, "security_groups": MAX_GROUPS}


def rewritten(trail: Trail, found: str) -> str | None:
    """How a text would be right that stands where a list belongs."""
    if trail in {("deploy", "subnets"), ("deploy", "security_groups")} and found.strip():
        words = re.findall(r"[^\s,]+", found)
        return f"write it as a list: {trail[1]}: [{', '.join(words)}]"
    return None


def forms(outline: Outline) -> Iterator[Fault]:
    """Ids, names and ARNs that are none."""
    for trail, value in outline.deploy_texts(*_FORMS, "bucket"):  # a text for a list was told already
        if not _is_right(str(trail[1]), value):
            expected, hint = SHAPES[str(trail[1])][-1]
            message = f"{label(trail)} is {told(value)}, expected {expected}"
            yield Fault(trail, message, _meant(str(trail[1]), value) or hint)


def counts(outline: Outline) -> Iterator[Fault]:
    """Lists that are empty, too long, or name something twice."""
    for key, most in _MOST.items():
        value = outline.deploy().get(key)
        trail: Trail = ("deploy", key)
        if value == []:
            message = f"`{key}` is an empty list, expected at least one"
            yield Fault(trail, message, "take the line out for the shared ones")
        elif len(items(value)) > most:
            message = f"`{key}` has {len(items(value))} items, expected at most {most}: a task takes no more"
            yield Fault(trail, message, "take some out", on_key=True)
        yield from _repeated(trail, outline)


def belonging(outline: Outline) -> Iterator[Fault]:
    """A VPC, subnets and security groups that do not go together."""
    deploy = outline.deploy()
    if "vpc" in deploy and "security_groups" in deploy:
        message = "found `security_groups` beside `vpc`, expected one of them"
        hint = "with vpc the project gets a security group of its own; with security_groups it takes yours"
        yield Fault(("deploy", "security_groups"), message, hint, on_key=True)
    elif "vpc" in deploy and "subnets" not in deploy:
        message = "found `vpc` without `subnets`, expected those of its subnets that tasks may run in"
        yield Fault(("deploy", "vpc"), message, f"add them: {_SUBNETS.partition(': ')[2]}", on_key=True)
    elif deploy.get("subnets") and not {"vpc", "security_groups"} & deploy.keys():
        message = "found `subnets` without `vpc` or `security_groups`, expected one of them"
        hint = "name the VPC they are in: vpc: vpc-0a1b2c3d; or your own groups: security_groups: [sg-0a1b2c3d]"
        yield Fault(("deploy", "subnets"), message, hint, on_key=True)


def _repeated(trail: Trail, outline: Outline) -> Iterator[Fault]:
    first: dict[str, Trail] = {}
    for here, value in outline.deploy_texts(str(trail[1])):
        if len(here) > len(trail) and (earlier := first.setdefault(value, here)) != here:
            message = f"{told(value)} is given a second time, the first is on line {outline.source.line(earlier)}"
            yield Fault(here, message, "keep one of the two")


def _is_right(key: str, value: str) -> bool:
    return is_bucket(value) if key == "bucket" else is_form(_FORMS[key], value)


def _meant(key: str, value: str) -> str | None:
    """The value that was most likely meant, if one can be seen in it."""
    text = value.strip()
    if key == "bucket":
        name = _SCHEME.sub("", text.lower()).partition("/")[0].replace("_", "-").strip("-.")
        return f"did you mean `{name}`?" if is_bucket(name) else None
    lower = text if key in {"cluster", "alerts"} else text.lower()
    if _is_right(key, lower):
        return f"did you mean `{lower}`?"
    if key == "alerts" and re.fullmatch(r"[A-Za-z0-9_-]+", text):
        return f"write the whole ARN: arn:aws:sns:REGION:ACCOUNT:{text}"
    other = next((name for name, form in _FORMS.items() if name != "cluster" and is_form(form, lower)), None)
    return f"that belongs to `{other}`" if other else None
