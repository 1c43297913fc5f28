"""A fault of a project file, and the view of a file that the rules read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from handoff_kit.project.problem import Problem
from handoff_kit.project.yaml_reader import Data, KeyPath, YamlFile

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

    def follows(self, earlier: Fault) -> bool:
        """Whether its key path is at or below that of an earlier fault."""
        return earlier.key_path == self.key_path[: len(earlier.key_path)]

    def locate(self, source: YamlFile) -> Problem:
        """The problem, with line and column."""
        if self.on_key:
            return source.at_key(self.key_path, self.message, self.hint)
        return source.at_value(self.key_path, self.message, self.hint, self.offset)


def duplicate(view: ProjectFileView, key_path: KeyPath, first: KeyPath, text: str) -> Fault:
    """The fault of a value that repeats an earlier one; `text` shows it in the message."""
    line = view.source.line(first)
    return Fault(key_path, f"{text} is given a second time, the first is on line {line}", "keep one of the two")


def label(key_path: KeyPath) -> str:
    """A key path in a message: stage 2, item 1 of `args`, `cpu`."""
    if len(key_path) == _ITEM_DEPTH and key_path[0] in _ITEMS and isinstance(key_path[1], int):
        return f"{_ITEMS[str(key_path[0])]} {key_path[1] + 1}"
    if key_path and isinstance(key_path[-1], int):
        return f"item {key_path[-1] + 1} of `{key_path[-2]}`"
    return f"`{key_path[-1]}`" if key_path else "the file"


@dataclass(frozen=True)
class ProjectFileView:
    """The parts of a file with their key paths; parts of the wrong type are left out."""

    source: YamlFile

    def top(self, key: str) -> Data:
        return mapping(self.source.data).get(key)

    def venvs(self) -> dict[str, Data]:
        return mapping(self.top("venvs"))

    def image(self) -> dict[str, Data]:
        return mapping(self.top("image"))

    def deploy(self) -> dict[str, Data]:
        return mapping(self.top("deploy"))

    def tags(self) -> dict[str, Data]:
        return mapping(self.deploy().get("tags"))

    def stages(self) -> Iterator[tuple[KeyPath, dict[str, Data]]]:
        """Every stage that is a mapping."""
        return _mappings(("commands",), self.top("commands"))

    def statements(self) -> Iterator[tuple[KeyPath, dict[str, Data]]]:
        """Every policy under `deploy` that is a mapping."""
        return _mappings(("deploy", "policies"), self.deploy().get("policies"))

    def schedules(self) -> Iterator[tuple[KeyPath, dict[str, Data]]]:
        """Every schedule that is a mapping."""
        return _mappings(("schedules",), self.top("schedules"))

    def stage_texts(self, key: str) -> Iterator[tuple[KeyPath, str]]:
        """The stages' values of a key, where they are texts."""
        for key_path, stage in self.stages():
            if isinstance(value := stage.get(key), str):
                yield (*key_path, key), value

    def image_texts(self, *keys: str) -> Iterator[tuple[KeyPath, str]]:
        """The image's values of these keys, where they are texts, and the texts in those that are lists."""
        return _texts(("image",), self.image(), *keys)

    def deploy_texts(self, *keys: str) -> Iterator[tuple[KeyPath, str]]:
        """The values of these keys of `deploy`, where they are texts, and the texts in those that are lists."""
        return _texts(("deploy",), self.deploy(), *keys)

    def requirements(self) -> Iterator[tuple[KeyPath, str]]:
        """Every requirement of the declared venvs."""
        return _texts(("venvs",), {name: items(each) for name, each in self.venvs().items()}, *self.venvs())

    def envs(self) -> Iterator[tuple[KeyPath, Data]]:
        """The project's `envs` and those of every stage."""
        yield ("envs",), self.top("envs")
        for key_path, stage in self.stages():
            yield (*key_path, "envs"), stage.get("envs")

    def env_items(self) -> Iterator[tuple[KeyPath, dict[str, Data]]]:
        """Every item of an `envs` in list form."""
        for key_path, envs in self.envs():
            yield from _mappings(key_path, envs)

    def scalars(self) -> Iterator[tuple[KeyPath, str | None]]:
        """Everything that is neither a mapping nor a list."""
        for key_path in self.source.marks:
            data = self.source.value(key_path)
            if not isinstance(data, (dict, list)):
                yield key_path, data


def _mappings(key_path: KeyPath, data: Data) -> Iterator[tuple[KeyPath, dict[str, Data]]]:
    return (((*key_path, number), item) for number, item in enumerate(items(data)) if isinstance(item, dict))


def _texts(key_path: KeyPath, data: dict[str, Data], *keys: str) -> Iterator[tuple[KeyPath, str]]:
    for key in keys:
        if isinstance(value := data.get(key), str):
            yield (*key_path, key), value
        for number, item in enumerate(items(value)):
            if isinstance(item, str):
                yield (*key_path, key, number), item


def mapping(data: Data) -> dict[str, Data]:
    """The data, if it is a mapping; else an empty one."""
    return data if isinstance(data, dict) else {}


def items(data: Data) -> list[Data]:
    """The data, if it is a list; else an empty one."""
    return data if isinstance(data, list) else []
