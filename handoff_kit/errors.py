"""Every error a user can cause on the workstation side; the base class and its form are the runtime's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from handoff_runtime.errors import HandoffError as HandoffError  # noqa: PLC0414  # the kit imports it from here

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handoff_kit.source import Problem


class ProjectError(HandoffError):
    """The project, or how a task was asked for it, is wrong."""

    exit_code = 2


class ProjectFileError(ProjectError):
    """Everything that is wrong with one project file, each with its line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].message, problems[0].hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class RenderError(HandoffError):
    """A template cannot be filled (sysexits.h EX_SOFTWARE)."""

    exit_code = 70


class ImageError(HandoffError):
    """An image, or what builds and runs it, is not there or is not what it should be."""


class CommandError(HandoffError):
    """A command we started ended badly; its exit code is ours."""

    def __init__(self, message: str, exit_code: int, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


@contextmanager
def checked() -> Iterator[None]:
    """Turn an error of the runtime's own checks, called by the kit, into a ProjectError with the same text."""
    try:
        yield
    except ProjectError:
        raise
    except HandoffError as error:
        raise ProjectError(error.message, error.hint) from None
