"""Time zones by their IANA names, which are the same here and in AWS."""

from __future__ import annotations

from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from handoff_kit.names import nearest

__all__ = ["known", "problem", "zone"]


def problem(text: str) -> tuple[str, str] | None:
    """What is wrong with the name of a zone, and a hint; None where nothing is."""
    if text in known():
        return None
    found = f"`{text}`" if text.strip() else "nothing"
    return f"found {found}, expected a time zone by its IANA name, like Europe/Berlin", _hint(text.strip())


def zone(name: str) -> ZoneInfo:
    """The zone of a name; UTC where there is none of it, which is told elsewhere."""
    return ZoneInfo(name if name in known() else "UTC")


@cache
def known() -> frozenset[str]:
    """The names there are."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def _hint(text: str) -> str:
    """The zone that was most likely meant: by spelling, or by its city."""
    plain = text.replace(" ", "_")
    spelled = {name.lower(): name for name in known()}
    cities = {name.rpartition("/")[2].lower(): name for name in sorted(known())}
    meant = spelled.get(plain.lower()) or cities.get(plain.rpartition("/")[2].lower())
    meant = meant or nearest(plain, sorted(known())) or cities.get(nearest(plain, cities) or "")
    return f"did you mean `{meant}`?" if meant else "for example: Europe/Berlin, America/New_York, UTC"
