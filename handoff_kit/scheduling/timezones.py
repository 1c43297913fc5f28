"""Time zones by their IANA names, which Python and EventBridge Scheduler share."""

from __future__ import annotations

import re
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from handoff_kit.text import did_you_mean

_EXPECTED = "expected an IANA time zone, like Europe/Berlin"
# Abbreviations say nothing of daylight saving time. Some are names of old files in the IANA database, but do not mean
# what they say: EST has no summer, CET is Brussels.
_ABBREVIATIONS = {
    abbreviation: zone
    for zone, abbreviations in {
        "Europe/Berlin": "CET CEST MET MEZ",
        "Europe/Helsinki": "EET EEST",
        "Europe/Lisbon": "WET WEST",
        "Europe/London": "BST",
        "Europe/Moscow": "MSK",
        "America/New_York": "EST EDT EST5EDT",
        "America/Chicago": "CST CDT CST6CDT",
        "America/Denver": "MST MDT MST7MDT",
        "America/Los_Angeles": "PST PDT PST8PDT",
        "Pacific/Honolulu": "HST",
        "Asia/Kolkata": "IST",
        "Asia/Tokyo": "JST",
        "Asia/Seoul": "KST",
        "Asia/Singapore": "SGT",
        "Australia/Sydney": "AEST AEDT",
        "UTC": "Z FACTORY LOCAL LOCALTIME",
    }.items()
    for abbreviation in abbreviations.split()
}
_OFFSET = re.compile(r"(?:UTC|GMT|Z)?\s*([+-])\s*(0?[0-9]|1[0-4])(?::?([0-5][0-9]))?", re.IGNORECASE)

_timezones = cache(available_timezones)


def timezone_problem(text: str) -> tuple[str, str] | None:
    """Message and hint for an invalid name of a time zone; None for a valid one."""
    name = text.strip()
    full_name = _ABBREVIATIONS.get(name.upper())
    offset = _OFFSET.fullmatch(name)
    if text in _timezones() and not full_name and not offset:
        return None
    if full_name:
        hint = f"did you mean `{full_name}`?"
    elif offset:
        hours, minutes = int(offset[2]), int(offset[3] or 0)
        zone = f"Etc/GMT{'-' if offset[1] == '+' else '+'}{hours}"  # the signs of Etc are reversed
        all_year = not minutes and zone in _timezones()
        hint = "name a place that has it, like Europe/Berlin"
        hint += f"; or, for the same offset all year, {zone}" if all_year else ""
        hint = hint if hours or minutes else "did you mean `UTC`?"
    else:
        hint = _suggest(name)
    return f"found {f'`{name}`' if name else 'nothing'}, {_EXPECTED}", hint


def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name; UTC for an invalid name, which validation reports."""
    return ZoneInfo(name if name in _timezones() else "UTC")


@cache
def _suggest(text: str) -> str:
    """The hint for an unknown name: the nearest zone, by its name or its city."""
    word = text.replace(" ", "_").lower()
    cities = {name.rpartition("/")[2].lower(): name for name in sorted(_timezones())}
    names = {**cities, **{name.lower(): name for name in _timezones()}}
    found = names.get(word) or names.get(word.rpartition("/")[2]) or names.get(did_you_mean(word, names) or "")
    return f"did you mean `{found}`?" if found else "for example: Europe/Berlin, America/New_York, UTC"
