"""What would mean something to a shell, where there is none: in `args` written as a line, and in `command`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.faults.fault import Fault, quoted, short
from handoff_kit.words import JSON, split
from handoff_runtime.variables import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.faults.outline import Outline
    from handoff_kit.source import Trail

_AS_SHELL = "shell: in place of command and args"


def args(outline: Outline) -> Iterator[Fault]:
    """Unquoted operators of a shell, and quotes that are never closed."""
    for trail, stage in outline.stages():
        if isinstance(line := stage.get("args"), str) and "shell" not in stage:
            yield from _line((*trail, "args"), line)


def commands(outline: Outline) -> Iterator[Fault]:
    """A command that is more than the name of a program."""
    for trail, value in outline.texts("command"):
        bare = PLACEHOLDER.sub("x", value)
        if any(text not in "*?" for _, text in split(bare).operators):
            hint = f"write it as a line for the shell: - shell: {quoted(value)}"
            yield Fault(trail, f"`command` holds a shell's signs: {short(value)}; expected one program", hint)
        elif re.search(r"\s", bare.strip()):
            program, _, rest = value.strip().partition(" ")
            hint = f"put the rest into args: command: {program}, args: {quoted(rest.strip())}"
            yield Fault(trail, f"`command` is more than one word: {short(value)}; expected one program", hint)


def _line(trail: Trail, line: str) -> Iterator[Fault]:
    words = split(line)
    for offset, text in words.operators:
        yield Fault(trail, _operator_told(text), _operator_hint(text), offset=offset)
    if words.open_quote:
        offset, text = words.open_quote
        yield _backslash(trail, offset) if text == "\\" else _open_quote(trail, offset, text)


def _operator_told(text: str) -> str:
    if text == JSON:
        return "found JSON without quotes around it in `args`, which takes its own quotes off"
    return f"found an unquoted {short(text)} in `args`, which means nothing without a shell"


def _operator_hint(text: str) -> str:
    if text == JSON:
        return """write it as one item of a list: args: [--config, '{"a": 1}']"""
    if text.startswith("{"):
        return f"write the words one by one, or quote it to mean the characters themselves: '{short(text)}'"
    if name := re.fullmatch(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", text):
        return f"{{{{ {name[1]} }}}} is filled from data, vars or envs; for the shell's own, write {_AS_SHELL}"
    return f"write {_AS_SHELL}, or quote it to mean the character itself: '{short(text)}'"


def _backslash(trail: Trail, offset: int) -> Fault:
    return Fault(trail, "a backslash ends `args`, expected whole words", "put it into quotes", offset=offset)


def _open_quote(trail: Trail, offset: int, quote: str) -> Fault:
    other = "'" if quote == '"' else '"'
    message = f"the quote {quote} in `args` is never closed, expected whole words"
    hint = f"close it, or write the word as an item: args: [{other}...{other}]"
    return Fault(trail, message, hint, offset=offset)
