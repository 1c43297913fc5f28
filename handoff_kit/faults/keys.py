"""Keys that nobody knows, or that belong elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.faults.fault import Fault, label
from handoff_kit.faults.outline import mapping
from handoff_kit.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handoff_kit.faults.outline import Keys, Outline
    from handoff_kit.source import Data, Trail


def unknown(outline: Outline) -> Iterator[Fault]:
    """Keys that may not stand where they stand."""
    env_item = outline.keys.env_item
    for trail, data, known in _parts(outline):
        for key in _others(data, known):
            yield _fault((*trail, key), _hint(key, known, _belongs(key, outline.keys)))
    for trail, item in outline.env_items():
        for key in _others(item, env_item):
            meant = nearest(key, env_item)
            hint = f"did you mean `{meant}`?" if meant else f"write it like this: - {{key: {key}, value: ...}}"
            yield _fault((*trail, key), hint)


def misspelt(data: Data, known: tuple[str, ...], *meant: str) -> bool:
    """Whether an unknown key stands where one of these was meant."""
    return any(nearest(key, known) in meant for key in _others(data, known))


def _parts(outline: Outline) -> Iterator[tuple[Trail, Data, tuple[str, ...]]]:
    yield (), outline.source.data, outline.keys.project
    yield from ((trail, stage, outline.keys.stage) for trail, stage in outline.stages())
    yield from (((part,), outline.top(part), known) for part, known in outline.keys.parts().items())


def _belongs(key: str, keys: Keys) -> str:
    """Where a key that stands elsewhere is known; nothing when nowhere."""
    if key in keys.project:
        return "belongs to the whole project, at the left margin"
    if key in keys.stage:
        return "belongs to a stage, under commands"
    return next((f"belongs under {part}" for part, known in keys.parts().items() if key in known), "")


def _others(data: Data, known: tuple[str, ...]) -> Iterable[str]:
    return [key for key in mapping(data) if key not in known]


def _fault(trail: Trail, hint: str) -> Fault:
    of = f" of {label(trail[:-1])}" if trail[:-1] else ""
    return Fault(trail, f"`{trail[-1]}` is not a known key{of}", hint, on_key=True)


def _hint(key: str, known: tuple[str, ...], belongs: str) -> str:
    meant = nearest(key, known)
    if belongs:
        return f"`{key}` {belongs}" + (f"; or did you mean `{meant}`?" if meant else "")
    return f"did you mean `{meant}`?" if meant else f"known here: {', '.join(known)}"
