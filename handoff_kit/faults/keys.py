"""Keys that nobody knows, or that belong elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.faults.fault import Fault, label
from handoff_kit.faults.outline import mapping
from handoff_kit.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handoff_kit.faults.outline import Outline
    from handoff_kit.source import Data, Trail


def unknown(outline: Outline) -> Iterator[Fault]:
    """Keys that may not stand where they stand."""
    project, stage, env_item = outline.keys.project, outline.keys.stage, outline.keys.env_item
    for key in _others(outline.source.data, project):
        yield _fault((key,), _hint(key, project, stage, "belongs to a stage, under commands"))
    for trail, data in outline.stages():
        for key in _others(data, stage):
            hint = _hint(key, stage, project, "belongs to the whole project, at the left margin")
            yield _fault((*trail, key), hint)
    for trail, item in outline.env_items():
        for key in _others(item, env_item):
            meant = nearest(key, env_item)
            hint = f"did you mean `{meant}`?" if meant else f"write it like this: - {{key: {key}, value: ...}}"
            yield _fault((*trail, key), hint)


def misspelt(data: Data, known: tuple[str, ...], *meant: str) -> bool:
    """Whether an unknown key stands where one of these was meant."""
    return any(nearest(key, known) in meant for key in _others(data, known))


def _others(data: Data, known: tuple[str, ...]) -> Iterable[str]:
    return [key for key in mapping(data) if key not in known]


def _fault(trail: Trail, hint: str) -> Fault:
    of = f" of {label(trail[:-1])}" if trail[:-1] else ""
    return Fault(trail, f"`{trail[-1]}` is not a known key{of}", hint, on_key=True)


def _hint(key: str, known: tuple[str, ...], other: tuple[str, ...], belongs: str) -> str:
    meant = nearest(key, known)
    if key in other:
        return f"`{key}` {belongs}" + (f"; or did you mean `{meant}`?" if meant else "")
    return f"did you mean `{meant}`?" if meant else f"known here: {', '.join(known)}"
