"""Drift: which properties of a stack's resources differ from its template, as CloudFormation finds out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handoff_kit.aws.cloudformation.stack import CLOUDFORMATION
from handoff_kit.aws.cloudformation.wait import PollPolicy
from handoff_kit.console import Say
from handoff_kit.errors import AWSError, translate_store_errors
from handoff_runtime.aws.session import Session

DRIFTED = ("MODIFIED", "DELETED")
DIFFERENCES = {"ADD": "added", "REMOVE": "removed", "NOT_EQUAL": "changed"}


@dataclass(frozen=True)
class DriftedResource:
    """A resource that is not as its template says; `differences` are paths of properties, without their values."""

    name: str
    kind: str
    id: str
    differences: tuple[str, ...] = ()
    is_deleted: bool = False


def detect_drift(session: Session, stack: str, say: Say, policy: PollPolicy) -> tuple[DriftedResource, ...]:
    """Have CloudFormation compare every resource of a stack, which takes minutes, and wait for that."""
    with translate_store_errors():
        started = session.call(CLOUDFORMATION, "detect_stack_drift", StackName=stack)
        request = {"StackDriftDetectionId": started["StackDriftDetectionId"]}
        said = ""
        for seconds in policy.polls():
            status = session.call(CLOUDFORMATION, "describe_stack_drift_detection_status", **request)
            if status["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                break
            if (minute := f"{seconds / 60:.0f}") != said:
                say(f"stack {stack}: comparing its resources with its template ({minute} minutes)")
            said = minute
        else:
            raise AWSError(f"stack {stack}: its drift is still being detected", "try again later")
        if status["DetectionStatus"] == "DETECTION_FAILED":
            say(f"note: stack {stack}: {status.get('DetectionStatusReason', 'not every resource was compared')}")
        return _read_drifts(session, stack)


def _read_drifts(session: Session, stack: str) -> tuple[DriftedResource, ...]:
    request: dict[str, Any] = {"StackName": stack, "StackResourceDriftStatusFilters": list(DRIFTED), "MaxResults": 100}
    found: list[DriftedResource] = []
    while True:
        page = session.call(CLOUDFORMATION, "describe_stack_resource_drifts", **request)
        found += map(parse_drift, page["StackResourceDrifts"])
        if not page.get("NextToken"):
            return tuple(found)
        request["NextToken"] = page["NextToken"]


def parse_drift(drift: Mapping[str, Any]) -> DriftedResource:
    """A StackResourceDrift; values are left out, since they may be secret."""
    differences = tuple(
        f"{one['PropertyPath'].strip('/').replace('/', '.')} {DIFFERENCES.get(one['DifferenceType'], 'changed')}"
        for one in drift.get("PropertyDifferences", ())
    )
    is_deleted = drift["StackResourceDriftStatus"] == "DELETED"
    names = drift["LogicalResourceId"], drift["ResourceType"], drift.get("PhysicalResourceId", "")
    return DriftedResource(*names, differences, is_deleted)
