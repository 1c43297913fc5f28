"""The tasks of a project: their family, cluster and log, and the network a new task is started in."""

from __future__ import annotations

from dataclasses import dataclass

from handoff_kit import resource_names
from handoff_kit.fargate.known import Known
from handoff_kit.fargate.network import Network, needs_shared, network
from handoff_kit.remote import connection
from handoff_kit.remote.errors import AWSError
from handoff_kit.remote.stack import Stack
from handoff_kit.resource_names import CONTAINER
from handoff_kit.settings.deploy import Deploy
from handoff_kit.stacks import deployed
from handoff_kit.stacks.deployed import Deployed


@dataclass(frozen=True)
class Cluster:
    """`name` is the cluster's name or ARN."""

    stack: Stack
    name: str
    known: Known

    @property
    def family(self) -> str:
        """The family of the task definitions."""
        return resource_names.family(self.stack.name)

    @property
    def log_group(self) -> str:
        """The log group of the tasks."""
        return resource_names.log_group(self.stack.name)

    def log_stream(self, task: str) -> str:
        """The log stream of a task, by its id."""
        return f"{resource_names.log_prefix()}/{CONTAINER}/{task}"


def cluster_of(stack: Stack, deploy: Deploy) -> Cluster:
    """The tasks of a project, by names alone; nothing is called."""
    file = f"projects/{stack.project}/project.yml"
    known = Known(stack.options, file, stack.name, deploy.public_ip, deploy.stop_timeout)
    return Cluster(stack, deploy.cluster or resource_names.cluster(stack.environment), known)


def read_network(stack: Stack, deploy: Deploy) -> Network:
    """The network a new task is started in; AWSError where the project is not deployed."""
    task = deployed.read(stack.clients, stack.name)
    if task is None or "TaskDefinition" not in task.outputs:
        raise not_deployed(stack, task)
    shared_name = resource_names.shared(stack.environment)
    shared = deployed.read(stack.clients, shared_name) if needs_shared(deploy, bucket=True) else None
    clusters = ":".join([*task.outputs["TaskDefinition"].split(":")[:5], "cluster/"])  # arn:aws:ecs:REGION:ACCOUNT:
    outputs = shared.outputs if shared else {}
    found = network(deploy, clusters, outputs, task.outputs, resource_names.cluster(stack.environment))
    if not found.subnets:
        message = f"stack {shared_name}: found no subnets, expected those of the shared network"
        raise AWSError(message, f"invoke deploy {stack.options}")
    return found


def not_deployed(stack: Stack, task: Deployed | None = None) -> AWSError:
    """The error for a project without a task definition."""
    where = f"in status {task.status}, without a task" if task else f"none in {connection.place(stack.clients)}"
    return AWSError(
        f"stack {stack.name}: found {where}, expected the project deployed", f"invoke deploy {stack.options}"
    )
