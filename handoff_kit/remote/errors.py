"""What AWS refuses or does not have, told on the workstation; the words are the runtime's, the exit code is ours."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from handoff_kit.errors import HandoffError
from handoff_runtime.errors import PipelineError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AWSError", "told"]


class AWSError(HandoffError):
    """AWS does not have what was asked for, or does not let us; `passing` as in the runtime's StoreError."""

    passing = False


@contextmanager
def told() -> Iterator[None]:
    """What the runtime's store tells with the exit code of a run becomes an error of a task."""
    try:
        yield
    except (PipelineError, StoreError) as error:
        ours = AWSError(error.message, error.hint)
        ours.passing = isinstance(error, StoreError) and error.passing
        raise ours from None
