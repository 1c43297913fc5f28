"""The store of a run: the protocol, and the store of a run without AWS, which is the project's own directory.

`aws/store.py` has the store in AWS; `__main__` chooses one of the two.
"""

from __future__ import annotations

from handoff_runtime import history
from handoff_runtime.params import load_params

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from handoff_runtime.errors import StoreError
    from handoff_runtime.params import Params

    class Store(Protocol):
        """Where a run finds its params, files and state, and leaves its artifacts, state and record.

        A run calls the methods in this order, some of them only if it gets there. All may raise StoreError but
        `begin_stages`, `end_stages` and `release`.
        """

        grace_share: float  # of the grace time, for the stages to end in; the store needs the rest
        local_files: str | None  # the directory whose files the run is given; None where `fetch` brings them

        def load_params(self) -> Params:
            """Load the pipeline and its config, with references resolved."""

        def acquire(self, record: Mapping[str, Any], say: Callable[[str], None], /) -> None:
            """Take the project for the run of this record; BusyError where another run has it."""

        def fetch(self, say: Callable[[str], None], /, *, with_state: bool) -> None:
            """Bring files, artifacts and state into the working directory; `RunDeclined` when a signal stops it."""

        def begin_stages(self, state_mode: str, /) -> None:
            """Leave signals to the run; keep the lease and the stored state up to date while the stages run."""

        def end_stages(self) -> StoreError | None:
            """End what `begin_stages` started; the error if another run has taken the project over."""

        def store(self, record: Mapping[str, Any], /) -> None:
            """Store the artifacts, the record, and its line in the history."""

        def store_state(self) -> None:
            """Replace the stored state by the one in the working directory."""

        def record(self, record: Mapping[str, Any], /) -> None:
            """Replace the stored record, and add its line to the history: of a run the last line counts."""

        def append_history(self, record: Mapping[str, Any], /) -> None:
            """Add the line of a run that was skipped, or stopped before it began; it has no record."""

        def release(self) -> None:
            """Give the project back."""


REFERENCES = ("ssm:", "secretsmanager:")


class LocalStore:
    """The working directory: what a run needs is there, and what it leaves stays there, under the directory's lock."""

    grace_share = 1.0
    local_files: str | None = "files"

    def __init__(
        self, path: str | None, environ: Mapping[str, str], say: Callable[[str], None], *, whole: bool, resolve: bool
    ) -> None:
        self._path, self._environ, self._say, self._whole, self._resolve = path, environ, say, whole, resolve

    def load_params(self) -> Params:
        """Read the params document from a file or standard input; what its references refer to is in AWS."""
        params = load_params(self._path, whole=self._whole)
        if not self._resolve or not any(mark in file.value for file in params.files for mark in REFERENCES):
            return params
        from handoff_runtime.aws import references

        return references.resolve_locally(params, self._environ, self._say)

    def append_history(self, record: Mapping[str, Any], /) -> None:
        """Add a line to the history; the record in the directory is another run's, and stays."""
        history.append_line(record)

    # The run itself takes the directory's lock, and writes state, record and history into it.

    def acquire(self, _record: Mapping[str, Any], _say: Callable[[str], None], /) -> None:
        pass

    def fetch(self, _say: Callable[[str], None], /, *, with_state: bool) -> None:
        pass

    def begin_stages(self, _state_mode: str, /) -> None:
        pass

    def end_stages(self) -> None:
        pass

    def store(self, _record: Mapping[str, Any], /) -> None:
        pass

    def store_state(self) -> None:
        pass

    def record(self, _record: Mapping[str, Any], /) -> None:
        pass

    def release(self) -> None:
        pass
