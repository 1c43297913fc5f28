"""One field of a cron expression: its values, and how they are written for AWS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit.errors import ProjectError
from handoff_kit.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["AWS_WEEKDAY", "DAY", "HOUR", "MINUTE", "MONTH", "WEEKDAY", "YEAR", "Field", "wrong"]

_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_ITEM = re.compile(r"(?P<first>\*|\w+)(-(?P<last>\w+))?(/(?P<step>\w+))?")
_NUMBER = re.compile("[0-9]{1,4}")
_SHORT = 3
_RUN = 3  # so many in a row are written as a range
_RATES = ("minute", "hour", "day")


@dataclass(frozen=True)
class Field:
    """What a field may hold: numbers from `low` to `high`, or names, the first of which is `low`.

    `also` is another number for `low`: on unix 7 is Sunday as well as 0. A field that is `named` is written by names,
    which nobody counts wrong.
    """

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    also: int | None = None
    named: bool = False

    def translated(self, text: str, whole: str) -> str:
        """The field as AWS takes it; `whole` is the expression that it stands in."""
        start, _, step = text.partition("/")
        values = self.values(text, whole)
        if re.fullmatch(r"\*|\w+", start) and re.fullmatch("[0-9]+", step) and int(step) > 1 and not self.named:
            return f"{values[0]}/{int(step)}"
        return self.written(values)

    def values(self, text: str, whole: str) -> list[int]:
        """All that it stands for."""
        return sorted({value for item in text.split(",") for value in self._item(item, text, whole)})

    def written(self, values: Iterable[int]) -> str:
        """Values as a list, in which many in a row are a range."""
        found = list(values)
        if len(found) == self.high - self.low + 1:
            return "*"
        return ",".join(self._run(run) for run in _runs(found))

    def value(self, text: str, whole: str) -> int:
        """The number that a word stands for."""
        if (word := text.upper()) in self.names:
            return self.low + self.names.index(word)
        number = int(text) if _NUMBER.fullmatch(text) else None
        if number is not None and number == self.also:
            return self.low
        if number is None or not self.low <= number <= self.high:
            raise wrong(f"found {self.name} `{text}` in `{whole}`, expected {self._told}", self._meant(text))
        return number

    @property
    def _told(self) -> str:
        named = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"{self.low} to {self.high if self.also is None else self.also}{named}"

    def _item(self, item: str, text: str, whole: str) -> list[int]:
        found = _ITEM.fullmatch(item)
        if not found or (found["first"] == "*" and found["last"]):
            what = f"{self.name} `{text}`" if item else f"{self.name} `{text}` with an empty item"
            expected = "expected *, a value, a range, or one of them with /STEP"
            raise wrong(f"found {what} in `{whole}`, {expected}", self._mended(text))
        values = self._range(found["first"], found["last"], whole, to_the_end=bool(found["step"]))
        return values[:: self._step(found["step"], whole)] if found["step"] else values

    def _range(self, first: str, last: str | None, whole: str, *, to_the_end: bool) -> list[int]:
        """Its values in order; what ends before it begins goes on from the field's beginning."""
        start = self.low if first == "*" else self.value(first, whole)
        if last is None:
            return list(range(start, self.high + 1)) if to_the_end or first == "*" else [start]
        end = self.value(last, whole)
        if last == str(self.also):  # Sunday at the week's end
            return [*range(start, self.high + 1), *([end] if start > end else [])]
        if start <= end:
            return list(range(start, end + 1))
        return [*range(start, self.high + 1), *range(self.low, end + 1)]

    def _step(self, text: str, whole: str) -> int:
        step, most = int(text) if _NUMBER.fullmatch(text) else 0, self.high - self.low
        if 1 <= step <= most:
            return step
        rate = f"every {step} {self.name}s is no cron, but a rate: {step} {self.name}s"
        hint = rate if step > most and self.name in _RATES else f"for example: */{min(2, most)}"
        raise wrong(f"found step `{text}` of {self.name} in `{whole}`, expected 1 to {most}", hint)

    def _run(self, run: list[int]) -> str:
        shown = [self.names[value - self.low] if self.named else str(value) for value in run]
        return f"{shown[0]}-{shown[-1]}" if len(run) >= _RUN else ",".join(shown)

    def _meant(self, text: str) -> str:
        """The nearest value there is; 24 and 60 are 0 of the next hour or day."""
        if text.isdecimal():
            number, most = int(text), self.high if self.also is None else self.also
            return f"did you mean `{0 if number == most + 1 and self.low == 0 else min(max(number, self.low), most)}`?"
        word = text.upper()[:_SHORT]
        found = word if word in self.names else nearest(text, self.names)
        return f"did you mean `{found}`?" if found else f"for example: {self.names[1] if self.names else self.low}"

    def _mended(self, text: str) -> str:
        kept = ",".join(item for item in text.split(",") if _ITEM.fullmatch(item) and not item.startswith("*-"))
        return f"did you mean `{kept}`?" if kept else f"for example: * or {self.low} or {self.low}-{self.low + 1}"


def _runs(values: list[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for value in values:
        if run and value != run[-1] + 1:
            yield run
            run = []
        run.append(value)
    yield run


def wrong(message: str, hint: str) -> ProjectError:
    """What a bad expression is told as."""
    return ProjectError(message, hint)


MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day", 1, 31)
MONTH = Field("month", 1, 12, _MONTHS)
WEEKDAY = Field("weekday", 0, 6, _WEEKDAYS, also=7, named=True)
AWS_WEEKDAY = Field("weekday", 1, 7, _WEEKDAYS, named=True)
YEAR = Field("year", 1970, 2199)
