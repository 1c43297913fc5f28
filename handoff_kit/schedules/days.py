"""The two fields of cron that may count from a month's end: the day, with L and W, and the weekday, with L and #."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.schedules.field import AWS_WEEKDAY, DAY, wrong

if TYPE_CHECKING:
    from handoff_kit.schedules.field import Field

__all__ = ["day", "longest", "weekday"]

_LAST = re.compile(r"(?P<day>\w+)L")
_NTH = re.compile(r"(?P<day>\w+)#(?P<nth>\w*)")
_NEAR = re.compile(r"(?P<day>[0-9]+)W")
_OF_MONTH = re.compile(r"L[0-9W+-]*|[0-9]+W")
_OF_WEEK = re.compile(r"\w+#\w*|[0-9]L")
_SHORTEST = 28  # every month has so many days, and so a weekday nearest to each of them
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def longest(month: int) -> int:
    """The days of a month in a leap year."""
    return _LENGTHS[month - 1]


def day(text: str, whole: str) -> str:
    """The day of the month as AWS takes it; a star where it may be any."""
    if text in ("?", "L", "LW"):
        return text.replace("?", "*")
    if near := _NEAR.fullmatch(text):
        return _near(DAY.value(near["day"], whole), text, whole)
    _check_alone(text, _OF_MONTH, ("day", "L, LW or 15W", "L"), whole)
    return DAY.translated(text, whole)


def weekday(text: str, field: Field, whole: str) -> str:
    """The day of the week as AWS takes it, from a field that counts as unix does, or as AWS; a star where any."""
    if text == "?":
        return "*"
    if text == "L":  # which is Saturday
        return field.written([field.high])
    if last := _LAST.fullmatch(text):
        return f"{_number(last['day'], field, whole)}L"
    if nth := _NTH.fullmatch(text):
        return _nth(nth["day"], nth["nth"], field, whole)
    _check_alone(text, _OF_WEEK, ("weekday", "FRI#2 or FRIL", "FRI#2"), whole)
    return field.translated(text, whole)


def _near(number: int, text: str, whole: str) -> str:
    if number <= _SHORTEST:
        return f"{number}W"
    found = f"found day `{text}` in `{whole}`, which some months do not have"
    raise wrong(f"{found}, expected 1W to {_SHORTEST}W", "the last weekday of a month is LW")


def _nth(name: str, nth: str, field: Field, whole: str) -> str:
    if re.fullmatch("[1-5]", nth):
        return f"{_number(name, field, whole)}#{nth}"
    found = f"found weekday `{name}#{nth}` in `{whole}`"
    raise wrong(f"{found}, expected {name}#1 to {name}#5", f"the last one of a month is {name}L")


def _number(name: str, field: Field, whole: str) -> int:
    """A weekday by the number it has in AWS."""
    return field.value(name, whole) - field.low + AWS_WEEKDAY.low


def _check_alone(text: str, form: re.Pattern[str], words: tuple[str, str, str], whole: str) -> None:
    """What counts from a month's end, or by its weeks, stands alone."""
    name, known, example = words
    special = next((item for item in text.split(",") if form.fullmatch(item)), None)
    if special is None:
        return
    found = f"found {name} `{text}` in `{whole}`"
    if special == text:
        raise wrong(f"{found}, expected {known}", f"for example: {example}")
    raise wrong(f"{found}, expected {known} alone", f"write a schedule for `{special}`, and another one for the rest")
