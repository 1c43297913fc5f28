"""How often AWS is called where nothing has changed: the figures that are set for it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from doubles.deployed_project import DeployedProject

pytestmark = pytest.mark.takes(45)

MOST = 12


def test_a_deployment_that_changes_nothing_makes_few_calls(clean_account: DeployedProject) -> None:
    """Of one project; the shared stack, the registry and the task are looked at, and what they hold.

    The task's stack is described twice: before anything is planned, since it says which bucket is used, and when it is
    compared. Nobody looks then whether that bucket is there.
    """
    with clean_account.recorded() as calls:
        result = clean_account.must("deploy")
    assert "no changes: the deployment is up to date" in result.stderr
    found = Counter(call.name for call in calls)
    assert found == {
        "sts:GetCallerIdentity": 1,
        "cloudformation:DescribeStacks": 4,
        "cloudformation:GetTemplate": 3,
        "s3:ListObjectsV2": 1,
        "ssm:GetParameter": 1,
        "ecr:DescribeImages": 1,
    }
    assert found.total() <= MOST


def test_what_is_only_told_makes_no_more(clean_account: DeployedProject) -> None:
    with clean_account.recorded() as calls:
        clean_account.must("deploy", "--dry")
    assert len(calls) <= MOST
