"""Names for cron expressions, and what was most likely meant by a text that is neither one nor five or six fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.names import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EXPECTED", "FIELDS", "PRESETS", "counted", "meant"]

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
EXPECTED = f"expected five or six fields, or one of {', '.join(PRESETS)}"
FIELDS = "expected five (minute hour day month weekday), or six as AWS writes them (and year)"
_EXAMPLE = "for example: 0 2 * * *, which is every day at 02:00"
_UNIX, _AWS, _QUARTZ = 5, 6, 7
_TIME = re.compile(r"\b([01]?[0-9]|2[0-3]):([0-5][0-9])\b")
_EVERY = re.compile(r"@?every\s+(\d+)\s*(m|h|d)[a-z]*")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def meant(text: str) -> str:
    """What a word, or a phrase, most likely means."""
    word = text.lower()
    if every := _EVERY.fullmatch(word):
        return f"write it as a rate: {every[1]} {_UNITS[every[2]]}"
    if other := re.fullmatch(r"(rate|at)\s*\((.*)\)", word):
        return f"write it like this: {other[1]}: {other[2].upper() if other[1] == 'at' else other[2]}"
    if time := _TIME.search(word):
        return f"did you mean `{int(time[2])} {int(time[1])} * * *`?"
    found = nearest("@" + word.lstrip("@"), PRESETS)
    return f"did you mean `{found}`?" if found else _EXAMPLE


def counted(words: Sequence[str]) -> str:
    """What so many fields most likely mean."""
    joined = re.sub(r"\s*,\s*", ",", " ".join(words))
    if joined != " ".join(words) and len(joined.split()) in (_UNIX, _AWS):
        return f"did you mean `{joined}`?"
    if len(words) == _QUARTZ and words[0] == "0":
        return f"seconds are not counted: did you mean `{' '.join(words[1:])}`?"
    if len(words) == _UNIX - 1:
        return f"did you mean `{' '.join([*words, '*'])}`?"
    return _EXAMPLE
