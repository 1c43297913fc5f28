"""JSON in which every number keeps its text: Python's own would write 1.10 as 1.1, and 1e400 as Infinity.

For what users give us and we write again: data, states, config with references, records.
"""

from __future__ import annotations

import json
import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Number(float):
    """A number, and the text it was read from."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Number:  # noqa: PYI034  # typing.Self is of 3.11
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def loads(text: str, **hooks: Any) -> Any:
    """Read a JSON text; the arguments are those of `json.loads`."""
    return json.loads(
        text, parse_float=Number, parse_int=lambda digits: Number(digits) if digits == "-0" else int(digits), **hooks
    )


def dumps(value: object, **form: Any) -> str:
    """Write a JSON text; the arguments are those of `json.dumps`, which has no way to write a number's own text."""
    mark = os.urandom(8).hex()  # so that no text of the value looks like a marked number

    def marked(value: object) -> object:
        if isinstance(value, dict):
            return {name: marked(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [marked(item) for item in value]
        return f"{mark}{value.text}" if isinstance(value, Number) else value

    return re.sub(f'"{mark}([^"]*)"', r"\1", json.dumps(marked(value), **form))
