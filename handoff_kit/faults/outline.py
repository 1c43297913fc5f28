"""A project file of any shape, seen through the keys that may stand in it: what the rules look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from handoff_kit.source import Data, Source, Trail


@dataclass(frozen=True)
class Keys:
    """The keys that may stand in each part of a project file."""

    project: tuple[str, ...]
    stage: tuple[str, ...]
    env_item: tuple[str, ...]
    schedule: tuple[str, ...]
    statement: tuple[str, ...]
    parts: Mapping[str, tuple[str, ...]]
    """What may stand under those keys of the project that are mappings of settings."""


@dataclass(frozen=True)
class Outline:
    """The parts of a file, each with its trail, as far as they have the shape they should."""

    source: Source
    keys: Keys

    def top(self, key: str) -> Data:
        """A value at the left margin."""
        return mapping(self.source.data).get(key)

    def venvs(self) -> dict[str, Data]:
        """What is declared under `venvs`."""
        return mapping(self.top("venvs"))

    def stages(self) -> Iterator[tuple[Trail, dict[str, Data]]]:
        """Every stage that is a mapping."""
        for number, stage in enumerate(items(self.top("commands"))):
            if isinstance(stage, dict):
                yield ("commands", number), stage

    def texts(self, *keys: str) -> Iterator[tuple[Trail, str]]:
        """The stages' values of these keys, where they are texts."""
        for trail, stage in self.stages():
            for key in keys:
                if isinstance(value := stage.get(key), str):
                    yield (*trail, key), value

    def image(self) -> dict[str, Data]:
        """What stands under `image`."""
        return mapping(self.top("image"))

    def deploy(self) -> dict[str, Data]:
        """What stands under `deploy`."""
        return mapping(self.top("deploy"))

    def statements(self) -> Iterator[tuple[Trail, dict[str, Data]]]:
        """Every policy under `deploy` that is a mapping."""
        for number, policy in enumerate(items(self.deploy().get("policies"))):
            if isinstance(policy, dict):
                yield ("deploy", "policies", number), policy

    def schedules(self) -> Iterator[tuple[Trail, dict[str, Data]]]:
        """Every schedule that is a mapping."""
        for number, schedule in enumerate(items(self.top("schedules"))):
            if isinstance(schedule, dict):
                yield ("schedules", number), schedule

    def image_texts(self, *keys: str) -> Iterator[tuple[Trail, str]]:
        """The image's values of these keys, where they are texts, and the texts in those that are lists."""
        return texts(("image",), self.image(), *keys)

    def deploy_texts(self, *keys: str) -> Iterator[tuple[Trail, str]]:
        """The same of `deploy`."""
        return texts(("deploy",), self.deploy(), *keys)

    def schedule_texts(self, *keys: str) -> Iterator[tuple[Trail, str]]:
        """The same of every schedule."""
        for trail, schedule in self.schedules():
            yield from texts(trail, schedule, *keys)

    def requirements(self) -> Iterator[tuple[Trail, str]]:
        """Every requirement of the declared venvs."""
        for name, wanted in self.venvs().items():
            for number, word in enumerate(items(wanted)):
                if isinstance(word, str):
                    yield ("venvs", name, number), word

    def envs(self) -> Iterator[tuple[Trail, Data]]:
        """The project's `envs` and those of every stage."""
        yield ("envs",), self.top("envs")
        for trail, stage in self.stages():
            yield (*trail, "envs"), stage.get("envs")

    def env_items(self) -> Iterator[tuple[Trail, dict[str, Data]]]:
        """Every item of an `envs` in list form."""
        for trail, envs in self.envs():
            for number, item in enumerate(items(envs)):
                if isinstance(item, dict):
                    yield (*trail, number), item

    def scalars(self) -> Iterator[tuple[Trail, str | None]]:
        """Everything that is neither a mapping nor a list."""
        for trail in self.source.marks:
            data = self.value(trail)
            if not isinstance(data, (dict, list)):
                yield trail, data

    def value(self, trail: Trail) -> Data:
        """What stands at a trail."""
        data: Any = self.source.data
        for step in trail:
            data = data[step]
        return data  # type: ignore[no-any-return]  # a trail leads through containers only


def texts(trail: Trail, data: dict[str, Data], *keys: str) -> Iterator[tuple[Trail, str]]:
    """A mapping's values of these keys, where they are texts, and the texts in those that are lists."""
    for key in keys:
        if isinstance(value := data.get(key), str):
            yield (*trail, key), value
        for number, item in enumerate(items(value)):
            if isinstance(item, str):
                yield (*trail, key, number), item


def mapping(data: Data) -> dict[str, Data]:
    """The data, if it is a mapping; else an empty one."""
    return data if isinstance(data, dict) else {}


def items(data: Data) -> list[Data]:
    """The data, if it is a list; else an empty one."""
    return data if isinstance(data, list) else []
