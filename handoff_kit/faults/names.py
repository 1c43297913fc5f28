"""Names of placeholders and of environment variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.faults.fault import Fault, label, short, told
from handoff_kit.faults.outline import items, mapping
from handoff_kit.forms import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.faults.outline import Outline
    from handoff_kit.source import Data, Trail

_AN_ENV = "an environment variable's name"
_AS_ITEM = "write it like this: - {key: TZ, value: UTC}"


def var_names(outline: Outline) -> Iterator[Fault]:
    """Names under `vars` that no placeholder can have."""
    for name in mapping(outline.top("vars")):
        yield from bad_name(("vars", name), name, "a placeholder's name", on_key=True)


def env_names(outline: Outline) -> Iterator[Fault]:
    """Names under `envs` that no variable can have, in both forms; and items that are none."""
    for trail, envs in outline.envs():
        for name in mapping(envs):
            yield from bad_name((*trail, name), name, _AN_ENV, on_key=True)
        for number, item in enumerate(items(envs)):
            if not isinstance(item, dict):
                message = f"item {number + 1} of `envs` is {told(item)}, expected a key and a value"
                yield Fault((*trail, number), message, _AS_ITEM)
    for trail, item in outline.env_items():
        yield from _parts(trail, item, outline.keys.env_item)
        if isinstance(called := item.get("key"), str):
            yield from bad_name((*trail, "key"), called, _AN_ENV, on_key=False)
    yield from _repeated(outline)


def bad_name(trail: Trail, name: str, what: str, *, on_key: bool) -> Iterator[Fault]:
    """A name that is none, told as what it should be."""
    if is_name(name):
        return
    legal = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    hint = f"for example: {legal}" if is_name(legal) else "for example: base_2"
    message = f"`{short(name)}` is not {what}, expected letters, digits and _, not beginning with a digit"
    yield Fault(trail, message, hint, on_key=on_key)


def _parts(trail: Trail, item: dict[str, Data], known: tuple[str, ...]) -> Iterator[Fault]:
    for key in known:
        if key not in item and item.keys() <= set(known):
            yield Fault(trail, f"{label(trail)} has no `{key}`, expected both key and value", _AS_ITEM)
        elif not isinstance(value := item.get(key, ""), str):
            yield Fault((*trail, key), f"`{key}` is {told(value)}, expected a text", "put it into quotes")


def _repeated(outline: Outline) -> Iterator[Fault]:
    first: dict[tuple[Trail, str], Trail] = {}
    for trail, item in outline.env_items():
        if isinstance(name := item.get("key"), str):
            here = (*trail, "key")
            if (earlier := first.setdefault((trail[:-1], name), here)) != here:
                message = f"`{name}` is given a second time, the first is on line {outline.source.line(earlier[:-1])}"
                yield Fault(here, message, "keep one of the two")
