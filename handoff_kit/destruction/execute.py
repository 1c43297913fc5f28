"""Taking the steps, or telling them: one loop, so that what --dry prints is what would be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.aws.cloudformation.deploy_stack import delete_stack
from handoff_kit.destruction import batch
from handoff_kit.destruction.batch import Batch
from handoff_kit.destruction.plan import Idle
from handoff_kit.steps import RemoveStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handoff_kit.destruction.plan import Removal
    from handoff_runtime.aws.clients import Clients

    Say = Callable[[str], None]

__all__ = ["execute"]


def execute(steps: Iterable[Removal], clients: Clients, check: Callable[[str], None], *, dry: bool, say: Say) -> None:
    """Take each step in order, all of them asked for before; `check` raises where a task runs in a cluster."""
    for step in steps:
        match step:
            case RemoveStack():
                delete_stack(step, clients, dry=dry, yes=True, say=say)
            case Batch():
                batch.execute(step, clients, dry=dry, say=say)
            case Idle(cluster) if dry:
                say(f"would look whether a task runs in cluster {cluster}")
            case Idle(cluster):
                check(cluster)
