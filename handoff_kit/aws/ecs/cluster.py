"""The tasks of a project: their family, cluster and log."""

from __future__ import annotations

from dataclasses import dataclass

from handoff_kit import resource_names
from handoff_kit.aws.target import Target
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.resource_names import CONTAINER


def needs_shared_stack(deploy: Deploy, *, bucket: bool) -> bool:
    """Whether a project uses the shared stack; with `bucket` it does not use its bucket."""
    own = (deploy.subnets, deploy.security_groups or deploy.vpc, deploy.cluster, deploy.bucket or bucket, deploy.alerts)
    return not all(own)


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
