"""Places in a text: line and column of a character, and of one within a scalar's value."""

from __future__ import annotations


def place(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character, both counted from 1."""
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


def aligned(text: str, start: int, value: str, offset: int) -> int:
    """Where character `offset` of a scalar's value stands in the text, past quotes, escapes and folds."""
    at = text.find("\n", start) if text[start] in "|>" else start
    for letter in value[:offset].split():
        for character in letter:
            at = text.find(character, at) + 1
    return max(start, text.find(value[offset], at))
