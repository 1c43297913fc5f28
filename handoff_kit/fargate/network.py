"""Where a task runs: its cluster, its subnets and security groups, and on what capacity.

Each is the project's own where `deploy` in the project file names one, else what the shared stack made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff_kit.project.deploy_settings import Deploy

__all__ = ["Network", "needs_shared", "network"]


@dataclass(frozen=True)
class Network:
    """Where a task runs, by the ids that RunTask takes; `cluster` is an ARN."""

    cluster: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    public_ip: bool
    spot: bool

    @property
    def configuration(self) -> dict[str, Any]:
        """`networkConfiguration` of RunTask."""
        address = "ENABLED" if self.public_ip else "DISABLED"
        groups = list(self.security_groups)
        return {
            "awsvpcConfiguration": {"subnets": list(self.subnets), "securityGroups": groups, "assignPublicIp": address}
        }

    @property
    def capacity(self) -> dict[str, Any]:
        """`launchType` of RunTask, which an own cluster needs no capacity provider for; with Spot it needs that."""
        if self.spot:
            return {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
        return {"launchType": "FARGATE"}


def needs_shared(deploy: Deploy, *, bucket: bool) -> bool:
    """Whether a project takes anything of the shared stack; `bucket`: whether that is named elsewhere."""
    own = (deploy.subnets, deploy.security_groups or deploy.vpc, deploy.cluster, deploy.bucket or bucket, deploy.alerts)
    return not all(own)


def network(deploy: Deploy, clusters: str, shared: Mapping[str, str], task: Mapping[str, str], name: str) -> Network:
    """The network of a project, from the outputs of the shared stack and of its task stack.

    `clusters` is what the ARN of a cluster begins with, `name` the shared cluster's.
    """
    own_group = task.get("SecurityGroup", "")
    groups = deploy.security_groups or ((own_group,) if own_group else (shared.get("SecurityGroup", ""),))
    subnets = deploy.subnets or tuple(filter(None, shared.get("Subnets", "").split(",")))
    cluster = deploy.cluster or name
    arn = cluster if cluster.startswith("arn:") else f"{clusters}{cluster}"
    return Network(arn, subnets, tuple(filter(None, groups)), deploy.public_ip, deploy.spot)
