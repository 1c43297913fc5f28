"""The project's files in S3: what changed is uploaded, what is gone here is removed only when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.project.params_document import LEFT_OUT
from handoff_kit.remote.errors import told
from handoff_kit.remote.objects import listed, place_of
from handoff_runtime import keys
from handoff_runtime.aws import transfer
from handoff_runtime.terminal import safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handoff_kit.names import ProjectPlace
    from handoff_kit.remote.stack import Stack
    from handoff_runtime.aws.listing import Item
    from handoff_runtime.aws.transfer import Local, Plan

    Say = Callable[[str], None]

__all__ = ["DIRECTORY", "NAMED", "compare", "first", "push", "table_of", "up_to_date"]

DIRECTORY = "files"
NAMED = 5  # of the files a note names


def compare(stack: Stack, place: ProjectPlace) -> Plan:
    """The files here against those stored: to send, the same, gone."""
    here, notes = _local(place)
    with told():
        return transfer.plan(stack.clients, here, place_of(stack, keys.files(stack.name)))._replace(notes=notes)


def first(place: ProjectPlace) -> Plan:
    """The files here, where there is no bucket yet to compare them with."""
    here, notes = _local(place)
    return transfer.Plan(tuple(here), (), (), notes)


def _local(place: ProjectPlace) -> tuple[list[Local], tuple[str, ...]]:
    """The files here, and notes of the links that lead out of their directory."""
    notes: list[str] = []
    with told():
        found = list(transfer.files(str(place.directory / DIRECTORY), notes.append))
    return [file for file in found if file.path.rpartition("/")[2] not in LEFT_OUT], tuple(notes)


def push(stack: Stack, plan: Plan, *, prune: bool, dry: bool, say: Say) -> int:
    """Upload, and with `prune` remove; the number of changes."""
    gone = plan.gone if prune else ()
    would = "would " if dry else ""
    for note in plan.notes:
        say(note)
    for file in plan.send:
        say(f"{would}upload {safe_name(file.path)} ({file.size:,} bytes)")
    for item in gone:
        say(f"{would}remove {stack.shown(item.key)}")
    if not dry:
        _do(stack, plan.send, gone)
    if plan.gone and not prune:
        say(_left(stack, plan.gone))
    return len(plan.send) + len(gone)


def _do(stack: Stack, send: Sequence[Local], gone: Sequence[Item]) -> None:
    with told():
        transfer.store(stack.clients, send, place_of(stack, keys.files(stack.name)))
        transfer.remove(stack.clients, stack.bucket, [item.key for item in gone])


def _left(stack: Stack, gone: Sequence[Item]) -> str:
    names = ", ".join(safe_name(item.path) for item in gone[:NAMED])
    more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
    what = f"{len(gone)} stored file{'s are' if len(gone) > 1 else ' is'} not here any more"
    return f"note: {what}: {names}{more}\nhint: to remove: invoke files.push --prune {stack.options}"


def up_to_date(plan: Plan, place: ProjectPlace) -> str:
    """Why there was nothing to upload."""
    if not plan.same:
        return f"no files: projects/{place.name}/{DIRECTORY}/ is not there, or empty"
    return f"{len(plan.same)} file{'s' if len(plan.same) > 1 else ''} up to date"


def table_of(stack: Stack) -> str:
    """The stored files: path, bytes, when."""
    return listed(stack, keys.files(stack.name))
