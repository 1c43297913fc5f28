"""The objects below a prefix of the project's bucket."""

from __future__ import annotations

from collections.abc import Iterable

from handoff_kit.aws.target import Target
from handoff_kit.errors import translate_store_errors
from handoff_kit.text import count, table, timestamp
from handoff_runtime.aws import transfer
from handoff_runtime.aws.transfer import Item, Place

HEAD = ("PATH", "BYTES", "STORED")


def place_below(target: Target, prefix: str) -> Place:
    return Place(target.bucket, prefix)


def list_objects(target: Target, prefix: str) -> list[Item]:
    with translate_store_errors():
        return list(transfer.list_items(target.session, place_below(target, prefix)))


def table_below(target: Target, prefix: str) -> str:
    """A table of the objects below a prefix; empty where there is none."""
    return objects_table(list_objects(target, prefix))


def objects_table(items: Iterable[Item]) -> str:
    """Path, bytes and date of each object; empty where there is none."""
    rows = [(item.path, count(item.size), timestamp(item.modified)) for item in items]
    return table(HEAD, rows, right=("BYTES",)) if rows else ""
