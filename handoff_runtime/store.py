"""The store of a run: what a run calls, and what that does without AWS; `aws/store.py` has the store in AWS."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from handoff_runtime import history
from handoff_runtime.annotations import Any
from handoff_runtime.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handoff_runtime.params import Params


class Store:
    """Where a run finds its files and state, and leaves its artifacts, state and record.

    A run calls the methods in this order, some of them only if it gets there. All may raise StoreError but
    `begin_stages`, `end_stages`, `announce` and `release`. Without AWS most do nothing: what the run needs is in the
    working directory, whose lock it takes itself, and into which it writes state, record and history.
    """

    grace_share = 1.0  # of the grace time, for the stages to end in; the store needs the rest
    params: Params | None = None  # as the store has them, once it has loaded them
    local_files: str | None = "files"  # the directory whose files the run is given; None where `fetch` brings them

    def claim_occurrence(self, record: Mapping[str, Any], say: Callable[[str], None], /) -> None:
        """Claim the time of the schedule that started the run; `RunDeclined` where another execution has claimed it."""

    def acquire(self, record: Mapping[str, Any], say: Callable[[str], None], /) -> None:
        """Take the project for the run of this record; BusyError where another run has it."""

    def fetch(self, say: Callable[[str], None], /, *, with_state: bool) -> None:
        """Bring files, artifacts and state into the working directory; `RunDeclined` when a signal stops it."""

    def begin_stages(self, state_mode: str, /) -> None:
        """Leave signals to the run; keep the lease and the stored state up to date while the stages run."""

    def end_stages(self) -> StoreError | None:
        """End what `begin_stages` started; the error if another run has taken the project over."""
        return None

    def store(self, record: Mapping[str, Any], /) -> None:
        """Store the artifacts, the record, and its line in the history."""

    def store_state(self) -> None:
        """Replace the stored state by the one in the working directory."""

    def record(self, record: Mapping[str, Any], /) -> None:
        """Replace the stored record, and add its line to the history: of a run the last line counts."""

    def append_history(self, record: Mapping[str, Any], /) -> None:
        """Add the line of a run that was skipped, or stopped before it began; it has no record."""
        history.append_line(record)

    def announce(self, record: Mapping[str, Any], /) -> None:
        """Leave what people are notified of, by the record of a run that has ended, once its log has all lines."""

    def release(self) -> None:
        """Give the project back."""
