"""Putting a project's schedules in force, and taking them away: what is there is read, then planned, then done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit import project as projects
from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import FAILED_CREATION, describe_existing
from handoff_kit.aws.ecs.cluster import describe_network
from handoff_kit.deployment.execute import execute
from handoff_kit.remote.errors import AWSError
from handoff_kit.schedules import asked, kept
from handoff_kit.schedules.plan import Wanted, left_out, parameters, plan, plan_removal

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from handoff_kit.aws.cloudformation.stack import StackDescription
    from handoff_kit.aws.target import Target
    from handoff_kit.deployment.execute import Manner
    from handoff_kit.names import ProjectPlace
    from handoff_kit.schedules.asked import Words
    from handoff_kit.settings.schedule import Schedule

    Say = Callable[[str], None]

__all__ = ["put_in_force", "take_away", "wanted"]


def wanted(
    place: ProjectPlace, stack: Target, words: Words, one: Schedule | None, *, now: datetime, say: Say
) -> Wanted:
    """The schedules to put in force: those of the file, or those in force with one that was asked for by flags."""
    loaded = projects.load(place.file, place.shown)
    asked.check_secrets(place, loaded, stack.environment, words.data)
    chosen = (one,) if one else asked.declared(loaded, place, stack.options)
    there = _kept(_there(stack), stack, needed=one is not None)
    asked.check(chosen, there, now)
    if one is None:
        for name in left_out(chosen, there):
            say(f"note: schedule {name} is in force, but not in {place.shown}: it goes")
    every = asked.added(there, one) if one else chosen
    return Wanted(place, loaded, stack.environment, every, f"invoke schedule {stack.options}{words.flags}")


def put_in_force(wanted: Wanted, stack: Target, manner: Manner) -> int:
    """Do it; how many steps changed something."""
    where = parameters(describe_network(stack, wanted.deploy))
    return execute(plan(wanted, where, stack), stack, manner)


def take_away(place: ProjectPlace, stack: Target, name: str, manner: Manner) -> int:
    """Take one of them away, or all; how many steps changed something."""
    found, again = _there(stack), f"invoke unschedule {stack.options}"
    if name and found:
        there = _kept(found, stack, needed=True)
        rest = asked.without(there, name, stack.options)
        again = f"{again} --name {name}"
        if rest:
            loaded = projects.load(place.file, place.shown)
            fewer = Wanted(place, loaded, stack.environment, rest, again)
            return execute(plan(fewer, found.parameters, stack), stack, manner)
    elif name:
        message = f"project {stack.project}: found no schedule in force, expected {name}"
        raise AWSError(message, f"invoke schedule.list {stack.options}")
    return execute(plan_removal(stack, again), stack, manner)


def _kept(found: StackDescription | None, stack: Target, *, needed: bool) -> tuple[Schedule, ...]:
    """The schedules in force as they were written; where they are `needed`, an error if that is told nowhere."""
    there = kept.schedules(found) if found else ()
    if there is None and found and needed:
        message = f"stack {found.name}: found no list of its schedules, expected one in its template"
        raise AWSError(message, f"put them all into project.yml, then: invoke schedule {stack.options}")
    return there or ()


def _there(stack: Target) -> StackDescription | None:
    """The schedule stack with its template; one whose creation failed is none."""
    found = describe_existing(stack.clients, resource_names.schedule(stack.name), template=True)
    return None if found and found.status == FAILED_CREATION else found
