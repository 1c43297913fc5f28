"""Where a project's tasks are, and what they are started from: its task stack, and its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit.fargate.known import Known
from handoff_kit.fargate.network import Network, needs_shared, network
from handoff_kit.remote import connection, names
from handoff_kit.remote.errors import AWSError
from handoff_kit.stacks import deployed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff_kit.project.deploy_settings import Deploy
    from handoff_kit.remote.stack import Stack
    from handoff_kit.stacks.deployed import Deployed

__all__ = ["Cluster", "cluster_of", "not_deployed", "read_network"]


@dataclass(frozen=True)
class Cluster:
    """The tasks of one project: `name` is their cluster's name or ARN."""

    stack: Stack
    name: str
    known: Known

    @property
    def family(self) -> str:
        """What RunTask is given, and ListTasks."""
        return names.family(self.stack.name)

    @property
    def log_group(self) -> str:
        """Where they log to."""
        return names.log_group(self.stack.name)

    def log_stream(self, task: str) -> str:
        """Where one of them logs to."""
        return f"{names.log_prefix()}/{names.CONTAINER}/{task}"


def cluster_of(stack: Stack, deploy: Deploy) -> Cluster:
    """The tasks of a project, by names alone: no stack needs to be read for what runs already."""
    file = f"projects/{stack.project}/project.yml"
    known = Known(stack.options, file, stack.name, deploy.public_ip, deploy.stop_timeout)
    return Cluster(stack, deploy.cluster or names.cluster(stack.environment), known)


def read_network(stack: Stack, deploy: Deploy) -> Network:
    """Where a new task is to run; AWSError where the project is not deployed."""
    task = deployed.read(stack.clients, stack.name)
    if task is None or "TaskDefinition" not in task.outputs:
        raise not_deployed(stack, task)
    shared = _shared(stack) if needs_shared(deploy, bucket=True) else {}
    found = network(deploy, _clusters(task), shared, task.outputs, names.cluster(stack.environment))
    if not found.subnets:
        message = f"stack {names.shared(stack.environment)}: found no subnets, expected those of the shared network"
        raise AWSError(message, f"invoke deploy {stack.options}")
    return found


def not_deployed(stack: Stack, task: Deployed | None = None) -> AWSError:
    """There is nothing to run."""
    where = f"stack {stack.name}: found "
    what = f"in status {task.status}, without a task" if task else f"none in {connection.place(stack.clients)}"
    return AWSError(f"{where}{what}, expected the project deployed", f"invoke deploy {stack.options}")


def _shared(stack: Stack) -> Mapping[str, str]:
    found = deployed.read(stack.clients, names.shared(stack.environment))
    return found.outputs if found else {}


def _clusters(task: Deployed) -> str:
    """What the ARN of a cluster begins with: arn:PARTITION:ecs:REGION:ACCOUNT: as that of the task definition."""
    return ":".join([*task.outputs["TaskDefinition"].split(":")[:5], "cluster/"])
