"""How long things are kept in AWS, how many, and the tier of the params: how a wrong value was most likely meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.faults.fault import short
from handoff_kit.forms import FOREVER, MAX_DAYS, MAX_STATES, is_days, is_states
from handoff_kit.names import nearest
from handoff_runtime.variables import PLACEHOLDER

if TYPE_CHECKING:
    from handoff_kit.source import Trail

_DAYS = f"1d to {MAX_DAYS}d, or {FOREVER}"
SHAPES: dict[str, tuple[tuple[str, str], ...]] = {
    "keep": (("a mapping", "write it like this: keep: {runs: 90d, artifacts: 30d, states: 50}"),),
    "runs": ((_DAYS, "write it like this: runs: 90d"),),
    "artifacts": ((_DAYS, "write it like this: artifacts: 30d"),),
    "states": ((f"a number, 1 to {MAX_STATES}", "write it like this: states: 50"),),
    "params": (("a mapping", "write it like this: params: {tier: standard}"),),
    "tier": (
        ("standard or advanced", "standard holds 4,096 bytes and is free, advanced holds 8,192 and is charged for"),
    ),
}
_WITHOUT_END = ("all", "always", "ever", "infinite", "infinity", "inf", "unlimited", "-1")
_NUMBER = re.compile(r"0*([0-9]+)\s*([a-z]*)")
_UNITS = {
    **dict.fromkeys(("", "d", "day", "days"), 1),
    **dict.fromkeys(("w", "wk", "week", "weeks"), 7),
    **dict.fromkeys(("mo", "mon", "month", "months"), 30),
    **dict.fromkeys(("y", "yr", "year", "years"), 365),
}
_MOST = f"the most is {MAX_STATES}: S3 counts no further"
_LEAST = "the least is 1: the state before the present one"
_TIERS = ("standard", "advanced")


def rewritten(trail: Trail, found: str) -> str | None:
    """How a text would be right that stands where a time, a number or a tier belongs."""
    text = found.strip().lower()
    if trail in {("keep",), ("params",)}:
        return _in_mapping(str(trail[0]), text)
    if trail[:1] == ("keep",) and (filled := PLACEHOLDER.search(found)):
        return f"write the value itself: nothing fills {short(filled.group())} in the bucket's rules"
    if trail in {("keep", "runs"), ("keep", "artifacts")}:
        return _days(text)
    return _states(text) if trail == ("keep", "states") else None


def _in_mapping(key: str, text: str) -> str | None:
    if key == "params" and (tier := nearest(text, _TIERS)):
        return f"write it like this: params: {{tier: {tier}}}"
    return f"write it like this: keep: {{runs: {text}}}" if key == "keep" and is_days(text) else None


def meant_days(text: str) -> int | str | None:
    """The number of days that a text most likely means, or `forever`; None where it means no time."""
    if text in _WITHOUT_END or nearest(text, [FOREVER]):
        return FOREVER
    number = _NUMBER.fullmatch(text)
    return int(number[1][:9]) * _UNITS[number[2]] if number and number[2] in _UNITS else None


def _days(text: str) -> str | None:
    meant = meant_days(text)
    if meant == 0:
        return "the shortest is 1d"
    if isinstance(meant, int):
        meant = FOREVER if meant > MAX_DAYS else f"{meant}d"
    return f"did you mean `{meant}`?" if meant else None


def _states(text: str) -> str | None:
    number = _NUMBER.fullmatch(text)
    if text in _WITHOUT_END or nearest(text, [FOREVER]) or (number and int(number[1][:9]) > MAX_STATES):
        return _MOST
    if not number:
        return None
    if number[2] in _UNITS and number[2]:
        return "states are counted, not timed; how long they stay is what `artifacts` says"
    return f"did you mean `{number[1]}`?" if is_states(number[1]) else _LEAST
