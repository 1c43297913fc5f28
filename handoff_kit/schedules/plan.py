"""The steps from a project that is deployed to its schedules in force, and back; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit import limits, resource_names
from handoff_kit.errors import ProjectError
from handoff_kit.schedules.template import schedule
from handoff_kit.steps import ChangeStack, RemoveStack, WriteFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handoff_kit.aws.ecs.cluster import TaskNetwork
    from handoff_kit.aws.target import Target
    from handoff_kit.names import ProjectPlace
    from handoff_kit.project import Project
    from handoff_kit.settings.deploy import Deploy
    from handoff_kit.settings.schedule import Schedule

__all__ = ["Wanted", "left_out", "parameters", "plan", "plan_removal"]


@dataclass(frozen=True)
class Wanted:
    """The schedules that a project shall have in an environment; `again` is the command that asks for the same."""

    place: ProjectPlace
    loaded: Project
    environment: str
    schedules: tuple[Schedule, ...]
    again: str

    @property
    def deploy(self) -> Deploy:
        """How what they start is deployed."""
        return self.loaded.deploy

    @property
    def tags(self) -> dict[str, str]:
        """The tags of all that is this project's alone."""
        return {**self.deploy.tags, "handoff:project": self.place.name, "handoff:environment": self.environment}


def parameters(network: TaskNetwork) -> dict[str, str]:
    """Where what they start runs, as the stack takes it."""
    return {
        "Cluster": network.cluster,
        "Subnets": ",".join(network.subnets),
        "SecurityGroups": ",".join(network.security_groups),
    }


def plan(wanted: Wanted, where: Mapping[str, str], stack: Target) -> tuple[WriteFile | ChangeStack, ...]:
    """The steps that put them in force, and no others."""
    _refuse(wanted, stack)
    place, file, name = wanted.place, wanted.place.build / "schedule.yml", resource_names.schedule(stack.name)
    text = schedule(place.root, place.name, wanted.schedules, wanted.deploy, stack.name, wanted.environment)
    return (WriteFile(file, text), ChangeStack(name, file, text, where, wanted.tags, wanted.again, stack.bucket))


def plan_removal(stack: Target, again: str) -> tuple[RemoveStack, ...]:
    """The steps after which no schedule is in force."""
    return (RemoveStack(resource_names.schedule(stack.name), again),)


def _refuse(wanted: Wanted, stack: Target) -> None:
    """Names that AWS would not take."""
    loaded = wanted.loaded.model_copy(update={"schedules": wanted.schedules})
    for message, hint in limits.of_stack(stack.name, wanted.environment, loaded):
        raise ProjectError(f"{wanted.place.shown}: {message}", hint)


def left_out(schedules: Sequence[Schedule], deployed: Sequence[Schedule]) -> tuple[str, ...]:
    """The names of those in force that the project file does not know."""
    known = {one.name for one in schedules}
    return tuple(one.name for one in deployed if one.name not in known)
