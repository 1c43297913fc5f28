"""The errors of handoff_kit. Each ends a task with `error: MESSAGE`, `hint: HINT` and its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from handoff_runtime.errors import HandoffError as HandoffError  # noqa: PLC0414  # the kit imports it from here
from handoff_runtime.errors import PipelineError, StoreError


class ProjectError(HandoffError):
    """A wrong project file, config, flag or environment variable."""

    exit_code = 2


class RenderError(HandoffError):
    """A template cannot be rendered (sysexits.h EX_SOFTWARE)."""

    exit_code = 70


class ImageError(HandoffError):
    """A missing or unusable image or builder."""


class CommandError(HandoffError):
    """A program could not be started or failed; its exit code becomes ours."""

    def __init__(self, message: str, exit_code: int, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


@contextmanager
def translate_runtime_errors() -> Iterator[None]:
    """Turn an error of the runtime's own checks, called by the kit, into a ProjectError with the same text."""
    try:
        yield
    except ProjectError:
        raise
    except HandoffError as error:
        raise ProjectError(error.message, error.hint) from None


class AWSError(HandoffError):
    """A resource is missing, a call was refused or failed; `passing` as in the runtime's StoreError."""

    passing = False


@contextmanager
def translate_store_errors() -> Iterator[None]:
    """Turn an error of the runtime's store, which has the exit code of a run, into an AWSError with the same text."""
    try:
        yield
    except (PipelineError, StoreError) as error:
        ours = AWSError(error.message, error.hint)
        ours.passing = isinstance(error, StoreError) and error.passing
        raise ours from None
