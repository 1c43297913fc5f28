"""A YAML file as its author wrote it: every scalar as text, every value with its place, every fault at once.

In goes a path; out comes a `Source`: plain data (mappings, lists, text and None), a mark for each value in
it, and the problems found on the way. YAML 1.2's own guesses (1.10 is a number, 0123 is 123) never happen,
because the node graph is walked here and no constructor runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ruamel.yaml.error import StringMark
    from ruamel.yaml.nodes import Node

Data: TypeAlias = str | list["Data"] | dict[str, "Data"] | None
Trail: TypeAlias = tuple[str | int, ...]
Kind: TypeAlias = Literal["text", "number", "boolean"]

MAX_BYTES = 256 * 1024
MAX_VALUES = 20_000
_BOOLEANS = frozenset({"yes", "no", "on", "off", "true", "false"})
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_TOO_DEEP = (
    "values are nested too deep, expected about five levels",
    "look for brackets that are never closed",
)
_TAB_INDENT = re.compile(r" *\t\s*\S")
_BARE_WORD = re.compile(r"\s*[A-Za-z_]+\s*")
_KEY_FIRST = re.compile(r"\s*(?:- +)?[A-Za-z_]+:(?:\s|$)[^:]*$")
_BARE_PLACEHOLDER = re.compile(r"(?:^|[:\-\[,])\s*(\{\{)")


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a file; line and column count from 1, line 0 is the file as a whole."""

    where: str
    line: int
    column: int
    message: str
    hint: str

    def __str__(self) -> str:
        place = f"{self.where}:{self.line}:{self.column}" if self.line else self.where
        return f"error: {place}: {self.message}\nhint: {self.hint}"


@dataclass(frozen=True)
class Mark:
    """Where a value and its key begin in the text, and what a YAML reader would take the value for."""

    key: int
    value: int
    kind: Kind


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
        return _place(self.text, self.marks[trail].value)[0]

    def _at(self, index: int, message: str, hint: str) -> Problem:
        return Problem(self.shown, *_place(self.text, index), message, hint)

    def _index(self, trail: Trail, offset: int | None) -> int:
        start = self.marks[trail].value
        value: Data = self.data
        for step in trail:
            value = value[step]  # type: ignore[index]  # a trail leads through containers only
        if offset is None or not isinstance(value, str):
            return start
        return _aligned(self.text, start, value, offset)


def read(path: Path, shown: str) -> Source:
    """Read and understand a file; never raises for what its author wrote."""
    try:
        text = _decoded(_content(path))
    except _UnreadableError as fault:
        return _nothing(shown, "", Problem(shown, *fault.place, fault.message, fault.hint))
    return parse(text, shown)


def parse(text: str, shown: str) -> Source:
    """Understand the text of a file."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        root = _root(text)
        walk = _Walk(shown, text)
        data = walk.value(root, (), 0)
    except _UnreadableError as fault:
        return _nothing(shown, text, Problem(shown, *fault.place, fault.message, fault.hint))
    except RecursionError:
        return _nothing(shown, text, Problem(shown, 0, 0, *_TOO_DEEP))
    if not isinstance(data, dict):  # _root promised a mapping
        raise TypeError(type(data))
    return Source(shown, text, data, walk.marks, tuple(dict.fromkeys(walk.problems)))


class _UnreadableError(Exception):
    """Reading ends here."""

    def __init__(self, message: str, hint: str, place: tuple[int, int] = (0, 0)) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place


def _nothing(shown: str, text: str, problem: Problem) -> Source:
    return Source(shown, text, None, {}, (problem,))


# bytes to text


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise _UnreadableError("found a directory, expected a file", "move it away and write project.yml there")
    if not path.exists():
        message = "there is no such file, expected a project file"
        raise _UnreadableError(message, "invoke new makes a project from a starter; invoke new --help tells how")
    try:
        return _bounded(path)
    except OSError as error:
        message = f"the file cannot be read: {(error.strerror or str(error)).lower()}"
        raise _UnreadableError(message, f"look at it with: ls -l {path.name}") from error


def _bounded(path: Path) -> bytes:
    if not path.is_file():
        raise _UnreadableError("found a device or a pipe, expected a file", "write the project file there")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        hint = "keep data in files/ and give the commands its path"
        raise _UnreadableError("the file is larger than 256 KiB, too much for a project file", hint)
    return content


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte, before = content[error.start], content[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        raise _UnreadableError(
            f"byte {byte:#04x} (number {error.start + 1} of the file) is not UTF-8, expected UTF-8 text",
            "save the file as UTF-8 in your editor",
            (before.count(b"\n") + 1, column),
        ) from error


# text to nodes


def _root(text: str) -> MappingNode:
    documents = _composed(text)
    if not documents:
        hint = 'the smallest project file: commands: [{command: echo, args: "hello"}]'
        raise _UnreadableError("the file is empty, expected at least commands", hint)
    if len(documents) > 1:
        place = _place(text, documents[1].start_mark.index)
        hint = "one file is one project: take out the --- line, or move this part to another project"
        raise _UnreadableError("a second document begins here, expected one document", hint, place)
    return _mapping(text, documents[0])


def _mapping(text: str, node: Node) -> MappingNode:
    if isinstance(node, MappingNode):
        return node
    if isinstance(node, SequenceNode):
        found, hint = "a list", "write `commands:` on a line above the list, and indent the list below it"
    else:
        found, hint = "a text", "write `key: value`; YAML wants a blank after the colon"
    place = _place(text, node.start_mark.index)
    raise _UnreadableError(f"found {found}, expected a mapping with commands in it", hint, place)


def _composed(text: str) -> list[Node]:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        return [node for node in yaml.compose_all(text) if node is not None and not _is_blank(node)]
    except ReaderError as error:
        raise _unprintable(text, error) from error
    except MarkedYAMLError as error:
        raise _misread(text, error) from error
    except (YAMLError, ValueError, AssertionError, NotImplementedError) as error:
        message = f"this is not YAML: {str(error).splitlines()[0]}"
        raise _UnreadableError(message, "an editor with YAML support shows the place") from error


def _is_blank(node: Node) -> bool:
    return isinstance(node, ScalarNode) and not node.style and node.value in _NULLS


def _unprintable(text: str, error: ReaderError) -> _UnreadableError:
    found = re.search(re.escape(chr(error.character)), text) if isinstance(error.character, int) else None
    place = _place(text, found.start()) if found else (0, 0)
    code = f"U+{error.character:04X}" if isinstance(error.character, int) else str(error.character)
    hint = f'take it out, or write it as an escape in double quotes: "\\x{code[-2:].lower()}"'
    return _UnreadableError(f"found the unprintable character {code}, expected text", hint, place)


# what the parser said, in plain words


def _misread(text: str, error: MarkedYAMLError) -> _UnreadableError:
    mark = error.problem_mark or error.context_mark
    first = error.context_mark.line if error.context_mark else mark.line
    lines = text.split("\n")
    return (
        _tabbed(lines, first, mark.line)
        or _unquoted_placeholder(lines, mark.line)
        or _known(error, mark, lines)
        or _UnreadableError(
            f"this is not YAML: {error.problem or error.context}",
            "look at the quotes and the indentation of this line and the one above",
            (mark.line + 1, mark.column + 1),
        )
    )


def _tabbed(lines: list[str], first: int, last: int) -> _UnreadableError | None:
    tabbed = [number for number, line in enumerate(lines) if _TAB_INDENT.match(line)]
    near = [number for number in tabbed if first <= number <= last]
    if not near:
        return None
    others = f" (and {len(tabbed) - 1} more)" if len(tabbed) > 1 else ""
    message = f"a tab indents this line{others}; YAML allows only spaces"
    return _UnreadableError(message, "put two spaces for each tab", (tabbed[0] + 1, lines[tabbed[0]].index("\t") + 1))


def _unquoted_placeholder(lines: list[str], number: int) -> _UnreadableError | None:
    line = lines[number] if number < len(lines) else ""
    if not (found := _BARE_PLACEHOLDER.search(line)):
        return None
    return _UnreadableError(*_PLACEHOLDER_UNQUOTED, (number + 1, found.start(1) + 1))


_PLACEHOLDER_UNQUOTED = (
    "a value begins with {{ and has no quotes, which YAML reads as a mapping",
    'put the whole value into quotes: "{{ name }} ..."',
)
_STRAY_TEXT = (
    "there is more text after the value, expected the end of the line",
    """put the whole value into one pair of quotes: args: '"a b" c'""",
)
_BAD_INDENT = (
    "this line does not line up with those above it",
    "keys of one mapping begin in the same column, and so do the dashes of one list",
)
_NOT_CLOSED = "is never closed"
_SAYINGS: tuple[tuple[str, str, str], ...] = (
    (
        "mapping values are not allowed",
        "found a colon where no key can be",
        "quote the value if it holds `: `; else make this key begin in the column of its neighbours",
    ),
    ("expected <block end>, but found '<scalar>'", *_STRAY_TEXT),
    ("expected <block end>", *_BAD_INDENT),
    ("expected '<document start>'", *_BAD_INDENT),
    (
        "found '<stream end>'",
        "the file ends in the middle of a list or a mapping",
        "close every [ with ] and every { with }",
    ),
    (
        "could not find expected ':'",
        "this line is neither `key: value` nor `- item`",
        "write a colon and a blank after the key, or quote the text above",
    ),
    (
        "sequence entries are not allowed",
        "a list item begins on the line of its key",
        "begin the list on the next line, indented",
    ),
    (
        "unknown escape character",
        "a backslash in double quotes begins an escape that YAML does not know",
        "use single quotes, or write the backslash twice",
    ),
    (
        "expected a comment or a line break",
        "found more text after | or >, which begin a text of several lines",
        'quote the value if | or > belongs to it; a stage with a pipe in it is written shell: "a | b"',
    ),
)


def _known(error: MarkedYAMLError, mark: StringMark, lines: list[str]) -> _UnreadableError | None:
    problem, place = error.problem or "", (mark.line + 1, mark.column + 1)
    if found := _unfinished(error, problem):
        return found
    if "undefined alias" in problem:
        name = lines[mark.line][mark.column :].split()[0]
        return _UnreadableError(
            f"{name} is an alias of nothing: no &{name[1:]} stands above it",
            "quote the value to keep the *",
            place,
        )
    if "cannot start any token" in problem:
        letter = lines[mark.line][mark.column]
        return _UnreadableError(f"a value cannot begin with {letter} in YAML", "put the value into quotes", place)
    if "mapping values" in problem and (found := _no_colon(lines, mark.line)):
        return found
    for saying, message, hint in _SAYINGS:
        if saying in problem:
            return _UnreadableError(message, hint, place)
    return None


def _no_colon(lines: list[str], number: int) -> _UnreadableError | None:
    above = next((at for at in range(number - 1, -1, -1) if lines[at].strip()), None)
    if above is None or not _BARE_WORD.fullmatch(lines[above]) or not _KEY_FIRST.match(lines[number]):
        return None
    word = lines[above].strip()
    place = (above + 1, lines[above].index(word) + 1)
    return _UnreadableError(f"`{word}` stands alone, expected a key and a colon", f"write `{word}:`", place)


def _unfinished(error: MarkedYAMLError, problem: str) -> _UnreadableError | None:
    opened = error.context_mark
    if opened is None:
        return None
    place = (opened.line + 1, opened.column + 1)
    if "quoted scalar" in (error.context or "") and "end of stream" in problem:
        return _UnreadableError(f"the quote that opens here {_NOT_CLOSED}", "close it on the same line", place)
    if "expected ',' or" in problem:
        bracket, kind = ("]", "list") if "']'" in problem else ("}", "mapping")
        message = f"the {kind} that opens here {_NOT_CLOSED}, or lacks a comma"
        return _UnreadableError(message, f"close it with {bracket}, and quote values with `: ` in them", place)
    return None


# nodes to data


class _Walk:
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
            place = _place(self._text, self._start(node))
            raise _UnreadableError("an alias in here leads back to here", "write the value out instead", place)
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
            raise _UnreadableError(message, "write out the values that are needed", _place(self._text, key))
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
        return None if not node.style and not explicit and node.value in _NULLS else str(node.value)

    def _list(self, node: SequenceNode, trail: Trail) -> list[Data]:
        return [self.value(item, (*trail, number), self._start(item)) for number, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, trail: Trail) -> dict[str, Data]:
        data: dict[str, Data] = {}
        for name, key, value in self._pairs(node):
            start, here = self._start(key), (*trail, name)
            if name in data:
                line = _place(self._text, self.marks[here].key)[0]
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
                self._report(self._start(node), *_PLACEHOLDER_UNQUOTED)
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
        self.problems.append(Problem(self._shown, *_place(self._text, index), message, hint))


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and not key.style and key.value == "<<"


def _bases(node: MappingNode) -> Iterator[tuple[Node, Node]]:
    for key, value in node.value:
        if _is_merge(key):
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                yield source, key


# places


def _place(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


def _aligned(text: str, start: int, value: str, offset: int) -> int:
    """Where character `offset` of a scalar's value stands in the text, past quotes, escapes and folds."""
    at = text.find("\n", start) if text[start] in "|>" else start
    for letter in value[:offset].split():
        for character in letter:
            at = text.find(character, at) + 1
    return max(start, text.find(value[offset], at))
