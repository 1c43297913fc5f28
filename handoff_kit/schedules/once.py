"""Once: a time of a zone, to the second."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from handoff_kit.schedules import zone as zones
from handoff_kit.schedules.field import wrong

__all__ = ["moment", "translated"]

_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_EXPECTED = "expected a time of the schedule's timezone, like `2027-01-31T06:00:00`"


def translated(text: str, name: str) -> str:
    """The expression as AWS takes it: `at(2027-01-31T06:00:00)`."""
    plain = _bare(text)
    if not _FORM.fullmatch(plain):
        raise wrong(f"found `{plain}`, {_EXPECTED}" if plain else f"found nothing, {_EXPECTED}", _meant(plain, name))
    try:
        local = datetime.fromisoformat(plain)
    except ValueError as error:
        hint = "see that the day and the time are ones there are"
        raise wrong(f"found `{plain}` ({error}), {_EXPECTED}", hint) from None
    _check_comes(local, plain, name)
    return f"at({local.isoformat(timespec='seconds')})"


def moment(expression: str, name: str) -> datetime:
    """When that is, in its zone."""
    local = datetime.fromisoformat(expression.removeprefix("at(").removesuffix(")"))
    return local.replace(tzinfo=zones.zone(name))


def _bare(text: str) -> str:
    found = re.fullmatch(r"\s*at\s*\((.*)\)\s*", text, re.DOTALL | re.IGNORECASE)
    return " ".join((found[1] if found else text).split())


def _check_comes(local: datetime, plain: str, name: str) -> None:
    """A time that the clocks skip in spring never comes."""
    aware = local.replace(tzinfo=zones.zone(name))
    comes = aware.astimezone(timezone.utc).astimezone(aware.tzinfo).replace(tzinfo=None)
    if comes != local:
        found = f"found `{plain}`, which the clocks of {name} skip"
        raise wrong(f"{found}, expected a time that comes", f"did you mean `{comes.isoformat(timespec='seconds')}`?")


def _meant(text: str, name: str) -> str:
    """A day alone, a time of another zone, or one with fewer digits, as a time of this."""
    try:
        found = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except ValueError:
        return _loosely(text)
    if found.tzinfo:
        local = found.astimezone(zones.zone(name)).replace(tzinfo=None)
        return f"that is `{_shown(local)}` in {name}, which is written without an offset"
    return f"did you mean `{_shown(found)}`?"


def _loosely(text: str) -> str:
    try:
        year, month, day, hour, minute = (int(part) for part in re.findall("[0-9]+", text)[:5])
        return f"did you mean `{_shown(datetime(year, month, day, hour, minute))}`?"  # noqa: DTZ001  # a wall clock
    except (ValueError, OverflowError):
        return "for example: 2027-01-31T06:00:00"


def _shown(local: datetime) -> str:
    return local.replace(microsecond=0).isoformat(timespec="seconds")
