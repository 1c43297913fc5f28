"""Read a YAML file: every scalar as text, every value with its position, every problem at once.

In goes a path; out comes a `YamlFile`: plain data (mappings, lists, text and None), a mark for each value in
it, and the problems found on the way. YAML 1.2's own guesses (1.10 is a number, 0123 is 123) never happen,
because the node graph is walked here and no constructor runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner

from handoff_kit.project.problem import Problem, UnreadableError
from handoff_kit.project.yaml_errors import PLACEHOLDER_UNQUOTED, explain_yaml_error

Data: TypeAlias = str | list["Data"] | dict[str, "Data"] | None
KeyPath: TypeAlias = tuple[str | int, ...]
Kind: TypeAlias = Literal["text", "number", "boolean"]

MAX_VALUES = 5_000  # each takes 0.2 ms to read and validate
_BOOLEANS = frozenset({"yes", "no", "on", "off", "true", "false"})
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_HALVES = re.compile("[\ud800-\udfff]")  # of characters; escapes can write them
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
MAX_BYTES = 256 * 1024
_MAX_DEPTH = 100  # of brackets, whose scan takes time with the square of their depth
_TOO_DEEP = ("values are nested too deep, expected about five levels", "look for brackets that are never closed")


@dataclass(frozen=True)
class Mark:
    """The offsets of a value and its key in the text, and the type a YAML reader would give the value."""

    key: int
    value: int
    kind: Kind


@dataclass(frozen=True)
class YamlFile:
    """A file and its problems; `data` is None if it is no mapping in YAML."""

    display_path: str
    text: str
    data: dict[str, Data] | None
    marks: Mapping[KeyPath, Mark]
    problems: tuple[Problem, ...]

    def at_key(self, key_path: KeyPath, message: str, hint: str) -> Problem:
        """A problem with a key, or with a value that is missing."""
        return self._at(self.marks[key_path].key, message, hint)

    def at_value(self, key_path: KeyPath, message: str, hint: str, offset: int | None = None) -> Problem:
        """A problem with a value, or with the character `offset` of its text."""
        return self._at(self.index(key_path, offset), message, hint)

    def index(self, key_path: KeyPath, offset: int | None = None) -> int:
        """The offset in the text of a value, or of the character `offset` of a scalar."""
        start, value = self.marks[key_path].value, self.find(*key_path)
        if offset is None or not isinstance(value, str):
            return start
        return _locate_in_scalar(self.text, start, value, offset)

    def find(self, *key_path: str | int) -> Data:
        """The value at a key path; None where there is none."""
        if key_path not in self.marks:
            return None
        data: Data = self.data
        for step in key_path:
            data = data[step]  # type: ignore[index]  # a key path with a mark leads through containers only
        return data

    def mapping(self, *key_path: str | int) -> dict[str, Data]:
        """The mapping at a key path; an empty one where there is none."""
        return data if isinstance(data := self.find(*key_path), dict) else {}

    def mappings(self, *key_path: str | int) -> Iterator[tuple[KeyPath, dict[str, Data]]]:
        """The mappings in the list at a key path."""
        data = self.find(*key_path)
        for number, item in enumerate(data if isinstance(data, list) else ()):
            if isinstance(item, dict):
                yield (*key_path, number), item

    def texts(self, *key_path: str | int) -> Iterator[tuple[KeyPath, str]]:
        """The text at a key path, or the texts in the list there."""
        data = self.find(*key_path)
        if isinstance(data, str):
            yield key_path, data
        for number, item in enumerate(data if isinstance(data, list) else ()):
            if isinstance(item, str):
                yield (*key_path, number), item

    def scalars(self) -> Iterator[tuple[KeyPath, str | None]]:
        """Everything that is neither a mapping nor a list."""
        for key_path in self.marks:
            data = self.find(*key_path)
            if not isinstance(data, (dict, list)):
                yield key_path, data

    def comment(self, key_path: KeyPath) -> str:
        """What YAML took for a comment, with the blanks before it, after a value without quotes, or after none."""
        value, pattern, start = self.find(*key_path), r"([ \t]+#.*)", self.marks[key_path].value
        if isinstance(value, str) and value and self.text[start] not in "'\"|>":
            start = self.index(key_path, len(value) - 1) + 1
        elif value is None:
            pattern = r"[^#:\n]*:([ \t]+#.*)"
        else:
            return ""
        found = re.compile(pattern).match(self.text, start)
        return found[1] if found else ""

    def line(self, key_path: KeyPath) -> int:
        """The line a value begins on."""
        return _locate(self.text, self.marks[key_path].value)[0]

    def _at(self, index: int, message: str, hint: str) -> Problem:
        return Problem(self.display_path, *_locate(self.text, index), message, hint)


def read_yaml(path: Path, display_path: str) -> YamlFile:
    """Read and parse a file; errors become problems of the result."""
    try:
        text = _read_text(path)
    except UnreadableError as error:
        return _unreadable(display_path, error)
    return parse_yaml(text, display_path)


def parse_yaml(text: str, display_path: str) -> YamlFile:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        walk = _Walk(display_path, text)
        data = walk.value(_root(text), (), 0)
    except UnreadableError as error:
        return _unreadable(display_path, error)
    except RecursionError:
        return _unreadable(display_path, UnreadableError(*_TOO_DEEP))
    if not isinstance(data, dict):  # root promised a mapping
        raise TypeError(type(data))
    return YamlFile(display_path, text, data, walk.marks, tuple(dict.fromkeys(walk.problems)))


def _unreadable(display_path: str, error: UnreadableError) -> YamlFile:
    return YamlFile(display_path, "", None, {}, (Problem(display_path, *error.position, error.message, error.hint),))


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise UnreadableError("found a directory, expected a file", "move it away and write project.yml there")
    if not path.exists():
        message = "there is no such file, expected a project file"
        raise UnreadableError(message, "create a project from a starter: invoke new --help")
    if not path.is_file():
        raise UnreadableError("found a device or a pipe, expected a file", "write the project file there")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"the file cannot be read: {(error.strerror or str(error)).lower()}"
        raise UnreadableError(message, f"look at it with: ls -l {path.name}") from error
    if len(content) > MAX_BYTES:
        hint = "keep data in files/ and give the commands its path"
        raise UnreadableError("the file is larger than 256 KiB, too much for a project file", hint)
    return _decode(content)


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte, before = content[error.start], content[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        raise UnreadableError(
            f"byte {byte:#04x} (number {error.start + 1} of the file) is not UTF-8, expected UTF-8 text",
            "save the file as UTF-8 in your editor",
            (before.count(b"\n") + 1, column),
        ) from error


def _root(text: str) -> MappingNode:
    """The one document of a text, a mapping; UnreadableError where it is none."""
    documents = _compose(text)
    if not documents:
        hint = 'the smallest project file: commands: [{command: echo, args: "hello"}]'
        raise UnreadableError("the file is empty, expected at least commands", hint)
    if len(documents) > 1:
        position = _locate(text, documents[1].start_mark.index)
        hint = "one file is one project: take out the --- line, or move this part to another project"
        raise UnreadableError("a second document begins here, expected one document", hint, position)
    node = documents[0]
    if isinstance(node, MappingNode):
        return node
    if isinstance(node, SequenceNode):
        value, hint = "a list", "write `commands:` on a line above the list, and indent the list below it"
    else:
        value, hint = "a text", "write `key: value`; YAML wants a blank after the colon"
    position = _locate(text, node.start_mark.index)
    raise UnreadableError(f"found {value}, expected a mapping with commands in it", hint, position)


def _compose(text: str) -> list[Node]:
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _Scanner
    yaml.composer.warn_double_anchors = False
    try:
        nodes = [node for node in yaml.compose_all(text) if node is not None]
    except ReaderError as error:
        found = re.search(re.escape(chr(error.character)), text) if isinstance(error.character, int) else None
        position = _locate(text, found.start()) if found else (0, 0)
        code = f"U+{error.character:04X}" if isinstance(error.character, int) else str(error.character)
        hint = f'take it out, or write it as an escape in double quotes: "\\x{code[-2:].lower()}"'
        raise UnreadableError(f"found the unprintable character {code}, expected text", hint, position) from error
    except MarkedYAMLError as error:
        raise explain_yaml_error(text, error) from error
    except (YAMLError, ValueError, AssertionError, NotImplementedError) as error:
        message = f"this is not YAML: {str(error).splitlines()[0]}"
        raise UnreadableError(message, "an editor with YAML support shows the place") from error
    return [node for node in nodes if not isinstance(node, ScalarNode) or node.style or node.value not in NULLS]


class _Scanner(Scanner):
    def fetch_flow_collection_start(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # ruamel's own
        if self.flow_level > _MAX_DEPTH:
            mark = self.reader.get_mark()
            raise UnreadableError(*_TOO_DEEP, (mark.line + 1, mark.column + 1))
        super().fetch_flow_collection_start(*arguments, **named)


class _Walk:
    """One pass over the nodes, gathering data, marks and problems."""

    def __init__(self, display_path: str, text: str) -> None:
        self.marks: dict[KeyPath, Mark] = {}
        self.problems: list[Problem] = []
        self._display_path = display_path
        self._text = text
        self._open: set[int] = set()

    def value(self, node: Node, key_path: KeyPath, key: int) -> Data:
        """The data of a node, marked; `key` is where its key begins."""
        self._enter(node, key_path, key)
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            position = _locate(self._text, self._start(node))
            raise UnreadableError("an alias in here leads back to here", "write the value out instead", position)
        self._open.add(id(node))
        data: Data = None
        if isinstance(node, MappingNode):
            data = self._mapping(node, key_path)
        elif isinstance(node, SequenceNode):
            data = [self.value(item, (*key_path, number), self._start(item)) for number, item in enumerate(node.value)]
        self._open.remove(id(node))
        return data

    def _enter(self, node: Node, key_path: KeyPath, key: int) -> None:
        if len(self.marks) >= MAX_VALUES:
            message = f"more than {MAX_VALUES:,} values up to here, counting what aliases repeat"
            message += "; too many for a project file"
            raise UnreadableError(message, "write out the values that are needed", _locate(self._text, key))
        empty = isinstance(node, ScalarNode) and not node.style and not node.value
        start = key if empty else self._start(node)
        self.marks[key_path] = Mark(
            key if key_path and isinstance(key_path[-1], str) else start, start, self._kind(node)
        )
        if not str(node.tag).startswith("tag:yaml.org,2002:") or str(node.tag).endswith(":binary"):
            message = f"found the tag {str(node.tag).replace('tag:yaml.org,2002:', '!!')}, expected a plain value"
            self._report(start, message, "take the tag out; handoff reads every value as text")

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

    def _mapping(self, node: MappingNode, key_path: KeyPath) -> dict[str, Data]:
        data: dict[str, Data] = {}
        for name, key, value in self._pairs(node):
            start = self._start(key)
            value_path = (*key_path, name)
            if name in data:
                line = _locate(self._text, self.marks[value_path].key)[0]
                message = f"`{name}` is given a second time, the first is on line {line}"
                self._report(start, message, "keep one of the two")
                continue
            data[name] = self.value(value, value_path, start)
        for name, key, value in self._inherited(node, {id(node)}):
            if name not in data:
                data[name] = self.value(value, (*key_path, name), self._start(key))
        return data

    def _pairs(self, node: MappingNode) -> Iterator[tuple[str, ScalarNode, Node]]:
        for key, value in node.value:
            if _is_merge(key):
                continue
            if isinstance(key, ScalarNode) and self._scalar(key) is not None and not _HALVES.search(key.value):
                yield str(key.value), key, value
            elif isinstance(key, MappingNode) and key.flow_style and node.flow_style:
                self._report(self._start(node), *PLACEHOLDER_UNQUOTED)
            else:
                self._report(self._start(key), "found a key that is no text, expected a name", "write `name: value`")

    def _inherited(self, node: MappingNode, visited: set[int]) -> Iterator[tuple[str, ScalarNode, Node]]:
        """The pairs of all mappings that `<<` merges into one; `visited` holds the ids of nodes."""
        for key, value in node.value:
            if not _is_merge(key):
                continue
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                if not isinstance(source, MappingNode):
                    hint = "name a mapping that has an anchor: <<: *base"
                    self._report(self._start(key), "<< merges something that is no mapping", hint)
                elif id(source) not in visited:
                    visited.add(id(source))
                    yield from self._pairs(source)
                    yield from self._inherited(source, visited)

    def _report(self, index: int, message: str, hint: str) -> None:
        self.problems.append(Problem(self._display_path, *_locate(self._text, index), message, hint))


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and not key.style and key.value == "<<"


def _locate(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character, both counted from 1."""
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


def _locate_in_scalar(text: str, start: int, value: str, offset: int) -> int:
    """The offset in the text of character `offset` of a scalar's value, past quotes, escapes and folds."""
    at = text.find("\n", start) if text[start] in "|>" else start
    for letter in value[:offset].split():
        for character in letter:
            at = text.find(character, at) + 1
    return max(start, text.find(value[offset], at))
