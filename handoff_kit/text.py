"""Tables, counts, sizes, durations and times as text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches

from handoff_runtime import exact_json
from handoff_runtime.terminal import safe_name

UNITS = ("B", "kB", "MB", "GB", "TB")  # SI
_MINUTE, _HOUR = 60, 3600
MOST_BEGUN = 3  # choices that begin with a word; of more, it says nothing of which is meant


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()) -> str:
    """One line a row under a head, control characters escaped; the columns named in `right` are aligned right."""
    lines = [tuple(head), *(tuple(map(safe_name, row)) for row in rows)]
    return "".join(f"{line}\n" for line in align(lines, {head.index(name) for name in right}))


def align(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> tuple[str, ...]:
    """One line a row, columns padded to the same width; those at the positions in `right` are aligned right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return tuple(
        "  ".join(
            cell.rjust(width) if position in right else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def json_lines(values: Iterable[Mapping[str, object]]) -> str:
    """One JSON object a line."""
    return "".join(f"{exact_json.dumps(value, ensure_ascii=False)}\n" for value in values)


def timestamp(moment: datetime | float) -> str:
    """UTC to the second, as --since takes it."""
    if isinstance(moment, (int, float)):
        moment = datetime.fromtimestamp(moment, timezone.utc)
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def count(number: int | None) -> str:
    """1,234,567; a dash for None."""
    return "-" if number is None else f"{number:,}"


def plural(number: int, noun: str) -> str:
    """1 row, 1,200 rows."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def age(passed: timedelta) -> str:
    """In the largest unit of which there is one: 3 days, 1 hour."""
    seconds = max(0, int(passed.total_seconds()))
    units = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
    unit, word = next(((unit, word) for unit, word in units if seconds >= unit), (1, "second"))
    return plural(seconds // unit, word)


def wait(left: timedelta) -> str:
    """In days or hours where there are two or more of them, else in minutes: in 3 d, in 90 m."""
    minutes = int(left.total_seconds()) // 60
    for size, unit in ((1440, "d"), (60, "h")):
        if minutes >= 2 * size:
            return f"in {minutes // size} {unit}"
    return f"in {minutes} m"


def join_first(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are: a, b and 3 more."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def size(number: int | None) -> str:
    """Bytes in the largest unit of a thousand that leaves a digit before the point: 84.0 kB; a dash for None."""
    if number is None:
        return "-"
    value, unit = float(number), 0
    while round(value, 1) >= 1000 and unit < len(UNITS) - 1:  # noqa: PLR2004  # SI
        value, unit = value / 1000, unit + 1
    return f"{number} B" if unit == 0 else f"{value:,.1f} {UNITS[unit]}"


DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
"""Of a duration in a project file, in seconds."""


def span(seconds: int) -> str:
    """Seconds as a project file has them, in the largest unit that they are whole in: 90s, 45m, 26h, 1d."""
    unit = next(unit for unit, size in reversed(DURATION_UNITS.items()) if seconds % size == 0)
    return f"{seconds // DURATION_UNITS[unit]}{unit}"


def duration(seconds: float | None) -> str:
    """12.3 s, 2 m 05 s or 1 h 02 m; a dash for None."""
    if seconds is None:
        return "-"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes} m {rest:02} s" if seconds < _HOUR else f"{minutes // _MINUTE} h {minutes % _MINUTE:02} m"


def clock(seconds: float) -> str:
    """0:07 or 1:02:03, for a duration that still counts."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def did_you_mean(word: str, choices: Iterable[str]) -> str | None:
    """The choice that a misspelt word most likely means; those that begin with the word come first."""
    by_form = {_form(choice): choice for choice in choices}
    form = _form(word)
    begun = [choice for choice in by_form if form and choice.startswith(form)]
    if 0 < len(begun) <= MOST_BEGUN:
        return by_form[get_close_matches(form, begun, 1, 0.0)[0]]
    matches = get_close_matches(form, by_form, 1, 0.6)
    return by_form[matches[0]] if matches else None


def _form(word: str) -> str:
    return word.lower().lstrip("-").replace("-", "_")
