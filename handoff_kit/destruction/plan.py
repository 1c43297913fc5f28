"""The steps that take a project out of AWS, in an order that can be begun again after each of them; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit import resource_names
from handoff_kit.destruction import data as contents
from handoff_kit.destruction import images
from handoff_kit.destruction.batch import Batch
from handoff_kit.remote.change import Change
from handoff_kit.steps import RemoveStack
from handoff_runtime.aws.clients import SSM

if TYPE_CHECKING:
    from handoff_kit.aws.target import Target
    from handoff_kit.destruction.found import Found

__all__ = ["Idle", "Removal", "command", "plan"]


@dataclass(frozen=True)
class Idle:
    """A cluster in which no task of the project shall run by now: a schedule may have begun one meanwhile."""

    cluster: str


Removal = RemoveStack | Idle | Batch


def command(stack: Target, *, data: bool) -> str:
    """How to do the same again."""
    return f"invoke destroy {stack.options}{' --data' if data else ''}"


def plan(stack: Target, found: Found, cluster: str, *, data: bool) -> tuple[Removal, ...]:
    """First what starts tasks, then what they are made from, then images, and what they left at last."""
    again = command(stack, data=data)
    return (
        *((RemoveStack(resource_names.schedule(stack.name), again),) if found.schedule else ()),
        *((Idle(cluster), RemoveStack(stack.name, again)) if found.task else ()),
        *(_registry(stack, found, again) if found.registry else ()),
        *(_data(stack, found) if data else ()),
    )


def _registry(stack: Target, found: Found, again: str) -> tuple[Removal, ...]:
    """CloudFormation removes no repository that holds an image."""
    emptied = images.plan(found.images) if found.images else ()
    return (*emptied, RemoveStack(resource_names.registry(stack.name), again))


def _data(stack: Target, found: Found) -> tuple[Batch, ...]:
    gone = contents.plan(found.data) if found.data else ()
    if found.parameter is None:
        return gone
    call = Change(f"remove parameter {stack.parameter}", SSM, "delete_parameter", {"Name": stack.parameter})
    return (*gone, Batch((call,)))
