"""What a project's task may do in AWS: just what a run of it asks for, and what `deploy.policies` adds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from handoff_runtime import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handoff_kit.project.deploy_settings import Statement

__all__ = ["arns", "statements", "written"]

_FILLED = re.compile(r"\$\{AWS::(?:AccountId|Partition|Region)\}")
_OTHER = re.compile(r"\$\{(?!AWS::(?:AccountId|Partition|Region)\})")


def written(stack: str) -> tuple[str, ...]:
    """What the keys match that a run writes; the files of a project are pushed, and only read by it."""
    below = (keys.artifacts(stack), keys.run(stack, "").removesuffix("/"), keys.history(stack))
    return (keys.lease(stack), *(f"{prefix}*" for prefix in below))


def arns(policies: Iterable[str | Statement]) -> list[str]:
    """Of a project's policies the managed ones."""
    return [policy for policy in policies if isinstance(policy, str)]


def statements(policies: Iterable[str | Statement]) -> list[dict[str, Any]]:
    """Of a project's policies the statements, as CloudFormation takes them."""
    return [_statement(policy) for policy in policies if not isinstance(policy, str)]


def _statement(policy: Statement) -> dict[str, Any]:
    conditions = {
        operator: {key: _texts(values) for key, values in pairs.items()} for operator, pairs in policy.Condition.items()
    }
    made: dict[str, Any] = {"Sid": policy.Sid, "Effect": policy.Effect, "Action": list(policy.Action)}
    made |= {"Resource": _texts(policy.Resource), "Condition": conditions}
    return {key: value for key, value in made.items() if value}


def _texts(values: Sequence[str]) -> list[str | dict[str, str]]:
    return [_text(value) for value in values]


def _text(value: str) -> str | dict[str, str]:
    """What CloudFormation fills is filled; IAM's own variables, as ${aws:username}, are left to IAM."""
    return {"Fn::Sub": _OTHER.sub("${!", value)} if _FILLED.search(value) else value
