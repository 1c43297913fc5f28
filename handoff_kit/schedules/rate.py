"""How often: so many minutes, hours or days after one another, counted from when the schedule was made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.names import nearest
from handoff_kit.schedules.field import wrong

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["translated", "turn"]

UNITS = ("minutes", "hours", "days")
_RATE = re.compile(r"([1-9][0-9]{0,4})\s+(minute|hour|day)s?")
_EXPECTED = "expected a number of minutes, hours or days, like `15 minutes`"
_EXAMPLE = "for example: 15 minutes"
_LOOSE = re.compile(r"(?:every\s+)?(?P<number>[0-9]*(?:\.[0-9]+)?)\s*(?P<unit>[a-z]*)")
_SHORT = {"m": "minutes", "min": "minutes", "mins": "minutes", "h": "hours", "hr": "hours", "hrs": "hours", "d": "days"}
_LARGER = {"w": 7, "wk": 7, "week": 7, "weeks": 7}
_SMALLER = ("s", "sec", "secs", "second", "seconds")
_MONTHS = ("month", "months", "year", "years", "quarter", "quarters")
_IN_MINUTES = {"minutes": 1, "hours": 60, "days": 1440}


def translated(text: str) -> str:
    """The expression as AWS takes it: `rate(1 hour)`, `rate(15 minutes)`."""
    plain = _bare(text)
    if found := _RATE.fullmatch(plain):
        return f"rate({_told(int(found[1]), found[2] + 's')})"
    shown = " ".join(text.split())
    raise wrong(f"found `{shown}`, {_EXPECTED}" if shown else f"found nothing, {_EXPECTED}", _meant(plain))


def turn(expression: str) -> timedelta:
    """How long it is from one time to the next."""
    from datetime import timedelta  # noqa: PLC0415

    number, unit = expression.removeprefix("rate(").removesuffix(")").split()
    return timedelta(minutes=int(number) * _IN_MINUTES[unit.removesuffix("s") + "s"])


def _bare(text: str) -> str:
    found = re.fullmatch(r"\s*rate\s*\((.*)\)\s*", text, re.DOTALL | re.IGNORECASE)
    return " ".join((found[1] if found else text).split()).lower()


def _told(number: int, unit: str) -> str:
    """AWS wants the singular for one."""
    return f"{number} {unit.removesuffix('s') if number == 1 else unit}"


def _meant(text: str) -> str:
    found = _LOOSE.fullmatch(text)
    if not found or not text:
        of_day = ":" in text or "*" in text
        return "for a time of day write cron, like `0 2 * * *`" if of_day else _EXAMPLE
    number, word = float(found["number"] or 1), found["unit"]
    if word in _SMALLER:
        return "the shortest is `1 minute`"
    if word in _MONTHS:
        return "write it as a cron: @monthly, or `0 0 1 * *`"
    if word in _LARGER:
        return f"did you mean `{_told(int(number * _LARGER[word]), 'days')}`?"
    unit = _SHORT.get(word) or nearest(word, UNITS) or ("" if word else "minutes")
    return f"did you mean `{_whole(number, unit)}`?" if unit and number else _EXAMPLE


def _whole(number: float, unit: str) -> str:
    """Parts of a unit as a whole number of a smaller one."""
    while number % 1 and unit != UNITS[0]:
        smaller = UNITS[UNITS.index(unit) - 1]
        number, unit = number * _IN_MINUTES[unit] / _IN_MINUTES[smaller], smaller
    return _told(max(1, min(round(number), 99999)), unit)
