"""The request that starts a task, as RunTask takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handoff_kit.fargate.overrides import overrides

if TYPE_CHECKING:
    from handoff_kit.fargate.network import Network
    from handoff_kit.fargate.overrides import Asked

__all__ = ["STARTED_BY", "run_task"]

STARTED_BY = "handoff-run"


def run_task(network: Network, family: str, asked: Asked) -> dict[str, Any]:
    """RunTask without its client token, which each start has of its own."""
    return {
        "cluster": network.cluster,
        "taskDefinition": family,
        "count": 1,
        **network.capacity,
        "networkConfiguration": network.configuration,
        "overrides": overrides(asked),
        "startedBy": STARTED_BY,
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": True,
    }
