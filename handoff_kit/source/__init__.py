"""A YAML file as its author wrote it: every scalar as text, every value with its place, every fault at once.

In goes a path; out comes a `Source`: plain data (mappings, lists, text and None), a mark for each value in
it, and the problems found on the way. YAML 1.2's own guesses (1.10 is a number, 0123 is 123) never happen,
because the node graph is walked here and no constructor runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit.source.document import root
from handoff_kit.source.file import MAX_BYTES, content
from handoff_kit.source.position import aligned, place
from handoff_kit.source.problem import Problem, UnreadableError
from handoff_kit.source.walk import Data, Kind, Mark, Trail, Walk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["MAX_BYTES", "Data", "Kind", "Mark", "Problem", "Source", "Trail", "parse", "read"]

_TOO_DEEP = (
    "values are nested too deep, expected about five levels",
    "look for brackets that are never closed",
)


@dataclass(frozen=True)
class Source:
    """A file that was read; `data` is None when it could not be understood at all."""

    shown: str
    text: str
    data: dict[str, Data] | None
    marks: Mapping[Trail, Mark]
    problems: tuple[Problem, ...]

    def at_key(self, trail: Trail, message: str, hint: str) -> Problem:
        """A problem with a key, or with a value that is missing."""
        return self._at(self.marks[trail].key, message, hint)

    def at_value(self, trail: Trail, message: str, hint: str, offset: int | None = None) -> Problem:
        """A problem with a value, or with the character `offset` of its text."""
        return self._at(self._index(trail, offset), message, hint)

    def kind(self, trail: Trail) -> Kind:
        """What an unquoted scalar would be to a YAML reader; anything else is text."""
        return self.marks[trail].kind

    def line(self, trail: Trail) -> int:
        """The line a value begins on."""
        return place(self.text, self.marks[trail].value)[0]

    def _at(self, index: int, message: str, hint: str) -> Problem:
        return Problem(self.shown, *place(self.text, index), message, hint)

    def _index(self, trail: Trail, offset: int | None) -> int:
        start = self.marks[trail].value
        value: Data = self.data
        for step in trail:
            value = value[step]  # type: ignore[index]  # a trail leads through containers only
        if offset is None or not isinstance(value, str):
            return start
        return aligned(self.text, start, value, offset)


def read(path: Path, shown: str) -> Source:
    """Read and understand a file; never raises for what its author wrote."""
    try:
        text = content(path)
    except UnreadableError as fault:
        return _nothing(shown, "", fault.problem(shown))
    return parse(text, shown)


def parse(text: str, shown: str) -> Source:
    """Understand the text of a file."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        walk = Walk(shown, text)
        data = walk.value(root(text), (), 0)
    except UnreadableError as fault:
        return _nothing(shown, text, fault.problem(shown))
    except RecursionError:
        return _nothing(shown, text, Problem(shown, 0, 0, *_TOO_DEEP))
    if not isinstance(data, dict):  # root promised a mapping
        raise TypeError(type(data))
    return Source(shown, text, data, walk.marks, tuple(dict.fromkeys(walk.problems)))


def _nothing(shown: str, text: str, problem: Problem) -> Source:
    return Source(shown, text, None, {}, (problem,))
