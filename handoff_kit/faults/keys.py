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

_ANYWHERE = ("name", "data")  # what a schedule has, but other things might have too
_OTHER_WORDS = {
    **dict.fromkeys(("arch", "processor"), "architecture"),
    **dict.fromkeys(("disk", "ephemeral_storage", "ephemeralstorage"), "storage"),
    **dict.fromkeys(("mem", "ram"), "memory"),
    **dict.fromkeys(("permissions", "statements", "role"), "policies"),
    **dict.fromkeys(("retention", "logs"), "log_retention"),
    **dict.fromkeys(("sns", "topic", "alarms"), "alerts"),
    **dict.fromkeys(("grace", "timeout"), "stop_timeout"),
    **dict.fromkeys(("flexible_window", "jitter"), "window"),
    **dict.fromkeys(("input", "vars"), "data"),
    **dict.fromkeys(("when", "expression", "schedule"), "cron"),
    **dict.fromkeys(("every", "interval"), "rate"),
    **dict.fromkeys(("once", "time"), "at"),
    **dict.fromkeys(("tz", "zone"), "timezone"),
}
_NO_KEYS = {
    "NotAction": "say what it may do instead, as Action",
    "NotResource": "say what it is about instead, as Resource",
    "Principal": "take it out: the task's own role is meant",
    **dict.fromkeys(("Version", "Statement"), "write the statements alone, each as an item of policies"),
}


def unknown(outline: Outline) -> Iterator[Fault]:
    """Keys that may not stand where they stand."""
    env_item = outline.keys.env_item
    for trail, data, known in _parts(outline):
        for key in _others(data, known):
            yield _fault((*trail, key), _hint(key, known, outline.keys))
    for trail, item in outline.env_items():
        for key in _others(item, env_item):
            meant = nearest(key, env_item)
            hint = f"did you mean `{meant}`?" if meant else f"write it like this: - {{key: {key}, value: ...}}"
            yield _fault((*trail, key), hint)


def misspelt(data: Data, known: tuple[str, ...], *meant: str) -> bool:
    """Whether an unknown key stands where one of these was meant."""
    return any(_nearest(key, known) in meant for key in _others(data, known))


def _parts(outline: Outline) -> Iterator[tuple[Trail, Data, tuple[str, ...]]]:
    yield (), outline.source.data, outline.keys.project
    yield from ((trail, stage, outline.keys.stage) for trail, stage in outline.stages())
    yield from (((part,), outline.top(part), known) for part, known in outline.keys.parts.items())
    yield from ((trail, statement, outline.keys.statement) for trail, statement in outline.statements())
    yield from ((trail, schedule, outline.keys.schedule) for trail, schedule in outline.schedules())


def _belongs(key: str, keys: Keys) -> str:
    """Where a key that stands elsewhere is known; nothing when nowhere."""
    if key in keys.project:
        return "belongs to the whole project, at the left margin"
    if key in keys.stage:
        return "belongs to a stage, under commands"
    if key in keys.schedule and key not in _ANYWHERE:
        return "belongs to a schedule, under schedules"
    if key in keys.statement:
        return "belongs to a statement, under policies"
    return next((f"belongs under {part}" for part, known in keys.parts.items() if key in known), "")


def _others(data: Data, known: tuple[str, ...]) -> Iterable[str]:
    return [key for key in mapping(data) if key not in known]


def _fault(trail: Trail, hint: str) -> Fault:
    of = f" of {label(trail[:-1])}" if trail[:-1] else ""
    return Fault(trail, f"`{trail[-1]}` is not a known key{of}", hint, on_key=True)


def _hint(key: str, known: tuple[str, ...], keys: Keys) -> str:
    belongs = _belongs(key, keys)
    meant = _nearest(key, known)
    if key in _NO_KEYS and known == keys.statement:
        return _NO_KEYS[key]
    if belongs:
        return f"`{key}` {belongs}" + (f"; or did you mean `{meant}`?" if meant else "")
    return f"did you mean `{meant}`?" if meant else f"known here: {', '.join(known)}"


def _nearest(key: str, known: tuple[str, ...]) -> str | None:
    """The key that was most likely meant: by another word for it, or by its spelling."""
    other = _OTHER_WORDS.get(key.lower().replace("-", "_"))
    return other if other in known else nearest(key, known)
