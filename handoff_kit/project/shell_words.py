"""Split a line into words as a POSIX shell does, and find the operators that only a shell understands."""

from __future__ import annotations

import re
from dataclasses import dataclass

from handoff_kit.project.patterns import INVISIBLE
from handoff_runtime.placeholders import PLACEHOLDER


@dataclass(frozen=True)
class ShellWords:
    """The words of a line, in which nothing means anything to a shell.

    `operators` are the unquoted characters to which a shell would give a meaning, `open_quote` is where a
    quote opens that is never closed; both as (offset, text). `escaped_blanks` are offsets of backslashes,
    `lookalikes` those of unquoted characters that look like a blank, or like a word's first dash or quote.
    """

    words: tuple[str, ...]
    operators: tuple[tuple[int, str], ...] = ()
    open_quote: tuple[int, str] | None = None
    escaped_blanks: tuple[int, ...] = ()
    lookalikes: tuple[int, ...] = ()


JSON = '{"'
_QUOTED = r"""'[^']*'|"(?:[^"\\]|\\.)*\""""
_ITEM = rf"""(?:{PLACEHOLDER.pattern}|{_QUOTED}|\\.|[^{{}},\s'"\\])*"""
_PIECE = re.compile(
    rf"""
    (?P<blank>[ \t\r\n]+)
    | (?P<joined>\\\n)
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
    | (?P<invisible>[{INVISIBLE}])
    | (?P<typographic>[\u2010-\u2015\u2212](?=[\w\u2010-\u2015\u2212-])|[\u2018-\u201f])
    | (?P<letters>\w+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


def split_words(line: str) -> ShellWords:
    """Split a line into words; a placeholder with blanks in it stays whole."""
    words: list[list[str]] = []
    operators: list[tuple[int, str]] = []
    escaped_blanks: list[int] = []
    lookalikes: list[int] = []
    ended = True
    for piece in (piece for piece in _PIECE.finditer(line) if piece.lastgroup != "joined"):
        kind, text = piece.lastgroup or "", piece.group()
        if kind == "open":
            return ShellWords(tuple(map("".join, words)), tuple(operators), (piece.start(), text))
        if kind in {"json", "operator"} or (kind == "tilde" and ended):
            operators.append((piece.start(), JSON if kind == "json" else text))
        if kind == "double":
            text = re.sub(r'\\(?:\n|(["\\]))', r"\1", piece[kind])
        elif kind in {"single", "escaped"}:
            text = piece[kind]
        if kind == "invisible" or (kind == "typographic" and (ended or line[piece.start() - 1] == "=")):
            lookalikes.append(piece.start())
        if kind == "escaped" and text.isspace():
            escaped_blanks.append(piece.start())
        if kind != "blank":
            words += [[]] if ended else []
            words[-1].append(text)
        ended = kind == "blank"
    return ShellWords(tuple(map("".join, words)), tuple(operators), None, tuple(escaped_blanks), tuple(lookalikes))
