"""What is told of a removal: what goes, what stays, and the look that proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.remote.errors import AWSError
from handoff_runtime.terminal import safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Say = Callable[[str], None]

__all__ = ["count", "listed", "prove"]


def count(number: int, noun: str) -> str:
    """So many of them."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(head: str, lines: Sequence[str], say: Say) -> None:
    """Lines under a head; nothing where there are none."""
    if lines:
        say(f"{head}:")
    for line in lines:
        say(f"  {safe_name(line)}")


def prove(left: Sequence[str], there: Sequence[str], again: str, say: Say) -> None:
    """What a second look found; an error where something is there that should be gone."""
    if left:
        raise AWSError(f"destroy: still there: {'; '.join(left)}", f"do it again: {again}")
    if there:
        listed("looked again; still there, as told", there, say)
    else:
        say("looked again; nothing is left")
