"""Time zones that are no place: abbreviations and offsets, which say nothing of daylight saving time."""

from __future__ import annotations

import re

from handoff_kit.schedules import zone

_EXPECTED = "expected the IANA name of a time zone, like Europe/Berlin"
# Some are names of old files in the IANA database, but do not mean what they say: EST has no summer, CET is Brussels
_ABBREVIATIONS = {
    "CET": "Europe/Berlin",
    "CEST": "Europe/Berlin",
    "MET": "Europe/Berlin",
    "MEZ": "Europe/Berlin",
    "EET": "Europe/Helsinki",
    "EEST": "Europe/Helsinki",
    "WET": "Europe/Lisbon",
    "WEST": "Europe/Lisbon",
    "BST": "Europe/London",
    "MSK": "Europe/Moscow",
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "EST5EDT": "America/New_York",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "CST6CDT": "America/Chicago",
    "MST": "America/Denver",
    "MDT": "America/Denver",
    "MST7MDT": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "PST8PDT": "America/Los_Angeles",
    "HST": "Pacific/Honolulu",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "SGT": "Asia/Singapore",
    "AEST": "Australia/Sydney",
    "AEDT": "Australia/Sydney",
    "Z": "UTC",
    "FACTORY": "UTC",
    "LOCAL": "UTC",
    "LOCALTIME": "UTC",
}
_OFFSET = re.compile(r"(?:UTC|GMT|Z)?\s*([+-])\s*(0?[0-9]|1[0-4])(?::?([0-5][0-9]))?", re.IGNORECASE)


def problem(text: str) -> tuple[str, str] | None:
    """What is wrong with the name of a zone, and a hint; None where nothing is."""
    plain = text.strip()
    if meant := _ABBREVIATIONS.get(plain.upper()):
        return f"found `{plain}`, {_EXPECTED}", f"did you mean `{meant}`?"
    if offset := _OFFSET.fullmatch(plain):
        return f"found `{plain}`, {_EXPECTED}", _fixed(offset[1], int(offset[2]), offset[3])
    return zone.problem(text)


def _fixed(sign: str, hours: int, minutes: str | None) -> str:
    """An offset as the zone that has it all year; the signs of Etc are turned round."""
    place = "name a place that has it, like Europe/Berlin"
    if int(minutes or 0):
        return place
    if not hours:
        return "did you mean `UTC`?"
    name = f"Etc/GMT{'-' if sign == '+' else '+'}{hours}"
    return f"{place}; or, for the same offset all year, {name}" if name in zone.known() else place
