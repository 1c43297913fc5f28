"""The request of RunTask."""

from __future__ import annotations

from typing import Any

from handoff_kit.fargate.network import Network
from handoff_kit.fargate.overrides import Asked, overrides

STARTED_BY = "handoff-run"


def run_task(network: Network, family: str, options: Asked) -> dict[str, Any]:
    """The request without its client token, which is another one for each attempt."""
    return {
        "cluster": network.cluster,
        "taskDefinition": family,
        "count": 1,
        **network.capacity,
        "networkConfiguration": network.configuration,
        "overrides": overrides(options),
        "startedBy": STARTED_BY,
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": True,
    }
