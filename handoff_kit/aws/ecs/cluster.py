"""The tasks of a project: their family, cluster and log, and the network a new task is started in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import describe_existing
from handoff_kit.aws.session import describe_location
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.resource_names import CONTAINER


@dataclass(frozen=True)
class TaskNetwork:
    """The ids that RunTask takes; `cluster` is an ARN."""

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
        """The launch type, which works in any cluster; Spot needs the cluster's capacity provider."""
        if self.spot:
            return {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
        return {"launchType": "FARGATE"}


def needs_shared_stack(deploy: Deploy, *, bucket: bool) -> bool:
    """Whether a project uses the shared stack; with `bucket` it does not use its bucket."""
    own = (deploy.subnets, deploy.security_groups or deploy.vpc, deploy.cluster, deploy.bucket or bucket, deploy.alerts)
    return not all(own)


def resolve_network(
    deploy: Deploy, clusters: str, shared: Mapping[str, str], task: Mapping[str, str], name: str
) -> TaskNetwork:
    """The network of a project, from the outputs of the shared stack and of its task stack.

    `clusters` is what the ARN of a cluster begins with, `name` the shared cluster's.
    """
    deployed_groups = task.get("SecurityGroups") or task.get("SecurityGroup") or shared.get("SecurityGroup", "")
    groups = deploy.security_groups or deployed_groups.split(",")
    subnets = deploy.subnets or tuple(filter(None, shared.get("Subnets", "").split(",")))
    cluster = deploy.cluster or name
    arn = cluster if cluster.startswith("arn:") else f"{clusters}{cluster}"
    return TaskNetwork(arn, subnets, tuple(filter(None, groups)), deploy.public_ip, deploy.spot)


@dataclass(frozen=True)
class ProjectTasks:
    """`cluster` is the name or the ARN of the cluster, `stop_timeout` in seconds."""

    target: Target
    cluster: str
    public_ip: bool = True
    stop_timeout: int = 30

    @property
    def family(self) -> str:
        return resource_names.family(self.target.name)

    @property
    def log_group(self) -> str:
        return resource_names.log_group(self.target.name)

    @property
    def file(self) -> str:
        """The project file, for messages."""
        return f"projects/{self.target.project}/project.yml"

    def invoke(self, task: str) -> str:
        """A command for the project, for hints."""
        return f"invoke {task} {self.target.options}"

    def log_stream(self, task: str) -> str:
        return f"{resource_names.log_prefix()}/{CONTAINER}/{task}"


def tasks_of_project(target: Target, deploy: Deploy) -> ProjectTasks:
    """The tasks of a project, by names alone; nothing is called."""
    cluster = deploy.cluster or resource_names.cluster(target.environment)
    return ProjectTasks(target, cluster, deploy.public_ip, deploy.stop_timeout)


def describe_network(target: Target, deploy: Deploy) -> TaskNetwork:
    """The network a new task is started in; AWSError where the project is not deployed."""
    task = describe_existing(target.session, target.name)
    if task is None or "TaskDefinition" not in task.outputs:
        where = f"in status {task.status}, without a task" if task else f"none in {describe_location(target.session)}"
        message = f"stack {target.name}: found {where}, expected the project deployed"
        raise AWSError(message, f"invoke deploy {target.options}")
    shared_name = resource_names.shared_stack(target.environment)
    shared = describe_existing(target.session, shared_name) if needs_shared_stack(deploy, bucket=True) else None
    clusters = ":".join([*task.outputs["TaskDefinition"].split(":")[:5], "cluster/"])  # arn:aws:ecs:REGION:ACCOUNT:
    outputs = shared.outputs if shared else {}
    network = resolve_network(deploy, clusters, outputs, task.outputs, resource_names.cluster(target.environment))
    if not network.subnets:
        message = f"stack {shared_name}: found no subnets, expected those of the shared network"
        raise AWSError(message, f"invoke deploy {target.options}")
    return network
