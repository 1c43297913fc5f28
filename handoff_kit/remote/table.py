"""Rows of texts as aligned columns, and the forms in which figures and times stand in them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from handoff_runtime.terminal import safe_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

__all__ = ["count", "elapsed", "stamp", "table"]

_MINUTE, _HOUR = 60, 3600


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()) -> str:
    """One line a row under a head; columns named in `right` are figures."""
    lines = [tuple(head), *(tuple(map(safe_name, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    flush = [name in right for name in head]
    return "".join(f"{_line(row, widths, flush)}\n" for row in lines)


def _line(row: Sequence[str], widths: Sequence[int], flush: Sequence[bool]) -> str:
    cells = zip(row, widths, flush, strict=True)
    return "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells).rstrip()


def stamp(moment: datetime | float) -> str:
    """A moment as UTC to the second, as --since takes it."""
    found = datetime.fromtimestamp(moment, timezone.utc) if isinstance(moment, (int, float)) else moment
    return found.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def count(number: int | None) -> str:
    """A count with its thousands apart; a dash where nothing was counted."""
    return "-" if number is None else f"{number:,}"


def elapsed(seconds: float | None) -> str:
    """Seconds to a tenth below a minute, then as minutes and hours."""
    if seconds is None:
        return "-"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes} m {rest:02} s" if seconds < _HOUR else f"{minutes // _MINUTE} h {minutes % _MINUTE:02} m"
