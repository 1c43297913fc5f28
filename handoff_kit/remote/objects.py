"""What lies below a prefix of the project's bucket, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.remote.errors import told
from handoff_kit.text import count, stamp, table
from handoff_runtime.aws import listing
from handoff_runtime.aws.listing import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handoff_kit.remote.stack import Stack
    from handoff_runtime.aws.listing import Item

__all__ = ["items", "listed", "place_of", "table_of"]

HEAD = ("PATH", "BYTES", "STORED")


def place_of(stack: Stack, prefix: str) -> Place:
    """A prefix in the project's bucket."""
    return Place(stack.bucket, prefix)


def items(stack: Stack, prefix: str) -> list[Item]:
    """Every object below it."""
    with told():
        return list(listing.items(stack.clients, place_of(stack, prefix)))


def listed(stack: Stack, prefix: str) -> str:
    """The table of every object below it; nothing where there is none."""
    return table_of(items(stack, prefix))


def table_of(found: Iterable[Item]) -> str:
    """One line an object: path, bytes, when it was stored."""
    rows = [(item.path, count(item.size), stamp(item.modified)) for item in found]
    return table(HEAD, rows, right=("BYTES",)) if rows else ""
