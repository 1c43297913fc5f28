"""Errors of AWS, with the exit code of a task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from handoff_runtime.errors import HandoffError, PipelineError, StoreError


class AWSError(HandoffError):
    """A resource is missing, a call was refused or failed; `passing` as in the runtime's StoreError."""

    passing = False


@contextmanager
def told() -> Iterator[None]:
    """Turn an error of the runtime's store, which has the exit code of a run, into an AWSError with the same text."""
    try:
        yield
    except (PipelineError, StoreError) as error:
        ours = AWSError(error.message, error.hint)
        ours.passing = isinstance(error, StoreError) and error.passing
        raise ours from None
