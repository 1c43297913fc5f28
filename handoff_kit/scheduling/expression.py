"""Translate the expressions of the project file for EventBridge Scheduler: `cron(...)`, `rate(...)`, `at(...)`.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Literal, TypeAlias

from handoff_kit.errors import ProjectError
from handoff_kit.scheduling.cron import translate_cron
from handoff_kit.scheduling.timezones import zone_of
from handoff_kit.text import did_you_mean

Kind: TypeAlias = Literal["cron", "rate", "at"]
KINDS: tuple[Kind, ...] = ("cron", "rate", "at")

_UTC = timezone.utc
_RATE = "expected a number of minutes, hours or days, like `15 minutes`"
_RATE_EXAMPLE = "for example: 15 minutes"
_AT = "expected a time of the schedule's timezone, like `2027-01-31T06:00:00`"
_AT_EXAMPLE = "for example: 2027-01-31T06:00:00"
_UNITS = ("minutes", "hours", "days")
_MINUTES = {"minutes": 1, "hours": 60, "days": 1440}
_MOST = 99_999
_SHORT = {"m": "minutes", "min": "minutes", "mins": "minutes", "h": "hours", "hr": "hours", "hrs": "hours", "d": "days"}


def expression_problem(kind: Kind, text: str, timezone: str) -> tuple[str, str] | None:
    """Message and hint for an invalid expression; None for a valid one."""
    try:
        translate(kind, text, timezone)
    except ProjectError as error:
        return error.message, error.hint or ""
    return None


def translate(kind: Kind, text: str, timezone: str) -> str:
    """The expression as EventBridge takes it; ProjectError where it is none."""
    found = re.fullmatch(rf"\s*{kind}\s*\((.*)\)\s*", text, re.DOTALL | re.IGNORECASE)
    plain = " ".join((found[1] if found else text).split())
    match kind:
        case "cron":
            return translate_cron(plain)
        case "rate":
            if found := re.fullmatch(r"([1-9][0-9]{0,4})\s+(minute|hour|day)s?", plain.lower()):
                return f"rate({_rate(int(found[1]), found[2] + 's')})"
            raise ProjectError(f"found {f'`{plain}`' if plain else 'nothing'}, {_RATE}", _suggest_rate(plain.lower()))
        case "at":
            return _translate_at(plain, timezone)


def is_rate(expression: str) -> bool:
    """Whether it is a rate, whose times depend on the creation of the schedule."""
    return expression.startswith("rate(")


def rate_interval(expression: str) -> timedelta:
    """The time between two runs of `rate(15 minutes)`."""
    number, unit = expression.removeprefix("rate(").removesuffix(")").split()
    return timedelta(minutes=int(number) * _MINUTES[unit.removesuffix("s") + "s"])


def at_time(expression: str, timezone: str) -> datetime:
    """The time of `at(2027-01-31T06:00:00)`, in its time zone."""
    local = datetime.fromisoformat(expression.removeprefix("at(").removesuffix(")"))
    return local.replace(tzinfo=zone_of(timezone))


def _rate(number: float, unit: str) -> str:
    """`1 hour`, `90 minutes`: a fraction becomes a whole number of a smaller unit."""
    number = min(number, _MOST)  # of so many digits that it is infinite
    while number % 1 and unit != "minutes":
        smaller = _UNITS[_UNITS.index(unit) - 1]
        number, unit = number * _MINUTES[unit] / _MINUTES[smaller], smaller
    whole = max(1, min(round(number), _MOST))
    return f"{whole} {unit.removesuffix('s') if whole == 1 else unit}"


def _suggest_rate(text: str) -> str:
    found = re.fullmatch(r"(?:every\s+)?(?P<number>[0-9]*(?:\.[0-9]+)?)\s*(?P<unit>[a-z]*)", text)
    if not found or not text:
        return "for a time of day write cron, like `0 2 * * *`" if re.search("[:*]", text) else _RATE_EXAMPLE
    number, word = float(found["number"] or 1), found["unit"]
    if word in ("s", "sec", "secs", "second", "seconds"):
        return "the shortest is `1 minute`"
    if word in ("month", "months", "year", "years", "quarter", "quarters"):
        return "write it as a cron: @monthly, or `0 0 1 * *`"
    if word in ("w", "wk", "week", "weeks"):
        return f"did you mean `{_rate(number * 7, 'days')}`?"
    unit = _SHORT.get(word) or did_you_mean(word, _UNITS) or ("" if word else "minutes")
    return f"did you mean `{_rate(number, unit)}`?" if unit and number else _RATE_EXAMPLE


def _translate_at(text: str, timezone: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?", text):
        raise ProjectError(f"found {f'`{text}`' if text else 'nothing'}, {_AT}", _suggest_at(text, timezone))
    try:
        local = datetime.fromisoformat(text)
    except ValueError as error:
        hint = "see that the day and the time are ones there are"
        raise ProjectError(f"found `{text}` ({error}), {_AT}", hint) from None
    moment = local.replace(tzinfo=zone_of(timezone))
    try:
        skipped = is_skipped(moment)
    except OverflowError:
        found = f"found `{text}`, which in UTC is outside of the years 1 to 9999"
        raise ProjectError(f"{found}, expected a nearer time", _AT_EXAMPLE) from None
    if skipped:
        suggestion = _iso(moment.astimezone(_UTC).astimezone(moment.tzinfo))
        found = f"found `{text}`, which the clocks of {timezone} skip"
        raise ProjectError(f"{found}, expected a time that comes", f"did you mean `{suggestion}`?")
    return f"at({local.isoformat(timespec='seconds')})"


def is_skipped(moment: datetime) -> bool:
    """Whether the clocks of its time zone skip this time in spring."""
    return moment.astimezone(_UTC).astimezone(moment.tzinfo).replace(tzinfo=None) != moment.replace(tzinfo=None)


def _suggest_at(text: str, timezone: str) -> str:
    """The hint for a date, a time with an offset, or one with missing digits: the time in `timezone`."""
    try:
        moment = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except ValueError:
        try:
            year, month, day, hour, minute = (int(part) for part in re.findall("[0-9]+", text)[:5])
            return f"did you mean `{_iso(datetime(year, month, day, hour, minute))}`?"  # noqa: DTZ001  # a wall clock
        except (ValueError, OverflowError):
            return _AT_EXAMPLE
    if moment.tzinfo:
        try:
            local = _iso(moment.astimezone(zone_of(timezone)))
        except OverflowError:
            return _AT_EXAMPLE
        return f"that is `{local}` in {timezone}, which is written without an offset"
    return f"did you mean `{_iso(moment)}`?"


def _iso(local: datetime) -> str:
    return local.replace(tzinfo=None, microsecond=0).isoformat(timespec="seconds")
