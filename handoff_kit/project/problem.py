"""A problem in a file, with its place and a hint, and the errors that carry problems."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from handoff_kit.errors import ProjectError
from handoff_kit.project.patterns import INVISIBLE

_INVISIBLE = re.compile(f"[{INVISIBLE}\ud800-\udfff]")


@dataclass(frozen=True, order=True)
class Problem:
    """A problem of a file; line and column count from 1, line 0 means the whole file."""

    display_path: str
    line: int
    column: int
    message: str
    hint: str

    def __str__(self) -> str:
        place = f"{self.display_path}:{self.line}:{self.column}" if self.line else self.display_path
        return f"error: {place}: {self.message}\nhint: {self.hint}"


class ProjectFileError(ProjectError):
    """All problems of one project file, or of several."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].message, problems[0].hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class UnreadableError(Exception):
    """A file that is no project file at all; `position` is a line and a column, (0, 0) for the whole file."""

    def __init__(self, message: str, hint: str, position: tuple[int, int] = (0, 0)) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.position = position


def describe_value(value: object) -> str:
    """A value as text for a message: a shortened text, a mapping, a list or nothing."""
    if isinstance(value, str):
        return f"`{shorten(value)}`" if value else "an empty text"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, (list, tuple)) else "nothing"


def shorten(text: str, width: int = 40) -> str:
    """A text as one line of at most `width` characters: no credentials of its URLs, escapes for what cannot be seen."""
    visible = _INVISIBLE.sub(lambda found: f"\\u{ord(found.group()):04x}", hide_credentials(text))
    line = " ".join(visible.split())
    return line if len(line) <= width else f"{line[: width - 3]}..."


def hide_credentials(text: str) -> str:
    """A text with *** for user, password and query of its URLs; `git`, the user of ssh addresses, stays."""
    return re.sub(r"(://[^\s?]*\?)[^\s#'\"]+", r"\1***", re.sub(r"://(?!git@)[^/@\s]+@", "://***@", text))


def quote(text: str, width: int = 40) -> str:
    """A shortened text in double quotes; in single quotes if it holds double ones."""
    return f"'{shorten(text, width)}'" if '"' in text else f'"{shorten(text, width)}"'
