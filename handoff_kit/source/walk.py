"""From nodes to data: every scalar as text, every value with its mark, every fault noted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from handoff_kit.source.document import NULLS
from handoff_kit.source.misread import PLACEHOLDER_UNQUOTED
from handoff_kit.source.position import place
from handoff_kit.source.problem import Problem, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ruamel.yaml.nodes import Node

Data: TypeAlias = str | list["Data"] | dict[str, "Data"] | None
Trail: TypeAlias = tuple[str | int, ...]
Kind: TypeAlias = Literal["text", "number", "boolean"]

MAX_VALUES = 20_000
_BOOLEANS = frozenset({"yes", "no", "on", "off", "true", "false"})
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")


@dataclass(frozen=True)
class Mark:
    """Where a value and its key begin in the text, and what a YAML reader would take the value for."""

    key: int
    value: int
    kind: Kind


class Walk:
    """One pass over the nodes, gathering data, marks and problems."""

    def __init__(self, shown: str, text: str) -> None:
        self.marks: dict[Trail, Mark] = {}
        self.problems: list[Problem] = []
        self._shown = shown
        self._text = text
        self._open: set[int] = set()

    def value(self, node: Node, trail: Trail, key: int) -> Data:
        """The data of a node, marked; `key` is where its key begins."""
        self._enter(node, trail, key)
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            where = place(self._text, self._start(node))
            raise UnreadableError("an alias in here leads back to here", "write the value out instead", where)
        self._open.add(id(node))
        data: Data = None
        if isinstance(node, MappingNode):
            data = self._mapping(node, trail)
        elif isinstance(node, SequenceNode):
            data = self._list(node, trail)
        self._open.remove(id(node))
        return data

    def _enter(self, node: Node, trail: Trail, key: int) -> None:
        if len(self.marks) >= MAX_VALUES:
            message = (
                f"more than {MAX_VALUES:,} values up to here, counting what aliases repeat; too many for a project file"
            )
            raise UnreadableError(message, "write out the values that are needed", place(self._text, key))
        empty = isinstance(node, ScalarNode) and not node.style and not node.value
        start = key if empty else self._start(node)
        self.marks[trail] = Mark(key if trail and isinstance(trail[-1], str) else start, start, self._kind(node))
        if not str(node.tag).startswith("tag:yaml.org,2002:") or str(node.tag).endswith(":binary"):
            message = f"found the tag {str(node.tag).replace('tag:yaml.org,2002:', '!!')}, expected a plain value"
            self._report(start, message, "take the tag out; handoff reads every value as it is written")

    def _start(self, node: Node) -> int:
        found = _PROPERTIES.match(self._text, node.start_mark.index)
        return int(found.end()) if found else int(node.start_mark.index)

    def _kind(self, node: Node) -> Kind:
        if not isinstance(node, ScalarNode) or node.style or self._text.startswith("!", node.start_mark.index):
            return "text"
        if node.value.lower() in _BOOLEANS:
            return "boolean"
        return "number" if str(node.tag).endswith((":int", ":float")) else "text"

    def _scalar(self, node: ScalarNode) -> str | None:
        explicit = self._text.startswith("!", node.start_mark.index)
        return None if not node.style and not explicit and node.value in NULLS else str(node.value)

    def _list(self, node: SequenceNode, trail: Trail) -> list[Data]:
        return [self.value(item, (*trail, number), self._start(item)) for number, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, trail: Trail) -> dict[str, Data]:
        data: dict[str, Data] = {}
        for name, key, value in self._pairs(node):
            start, here = self._start(key), (*trail, name)
            if name in data:
                line = place(self._text, self.marks[here].key)[0]
                message = f"`{name}` is given a second time, the first is on line {line}"
                self._report(start, message, "keep one of the two")
                continue
            data[name] = self.value(value, here, start)
        return self._merged(node, trail, data)

    def _merged(self, node: MappingNode, trail: Trail, data: dict[str, Data]) -> dict[str, Data]:
        for name, key, value in self._inherited(node, {id(node)}):
            if name not in data:
                data[name] = self.value(value, (*trail, name), self._start(key))
        return data

    def _pairs(self, node: MappingNode) -> Iterator[tuple[str, ScalarNode, Node]]:
        for key, value in node.value:
            if _is_merge(key):
                continue
            if isinstance(key, ScalarNode) and self._scalar(key) is not None:
                yield str(key.value), key, value
            elif isinstance(key, MappingNode) and key.flow_style and node.flow_style:
                self._report(self._start(node), *PLACEHOLDER_UNQUOTED)
            else:
                self._report(self._start(key), "found a key that is no text, expected a name", "write `name: value`")

    def _inherited(self, node: MappingNode, seen: set[int]) -> Iterator[tuple[str, ScalarNode, Node]]:
        for source, key in _bases(node):
            if not isinstance(source, MappingNode):
                hint = "name a mapping that has an anchor: <<: *base"
                self._report(self._start(key), "<< merges something that is no mapping", hint)
            elif id(source) not in seen:
                seen.add(id(source))
                yield from self._pairs(source)
                yield from self._inherited(source, seen)

    def _report(self, index: int, message: str, hint: str) -> None:
        self.problems.append(Problem(self._shown, *place(self._text, index), message, hint))


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and not key.style and key.value == "<<"


def _bases(node: MappingNode) -> Iterator[tuple[Node, Node]]:
    for key, value in node.value:
        if _is_merge(key):
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                yield source, key
