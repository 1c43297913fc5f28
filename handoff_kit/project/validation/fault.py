"""A fault of a project file: what a rule yields."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from handoff_kit.project.problem import Problem, shorten
from handoff_kit.project.yaml_reader import KeyPath, YamlFile
from handoff_runtime.placeholders import PLACEHOLDER

_ITEM_DEPTH = 2  # the key path of a stage is ("commands", number), that of a schedule ("schedules", number)
_ITEMS = {"commands": "stage", "schedules": "schedule"}


@dataclass(frozen=True)
class Fault:
    """A problem at a key path, before it has line and column."""

    key_path: KeyPath
    message: str
    hint: str
    on_key: bool = False
    offset: int | None = None

    def follows(self, earlier: Container[KeyPath]) -> bool:
        """Whether its key path is at or below that of an earlier fault."""
        return any(self.key_path[:length] in earlier for length in range(len(self.key_path) + 1))

    def locate(self, source: YamlFile) -> Problem:
        """The problem, with line and column."""
        if self.on_key:
            return source.at_key(self.key_path, self.message, self.hint)
        return source.at_value(self.key_path, self.message, self.hint, self.offset)


def duplicate(source: YamlFile, key_path: KeyPath, first: KeyPath, text: str) -> Fault:
    """The fault of a value that repeats an earlier one; `text` shows it in the message."""
    line = source.line(first)
    return Fault(key_path, f"{text} is given a second time, the first is on line {line}", "keep one of the two")


def unfilled(key_path: KeyPath, text: str, when: str, *, on_key: bool = False) -> Iterator[Fault]:
    """The fault of a text with a placeholder, `when` it is read."""
    if found := PLACEHOLDER.search(text):
        message = f"{label(key_path)} holds {found.group()}, which nothing fills {when}"
        hint = "write the value itself; placeholders are filled when the pipeline runs"
        yield Fault(key_path, message, hint, on_key=on_key)


def label(key_path: KeyPath) -> str:
    """A key path in a message: stage 2, item 1 of `args`, `cpu`."""
    if len(key_path) == _ITEM_DEPTH and key_path[0] in _ITEMS and isinstance(key_path[1], int):
        return f"{_ITEMS[str(key_path[0])]} {key_path[1] + 1}"
    if key_path and isinstance(key_path[-1], int):
        return f"item {key_path[-1] + 1} of `{key_path[-2]}`"
    return f"`{shorten(str(key_path[-1]))}`" if key_path else "the file"
