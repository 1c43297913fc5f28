"""The tasks of a project: their family, cluster and log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.session import DeployedProject
from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.project.model import Project
from handoff_kit.project.recipients import recipients_of
from handoff_kit.resource_names import CONTAINER


def needs_shared_stack(project: Project, *, bucket: bool) -> bool:
    """Whether a project uses the shared stack; with `bucket` it does not use its bucket."""
    deploy, alerts = project.deploy, bool(recipients_of(project))
    own = (deploy.subnets, deploy.security_groups or deploy.vpc, deploy.cluster, deploy.bucket or bucket, alerts)
    return not all(own)


@dataclass(frozen=True)
class ProjectTasks:
    """`cluster` is the name or the ARN of the cluster, `stop_timeout` in seconds.

    `machine` is the ARN of the state machine, empty where the project is not deployed, or by a version without one.
    """

    target: Target
    cluster: str
    public_ip: bool = True
    stop_timeout: int = 30
    machine: str = ""

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


def _as_list(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


_OUTPUTS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "Cluster": ("cluster", str),
    "Subnets": ("subnets", _as_list),
    "SecurityGroups": ("security_groups", _as_list),
    "PublicIp": ("public_ip", "ENABLED".__eq__),
    "Spot": ("spot", lambda text: {"true": True, "false": False}.get(text, text)),
    "Exec": ("exec", "true".__eq__),
    "StopTimeout": ("stop_timeout", int),
    "Cpu": ("cpu", int),
    "Memory": ("memory", int),
}
"""Outputs of a task stack, by the key of `deploy` that each is the value of."""


def deployed_settings(stack: StackDescription | None, project: Project | None) -> Deploy:
    """The settings that a task stack is deployed with; what its outputs lack is as in the project file."""
    outputs = stack.outputs if stack else {}
    values = {key: parse(outputs[name]) for name, (key, parse) in _OUTPUTS.items() if name in outputs}
    return (project.deploy if project else Deploy()).model_copy(update=values)


def undeployed_settings(stack: StackDescription, deploy: Deploy, environment: str) -> tuple[str, ...]:
    """The keys of `deploy` that a task stack has other values of, e.g. `deploy.memory`, as far as its outputs tell."""
    shared, keys = resource_names.cluster(environment), list[str]()
    for name, (key, parse) in _OUTPUTS.items():
        if name not in stack.outputs or (key == "security_groups" and deploy.vpc and not deploy.security_groups):
            continue
        used, expected = parse(stack.outputs[name]), getattr(deploy, key)
        if key == "cluster":
            used, expected = (str(cluster).rpartition("/")[2] for cluster in (used, expected or shared))
        elif name in stack.parameters:  # those of the shared stack
            used = ()
        if used != expected:
            keys.append(f"deploy.{key}")
    return tuple(keys)


def settings_in_use(deployed: DeployedProject, say: Say) -> Deploy:
    """The settings of a deployed project, with a note where its project file names another cluster, or has to do."""
    settings, file = deployed_settings(deployed.stack, deployed.project), deployed.paths.display_path
    shared = resource_names.cluster(deployed.target.environment)
    own = (deployed.project and deployed.project.deploy.cluster) or shared
    used = settings.cluster or shared
    outputs, project = deployed.stack.outputs if deployed.stack else {}, deployed.target.project
    if "TaskDefinition" in outputs and "Cluster" not in outputs:
        source = f"that of {file}" if deployed.project else "the default one"
        say(f"note: project {project} was deployed by an earlier handoff; its cluster is taken to be {used}, {source}")
    elif outputs and deployed.project and own.rpartition("/")[2] != used.rpartition("/")[2]:
        name = used.rpartition("/")[2]
        say(f"note: project {project} is deployed with cluster {name}; {file} says {own}; {name} is used")
    return settings


def tasks_of_project(target: Target, deploy: Deploy, stack: StackDescription | None = None) -> ProjectTasks:
    """The tasks of a project, by names and its task stack alone; nothing is called."""
    cluster = deploy.cluster or resource_names.cluster(target.environment)
    machine = stack.outputs.get("Machine", "") if stack else ""
    return ProjectTasks(target, cluster, deploy.public_ip, deploy.stop_timeout, machine)
