"""A fault of a project file, and the words in which faults are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff_kit.source import Problem, Source, Trail

_ITEM_DEPTH = 2  # the trail of a stage is ("commands", number), that of a schedule ("schedules", number)
_STATEMENT_DEPTH = 3  # ("deploy", "policies", number)
_ITEMS = {"commands": "stage", "schedules": "schedule"}
_DEPTHS = {**dict.fromkeys(_ITEMS, _ITEM_DEPTH), **dict.fromkeys(("image", "keep", "params", "deploy"), 1)}


@dataclass(frozen=True)
class Fault:
    """A problem whose place is still a trail of keys."""

    trail: Trail
    message: str
    hint: str
    on_key: bool = False
    offset: int | None = None

    def follows(self, earlier: Fault) -> bool:
        """Whether it lies inside of what another fault is about."""
        return earlier.trail == self.trail[: len(earlier.trail)]

    def placed(self, source: Source) -> Problem:
        """The same with line and column."""
        if self.on_key:
            return source.at_key(self.trail, self.message, self.hint)
        return source.at_value(self.trail, self.message, self.hint, self.offset)


def is_stage(trail: Trail) -> bool:
    """Whether a trail leads to a stage as a whole."""
    return _is_item(trail) and trail[0] == "commands"


def inside(trail: Trail) -> Trail:
    """The part of a trail that lies inside of a stage, a schedule, a statement or a mapping of settings, if any."""
    depth = _DEPTHS.get(str(trail[0]), 0) if trail else 0
    if trail[:2] == ("deploy", "policies") and len(trail) > _STATEMENT_DEPTH:
        depth = _STATEMENT_DEPTH
    return trail[depth:] if len(trail) > depth else trail


def label(trail: Trail) -> str:
    """What a trail leads to."""
    if _is_item(trail):
        return f"{_ITEMS[str(trail[0])]} {int(trail[1]) + 1}"
    if trail and isinstance(trail[-1], int):
        return f"item {trail[-1] + 1} of `{trail[-2]}`"
    return f"`{trail[-1]}`" if trail else "the file"


def _is_item(trail: Trail) -> bool:
    return len(trail) == _ITEM_DEPTH and trail[0] in _ITEMS and isinstance(trail[1], int)


def told(value: object) -> str:
    """What was found."""
    if isinstance(value, str):
        return f"`{short(value)}`" if value else "an empty text"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, (list, tuple)) else "nothing"


def short(text: str, width: int = 40) -> str:
    """A text as one line that is not too long."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 3]}..."


def quoted(text: str) -> str:
    """A text in the quotes that it does not hold."""
    return f"'{short(text)}'" if '"' in text else f'"{short(text)}"'
