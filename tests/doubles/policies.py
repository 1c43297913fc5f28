"""What a role may do, as IAM decides it for the few kinds of statement that our templates have.

LocalStack asks nobody's permission, and what it simulates compares texts only.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Statement:
    """One statement of a policy."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, Any]]

    def covers(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether it speaks of this; in a condition nobody has the values that are not told."""
        named = any(_like(each.lower(), action.lower()) for each in self.actions)
        return named and any(_like(each, resource) for each in self.resources) and self._holds(context)

    def _holds(self, context: Mapping[str, str]) -> bool:
        return all(
            any(_holds(operator, wanted, context.get(key)) for wanted in _listed(values))
            for operator, keys in self.conditions.items()
            for key, values in keys.items()
        )


def statements(iam: Any, role: str) -> list[Statement]:
    """The statements of a role: its own policies, and those that are attached to it."""
    name = role.rpartition("/")[2]
    own = [
        iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
        for each in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    attached = [each["PolicyArn"] for each in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]]
    return [each for document in [*own, *(_document(iam, arn) for arn in attached)] for each in _read(document)]


def may(
    allowed: Iterable[Statement], action: str, resource: str = "*", context: Mapping[str, str] | None = None
) -> bool:
    """Whether it is allowed, and not denied."""
    found = {each.effect for each in allowed if each.covers(action, resource, context or {})}
    return found == {"Allow"}


def trusts(iam: Any, role: str, service: str) -> bool:
    """Whether a service may assume a role, which is there."""
    try:
        document = iam.get_role(RoleName=role.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    except iam.exceptions.NoSuchEntityException:
        return False
    found = [each.get("Principal", {}).get("Service", ()) for each in _listed(document["Statement"])]
    return f"{service}.amazonaws.com" in [name for names in found for name in _listed(names)]


def _document(iam: Any, arn: str) -> Any:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def _read(document: Any) -> list[Statement]:
    result = json.loads(document) if isinstance(document, str) else document
    return [
        Statement(each["Effect"], _listed(each["Action"]), _listed(each.get("Resource", ())), each.get("Condition", {}))
        for each in _listed(result["Statement"])
    ]


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _like(pattern: str, value: str) -> bool:
    """`*` and `?` stand for anything."""
    words = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(words, value, re.DOTALL) is not None


def _holds(operator: str, wanted: str, found: str | None) -> bool:
    """An operator this does not know is a mistake of ours."""
    kind = operator.removesuffix("IfExists").removeprefix("ForAllValues:").lower()
    if found is None:
        return operator.endswith("IfExists") or operator.startswith("ForAllValues:")
    known = {
        "stringequals": lambda: wanted == found,
        "stringlike": lambda: _like(wanted, found),
        "arnlike": lambda: _like(wanted, found),
        "arnequals": lambda: _like(wanted, found),
        "bool": lambda: str(wanted).lower() == found.lower(),
    }
    return known[kind]()
