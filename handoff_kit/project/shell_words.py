"""Split a line into words as a POSIX shell does, and find the operators that only a shell understands."""

from __future__ import annotations

import re
from dataclasses import dataclass

from handoff_runtime.placeholders import PLACEHOLDER


@dataclass(frozen=True)
class ShellWords:
    """The words of a line, in which nothing means anything to a shell.

    `operators` are the unquoted characters to which a shell would give a meaning, `open_quote` is where a
    quote opens that is never closed; both as (offset, text).
    """

    words: tuple[str, ...]
    operators: tuple[tuple[int, str], ...] = ()
    open_quote: tuple[int, str] | None = None


JSON = '{"'
_QUOTED = r"""'[^']*'|"(?:[^"\\]|\\.)*\""""
_ITEM = rf"""(?:{PLACEHOLDER.pattern}|{_QUOTED}|\\.|[^{{}},\s'"\\])*"""
_PIECE = re.compile(
    rf"""
    (?P<blank>[ \t\r\n]+)
    | (?P<placeholder>{PLACEHOLDER.pattern})
    | '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | \\(?P<escaped>.)
    | (?P<open>['"\\])
    | (?P<json>\{{(?=\s*"[^"]*"\s*:))
    | (?P<operator>[<>]&[0-9-]?|&>|>>|<<|&&|\|\||`[^`]*`?|[|<>;&*?]
        |\$\([^()]*\)?|\$\{{[^}}\s'"\\]*\}}?|\$[A-Za-z_][A-Za-z0-9_]*|\$[0-9@*\#?$!-]
        |\{{{_ITEM}(?:,{_ITEM})+\}})
    | (?P<tilde>~)
    | (?P<letters>\w+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


def split_words(line: str) -> ShellWords:
    """Split a line into words; a placeholder with blanks in it stays whole."""
    words: list[str] = []
    operators: list[tuple[int, str]] = []
    ended = True
    for piece in _PIECE.finditer(line):
        kind, text = piece.lastgroup or "", piece.group()
        if kind == "open":
            return ShellWords(tuple(words), tuple(operators), (piece.start(), text))
        if kind in {"json", "operator"} or (kind == "tilde" and ended):
            operators.append((piece.start(), JSON if kind == "json" else text))
        if kind == "double":
            text = re.sub(r'\\(["\\])', r"\1", piece[kind])
        elif kind in {"single", "escaped"}:
            text = piece[kind]
        if kind != "blank":
            words[len(words) - (not ended) :] = [("" if ended else words[-1]) + text]
        ended = kind == "blank"
    return ShellWords(tuple(words), tuple(operators))
