"""The YAML parser's errors in plain words, with line, column and a hint."""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError, StringMark

from handoff_kit.project.problem import UnreadableError

_TAB_INDENT = re.compile(r" *\t\s*\S")
_BARE_WORD = re.compile(r"\s*[A-Za-z_]+\s*")
_KEY_FIRST = re.compile(r"\s*(?:- +)?[A-Za-z_]+:(?:\s|$)[^:]*$")
_BARE_PLACEHOLDER = re.compile(r"(?:^|[:\-\[,])\s*(\{\{)")
PLACEHOLDER_UNQUOTED = (
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


def explain_yaml_error(text: str, error: MarkedYAMLError) -> UnreadableError:
    """The parser's error with the message and hint for its most likely cause."""
    mark = error.problem_mark or error.context_mark
    first = error.context_mark.line if error.context_mark else mark.line
    lines = text.split("\n")
    if tab_error := _tab_error(lines, first, mark.line):
        return tab_error
    if mark.line < len(lines) and (placeholder := _BARE_PLACEHOLDER.search(lines[mark.line])):
        return UnreadableError(*PLACEHOLDER_UNQUOTED, (mark.line + 1, placeholder.start(1) + 1))
    return _known_error(error, mark, lines) or UnreadableError(
        f"this is not YAML: {error.problem or error.context}",
        "look at the quotes and the indentation of this line and the one above",
        (mark.line + 1, mark.column + 1),
    )


def _tab_error(lines: list[str], first: int, last: int) -> UnreadableError | None:
    tab_lines = [number for number, line in enumerate(lines) if _TAB_INDENT.match(line)]
    nearby = [number for number in tab_lines if first <= number <= last]
    if not nearby:
        return None
    others = f" (and {len(tab_lines) - 1} more)" if len(tab_lines) > 1 else ""
    message = f"a tab indents this line{others}; YAML allows only spaces"
    position = (tab_lines[0] + 1, lines[tab_lines[0]].index("\t") + 1)
    return UnreadableError(message, "put two spaces for each tab", position)


def _known_error(error: MarkedYAMLError, mark: StringMark, lines: list[str]) -> UnreadableError | None:
    problem, position = error.problem or "", (mark.line + 1, mark.column + 1)
    if found := _unclosed(error, problem):
        return found
    if "undefined alias" in problem:
        name = lines[mark.line][mark.column :].split()[0]
        message = f"{name} is an alias of nothing: there is no &{name[1:]} above it"
        return UnreadableError(message, "quote the value to keep the *", position)
    if "cannot start any token" in problem:
        letter = lines[mark.line][mark.column]
        return UnreadableError(f"a value cannot begin with {letter} in YAML", "put the value into quotes", position)
    if "mapping values" in problem and (found := _missing_colon(lines, mark.line)):
        return found
    for saying, message, hint in _SAYINGS:
        if saying in problem:
            return UnreadableError(message, hint, position)
    return None


def _missing_colon(lines: list[str], number: int) -> UnreadableError | None:
    above = next((at for at in range(number - 1, -1, -1) if lines[at].strip()), None)
    if above is None or not _BARE_WORD.fullmatch(lines[above]) or not _KEY_FIRST.match(lines[number]):
        return None
    word = lines[above].strip()
    position = (above + 1, lines[above].index(word) + 1)
    return UnreadableError(f"`{word}` is alone on its line, expected a key and a colon", f"write `{word}:`", position)


def _unclosed(error: MarkedYAMLError, problem: str) -> UnreadableError | None:
    opened = error.context_mark
    if opened is None:
        return None
    position = (opened.line + 1, opened.column + 1)
    if "quoted scalar" in (error.context or "") and "end of stream" in problem:
        return UnreadableError(f"the quote that opens here {_NOT_CLOSED}", "close it on the same line", position)
    if "expected ',' or" in problem:
        bracket, kind = ("]", "list") if "']'" in problem else ("}", "mapping")
        message = f"the {kind} that opens here {_NOT_CLOSED}, or lacks a comma"
        return UnreadableError(message, f"close it with {bracket}, and quote values with `: ` in them", position)
    return None
