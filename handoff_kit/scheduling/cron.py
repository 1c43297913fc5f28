"""Translate a cron expression, of five fields (unix) or six (AWS), for EventBridge Scheduler, which takes six.

Names, ranges, lists and steps stay as they are written. Weekdays become names, since unix counts them from 0 and AWS
from 1; a range that wraps around and a step within a range or a list become the list of their values; `?` takes the
place of the day or the weekday, of which AWS wants exactly one.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from handoff_kit.errors import ProjectError
from handoff_kit.text import did_you_mean

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_UNIX, _AWS, _QUARTZ = 5, 6, 7
_EXPECTED = f"expected five or six fields, or one of {', '.join(PRESETS)}"
_FIELDS = "expected five (minute hour day month weekday), or six as AWS writes them (and year)"
_SIX = "expected minute hour day month weekday year, with ? for day or for weekday"
_EXAMPLE = "for example: 0 2 * * *, which is every day at 02:00"

_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS_OF_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # of a leap year
_ITEM = re.compile(r"(?P<first>\*|\w+)(-(?P<last>\w+))?(/(?P<step>\w+))?")
_NUMBER = re.compile("[0-9]{1,4}")
_MANY_DIGITS = 9  # more than any value has; Python reads no number of 5,000


@dataclass(frozen=True)
class Field:
    """The numbers that a field may hold, `low` to `high`, or names, the first of which is `low`.

    On unix 7 is Sunday as well as 0: `alias` is another number for `low`. With `has_names_only`, numbers are translated
    into names.
    """

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    alias: int | None = None
    has_names_only: bool = False

    def translate(self, text: str, cron: str) -> str:
        """The field for EventBridge, `*` for every value; `cron` is the whole expression, for messages."""
        items = [self._item_values(item, text, cron) for item in text.split(",")]
        values = self.values(text, cron)
        if len(values) > self.high - self.low:
            return "*"
        start, _, step = text.partition("/")
        if step.isdecimal() and re.fullmatch(r"\*|\w+", start) and not self.has_names_only:
            return f"{values[0]}/{int(step)}"
        if step or any(item != sorted(item) for item in items):
            return ",".join(self._translate_word(str(value), cron) for value in values)
        return re.sub(r"\w+", lambda word: self._translate_word(word[0], cron), text)

    def values(self, text: str, cron: str) -> list[int]:
        """All numbers that a field stands for, sorted."""
        return sorted({value for item in text.split(",") for value in self._item_values(item, text, cron)})

    def value(self, word: str, cron: str) -> int:
        """The number that a word stands for."""
        if word in self.names:
            return self.low + self.names.index(word)
        number = int(word) if _NUMBER.fullmatch(word) else None
        if number is not None and number == self.alias:
            return self.low
        if number is None or not self.low <= number <= self.high:
            names = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
            expected = f"expected {self.low} to {self.alias or self.high}{names}"
            raise ProjectError(f"found {self.name} `{word}` in `{cron}`, {expected}", self._suggest(word))
        return number

    def _translate_word(self, word: str, cron: str) -> str:
        value = self.value(word, cron)
        return self.names[value - self.low] if self.has_names_only or word in self.names else str(value)

    def _item_values(self, item: str, text: str, cron: str) -> list[int]:
        """The numbers of one item of a list, in order: a range may wrap around."""
        found = _ITEM.fullmatch(item)
        if not found or item.startswith("*-"):
            what = f"{self.name} `{text}`" if item else f"{self.name} `{text}` with an empty item"
            valid = ",".join(one for one in text.split(",") if _ITEM.fullmatch(one) and not one.startswith("*-"))
            hint = f"did you mean `{valid}`?" if valid else f"for example: * or {self.low} or {self.low}-{self.low + 1}"
            expected = "expected *, a value, a range, or one of them with /STEP"
            raise ProjectError(f"found {what} in `{cron}`, {expected}", hint)
        first, last, size = found["first"], found["last"], self.high - self.low + 1
        start = self.low if first == "*" else self.value(first, cron)
        end = self.value(last, cron) if last else self.high if first == "*" or found["step"] else start
        if end < start or (last == str(self.alias) and last != first):
            end += size
        step = self._step(found["step"], cron) if found["step"] else 1
        return [self.low + (number - self.low) % size for number in range(start, end + 1, step)]

    def _step(self, text: str, cron: str) -> int:
        step, most = int(text) if _NUMBER.fullmatch(text) else 0, self.high - self.low
        if 1 <= step <= most:
            return step
        rate = f"every {step} {self.name}s is no cron, but a rate: {step} {self.name}s"
        is_rate = step > most and self.name in {"minute", "hour", "day"}
        hint = rate if is_rate else f"for example: */{min(2, most)}"
        raise ProjectError(f"found step `{text}` of {self.name} in `{cron}`, expected 1 to {most}", hint)

    def _suggest(self, word: str) -> str:
        """The nearest valid value; 24 and 60 are 0 of the next day or hour."""
        if word.isdecimal():
            number, most = int(word[:_MANY_DIGITS]), self.alias or self.high
            value = 0 if number == most + 1 and self.low == 0 else min(max(number, self.low), most)
            return f"did you mean `{value}`?"
        found = word[:3] if word[:3] in self.names else did_you_mean(word, self.names)
        return f"did you mean `{found}`?" if found else f"for example: {self.names[1] if self.names else self.low}"


MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day", 1, 31)
MONTH = Field("month", 1, 12, _MONTHS)
WEEKDAY = Field("weekday", 0, 6, _WEEKDAYS, alias=7, has_names_only=True)
AWS_WEEKDAY = Field("weekday", 1, 7, _WEEKDAYS, has_names_only=True)
YEAR = Field("year", 1970, 2199)


def translate_cron(text: str) -> str:
    """`0 2 * * 1-5` as `cron(0 2 ? * MON-FRI *)`; ProjectError where it is no cron expression."""
    fields = _split(text)
    cron = " ".join(fields)
    minute, hour, day, month, weekday, *year = fields
    if year:
        _check_question_marks(fields, cron)
    translated = [
        MINUTE.translate(minute, cron),
        HOUR.translate(hour, cron),
        _translate_day(day, cron),
        MONTH.translate(month, cron),
        _translate_weekday(weekday, AWS_WEEKDAY if year else WEEKDAY, cron),
        YEAR.translate(year[0], cron) if year else "*",
    ]
    if "*" not in (translated[2], translated[4]):
        raise _day_and_weekday(fields, cron)
    translated[2 if translated[4] != "*" else 4] = "?"
    day, month = translated[2:4]
    if re.fullmatch("[0-9,/-]+", day):
        longest = max(_DAYS_OF_MONTHS[number - 1] for number in MONTH.values(month, cron))
        if DAY.values(day, cron)[0] > longest:
            message = f"found day `{day}` of month `{month}` in `{cron}`, which never comes, expected 1 to {longest}"
            raise ProjectError(message, "the last day of a month is L")
    return f"cron({' '.join(translated)})"


def _split(text: str) -> list[str]:
    """The five or six fields, or those of a preset."""
    if preset := PRESETS.get(text.lower()):
        return preset.split()
    words = text.upper().split()
    if len(words) not in (_UNIX, _AWS) and not (len(words) > 1 and re.match("[*?0-9]", text)):
        raise ProjectError(f"found {f'`{text}`' if text else 'nothing'}, {_EXPECTED}", _suggest(text))
    if len(words) not in (_UNIX, _AWS) or words[0].endswith(",") or any(word.startswith(",") for word in words):
        found = f"found {len(words)} field{'s' if len(words) > 1 else ''} in `{' '.join(words)}`"
        raise ProjectError(f"{found}, {_FIELDS}", _suggest_fields(words))
    return words


def _suggest(text: str) -> str:
    """The hint for a text that is no cron expression."""
    word = text.lower()
    if every := re.fullmatch(r"@?every\s+(\d+)\s*(m|h|d)[a-z]*", word):
        unit = next(unit for unit in ("minutes", "hours", "days") if unit.startswith(every[2]))
        return f"write it as a rate: {every[1]} {unit}"
    if other := re.fullmatch(r"(rate|at)\s*\((.*)\)", word):
        return f"write it like this: {other[1]}: {other[2].upper() if other[1] == 'at' else other[2]}"
    if time := re.search(r"\b([01]?[0-9]|2[0-3]):([0-5][0-9])\b", word):
        return f"did you mean `{int(time[2])} {int(time[1])} * * *`?"
    found = did_you_mean("@" + word.lstrip("@"), PRESETS)
    return f"did you mean `{found}`?" if found else _EXAMPLE


def _suggest_fields(words: Sequence[str]) -> str:
    """The hint for a wrong number of fields."""
    joined = re.sub(r"\s*,\s*", ",", " ".join(words))
    if joined != " ".join(words) and len(joined.split()) in (_UNIX, _AWS):
        return f"did you mean `{joined}`?"
    if len(words) == _QUARTZ and words[0] == "0":
        return f"seconds are not counted: did you mean `{' '.join(words[1:])}`?"
    if len(words) == _UNIX - 1:
        return f"did you mean `{' '.join([*words, '*'])}`?"
    return _EXAMPLE


def _check_question_marks(words: Sequence[str], cron: str) -> None:
    """Refuse six fields unless exactly one of day and weekday is `?`."""
    minute, hour, day, month, weekday, year = words
    if {day, weekday}.isdisjoint({"*", "?"}) and year != "?":
        raise _day_and_weekday(words, cron)
    marks = [day, weekday].count("?")
    if marks == 1 and year != "?":
        return
    found = "found ? for the year" if year == "?" else "found two ?" if marks else "found no ?"
    chosen = ("*", "?") if {day, weekday} <= {"*", "?"} else ("?", weekday) if day in ("*", "?") else (day, "?")
    six = " ".join([minute, hour, chosen[0], month, chosen[1], year.replace("?", "*")])
    five = " ".join(words[1:]).replace("?", "*")
    seconds = f", or if the first are seconds: `{five}`" if minute == "0" and day != "?" else ""
    raise ProjectError(f"{found} in the six fields `{cron}`, {_SIX}", f"did you mean `{six}`{seconds}?")


def _day_and_weekday(words: Sequence[str], cron: str) -> ProjectError:
    """The error for a day and a weekday: cron runs on either of them, AWS needs two schedules."""
    minute, hour, day, month, weekday, *year = words
    free = "?" if year else "*"
    one, other = ([minute, hour, day, month, free, *year], [minute, hour, free, month, weekday, *year])
    found = f"found both day `{day}` and weekday `{weekday}` in `{cron}`, of which AWS takes one"
    hint = f"write two schedules: `{' '.join(one)}` and `{' '.join(other)}`"
    return ProjectError(f"{found}, expected {free} for the other", hint)


def _translate_day(text: str, cron: str) -> str:
    if text in ("?", "L", "LW"):
        return text.replace("?", "*")
    if near := re.fullmatch(r"([0-9]+)W", text):
        number, shortest = DAY.value(near[1], cron), 28
        if number > shortest:
            found = f"found day `{text}` in `{cron}`, which some months do not have"
            raise ProjectError(f"{found}, expected 1W to {shortest}W", "the last weekday of a month is LW")
        return f"{number}W"
    _check_alone("day", text, r"L[0-9W+-]*|[0-9]+W", ("L, LW or 15W", "L"), cron)
    return DAY.translate(text, cron)


def _translate_weekday(text: str, field: Field, cron: str) -> str:
    """The weekday for EventBridge, which takes L and # with numbers: 6L is the last Friday, 6#2 the second."""
    if text == "?":
        return "*"
    if text == "L":
        return "SAT"
    if last := re.fullmatch(r"(\w+)L", text):
        return f"{field.value(last[1], cron) - field.low + AWS_WEEKDAY.low}L"
    if nth := re.fullmatch(r"(\w+)#(\w*)", text):
        if not re.fullmatch("[1-5]", nth[2]):
            expected = f"expected {nth[1]}#1 to {nth[1]}#5"
            hint = f"the last one of a month is {nth[1]}L"
            raise ProjectError(f"found weekday `{text}` in `{cron}`, {expected}", hint)
        return f"{field.value(nth[1], cron) - field.low + AWS_WEEKDAY.low}#{nth[2]}"
    _check_alone("weekday", text, r"\w+#\w*|[0-9]L", ("FRI#2 or FRIL", "FRI#2"), cron)
    return field.translate(text, cron)


def _check_alone(name: str, text: str, pattern: str, forms: tuple[str, str], cron: str) -> None:
    """Refuse L, W and # in a list."""
    special = next((item for item in text.split(",") if re.fullmatch(pattern, item)), None)
    if special is None:
        return
    found, (expected, example) = f"found {name} `{text}` in `{cron}`", forms
    if special == text:
        raise ProjectError(f"{found}, expected {expected}", f"for example: {example}")
    hint = f"write a schedule for `{special}`, and another one for the rest"
    raise ProjectError(f"{found}, expected {expected} alone", hint)
