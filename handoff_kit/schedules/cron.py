"""A cron expression: five fields as unix people write them, or six as AWS does; always six for AWS.

The rules of AWS: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.schedules import days
from handoff_kit.schedules.field import AWS_WEEKDAY, HOUR, MINUTE, MONTH, WEEKDAY, YEAR, wrong
from handoff_kit.schedules.presets import EXPECTED, FIELDS, PRESETS, counted, meant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handoff_kit.errors import ProjectError

__all__ = ["translated"]

_UNIX, _AWS = 5, 6
_ANY = ("*", "?")
_MARKS = "with ? for day or for weekday"


def translated(text: str) -> str:
    """The expression as AWS takes it; ProjectError tells what is wrong with it."""
    plain = _bare(text)
    words = _words(plain)
    whole = " ".join(words)
    if len(words) not in (_UNIX, _AWS) or "," in (words[0][-1], *(word[0] for word in words)):
        found = f"found {len(words)} field{'s' if len(words) > 1 else ''} in `{whole}`"
        raise wrong(f"{found}, {FIELDS}", counted(words))
    return f"cron({' '.join(_fields(words, whole))})"


def _bare(text: str) -> str:
    """Without `cron(...)` around it."""
    found = re.fullmatch(r"\s*cron\s*\((.*)\)\s*", text, re.DOTALL | re.IGNORECASE)
    return " ".join((found[1] if found else text).split())


def _words(plain: str) -> list[str]:
    """The fields, or those that a preset stands for."""
    words = plain.upper().split()
    if plain.lower() in PRESETS:
        return PRESETS[plain.lower()].split()
    if len(words) in (_UNIX, _AWS) or (words and re.match("[*?0-9]", plain) and len(words) > 1):
        return words
    raise wrong(f"found {f'`{plain}`' if plain else 'nothing'}, {EXPECTED}", meant(plain))


def _fields(words: Sequence[str], whole: str) -> list[str]:
    minute, hour, day, month, weekday, *year = words
    if year:
        _check_marks(words, whole)
    fields = [
        MINUTE.translated(minute, whole),
        HOUR.translated(hour, whole),
        days.day(day, whole),
        MONTH.translated(month, whole),
        days.weekday(weekday, AWS_WEEKDAY if year else WEEKDAY, whole),
        YEAR.translated(year[0], whole) if year else "*",
    ]
    _mark(fields, words, whole)
    _check_comes(fields, whole)
    return fields


def _check_marks(words: Sequence[str], whole: str) -> None:
    """Of six fields, exactly one of day and weekday is a question mark, and no other is."""
    _, _, day, _, weekday, year = words
    if day not in _ANY and weekday not in _ANY and year != "?":
        raise _both(words, whole)
    marks = [day, weekday].count("?")
    if marks == 1 and year != "?":
        return
    found = "found ? for the year" if year == "?" else "found two ?" if marks else "found no ?"
    expected = f"expected minute hour day month weekday year, {_MARKS}"
    raise wrong(f"{found} in the six fields `{whole}`, {expected}", _marked(words))


def _marked(words: Sequence[str]) -> str:
    """The same with one question mark, and where the first field may be one of seconds, without it."""
    minute, hour, day, month, weekday, year = words
    chosen = ("*", "?") if {day, weekday} <= {*_ANY} else ("?", weekday) if day in _ANY else (day, "?")
    six = " ".join([minute, hour, chosen[0], month, chosen[1], year.replace("?", "*")])
    five = " ".join(words[1:]).replace("?", "*")
    seconds = f", or if the first are seconds: `{five}`" if minute == "0" and day != "?" else ""
    return f"did you mean `{six}`{seconds}?"


def _mark(fields: list[str], words: Sequence[str], whole: str) -> None:
    """AWS wants a question mark for the one of day and weekday that may be any."""
    day, weekday = fields[2], fields[4]
    if "*" not in (day, weekday):
        raise _both(words, whole)
    fields[2 if weekday != "*" else 4] = "?"


def _both(words: Sequence[str], whole: str) -> ProjectError:
    """On unix it is due on either: that takes two schedules."""
    minute, hour, day, month, weekday, *year = words
    free = "?" if year else "*"
    one, other = ([minute, hour, day, month, free, *year], [minute, hour, free, month, weekday, *year])
    found = f"found both day `{day}` and weekday `{weekday}` in `{whole}`, of which AWS takes one"
    hint = f"write two schedules: `{' '.join(one)}` and `{' '.join(other)}`"
    return wrong(f"{found}, expected {free} for the other", hint)


def _check_comes(fields: Sequence[str], whole: str) -> None:
    """Whether any of the months has the first of the days."""
    day, month = fields[2], fields[3]
    if not re.fullmatch("[0-9,/-]+", day):
        return
    first, most = int(re.split("[,/-]", day)[0]), max(map(days.longest, MONTH.values(month, whole)))
    if first > most:
        found = f"found day `{day}` of month `{month}` in `{whole}`, which never comes"
        raise wrong(f"{found}, expected 1 to {most}", "the last day of a month is L")
