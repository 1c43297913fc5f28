"""Taking the steps of a deployment, or telling them: one loop, so that what --dry prints is what would be done."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit import execute as here
from handoff_kit.aws.cloudformation.deploy_stack import delete_stack, deploy_stack
from handoff_kit.aws.params import ParamsPush, push_params
from handoff_kit.deployment import move as moving
from handoff_kit.deployment.move import MoveData
from handoff_kit.deployment.plan import Files
from handoff_kit.remote import change as calls
from handoff_kit.remote import files
from handoff_kit.remote.change import Change
from handoff_kit.steps import ChangeStack, RemoveStack, WriteFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handoff_kit.aws.target import Target
    from handoff_kit.deployment.plan import CloudStep

    Say = Callable[[str], None]

__all__ = ["Manner", "execute"]


@dataclass(frozen=True)
class Manner:
    """How steps are taken: told only, without asking, and to whom they are said."""

    dry: bool
    yes: bool
    say: Say


def execute(steps: Iterable[CloudStep], stack: Target, manner: Manner) -> int:
    """Take each step in order; how many of them changed something, or with `dry` would."""
    with ExitStack() as held:
        return sum(_take(step, stack, manner, held) for step in steps)


def _take(step: CloudStep, stack: Target, manner: Manner, held: ExitStack) -> bool:
    dry, yes, say = manner.dry, manner.yes, manner.say
    changed: bool
    match step:
        case ChangeStack():
            changed = deploy_stack(step, stack.clients, dry=dry, yes=yes, say=say)
        case RemoveStack():
            changed = delete_stack(step, stack.clients, dry=dry, yes=yes, say=say)
        case Change():
            calls.execute((step,), stack, dry=dry, say=say)
            changed = True
        case MoveData():
            moving.move(step, stack, held, dry=dry, say=say)
            changed = True
        case ParamsPush():
            changed = push_params(step, stack, dry=dry, say=say)
        case Files(plan):
            changed = bool(files.push(stack, plan, prune=False, dry=dry, say=say))
        case WriteFile() if _lies_there(step):
            changed = False
        case _:
            here.execute((step,), dry=dry, say=say)
            changed = not isinstance(step, WriteFile)
    return changed


def _lies_there(step: WriteFile) -> bool:
    return step.path.is_file() and step.path.read_bytes() == step.text.encode()
