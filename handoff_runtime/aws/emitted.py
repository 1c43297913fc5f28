"""States that a Singer target emits while the run goes on, stored so that a killed container loses little.

A target emits a state only after it has committed what came before it (Singer specification), so the last one
is as good as one stored at the end.
"""

from __future__ import annotations

import os
import time

from handoff_runtime import state, workspace
from handoff_runtime.aws.state import put
from handoff_runtime.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handoff_runtime.aws.clients import Clients
    from handoff_runtime.aws.state import Stored

LOOK, APART = 2.0, 30.0  # seconds between two looks, and between two puts
BESIDE = f"{workspace.STATE}.emitted"


class Emitted:
    """Looks in a thread of its own; `base` is the state as it is stored."""

    def __init__(
        self,
        clients: Clients,
        bucket: str,
        stack: str,
        base: Stored | None,
        *,
        look: float | None = None,
        apart: float | None = None,
    ) -> None:
        import threading

        self.base = base
        self._clients, self._bucket, self._stack = clients, bucket, stack
        self._look, self._apart = LOOK if look is None else look, APART if apart is None else apart
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emitted", daemon=True)
        self._thread.start()

    def stop(self) -> Stored | None:
        """Look no more; the state as it is stored."""
        self._ended.set()
        self._thread.join()
        return self.base

    def _run(self) -> None:
        last, put_at = b"", -self._apart
        while not self._ended.wait(self._look):
            try:
                value = state.emitted()
                if not value or value == last or time.monotonic() - put_at < self._apart:
                    continue
                put_at = time.monotonic()
                with open(workspace.fresh(BESIDE), "wb") as file:
                    file.write(value)
                try:
                    self.base = put(self._clients, self._bucket, self._stack, BESIDE, self.base)
                finally:
                    os.unlink(BESIDE)
                last = value
            except (OSError, StoreError) as error:
                self._clients.effects.say(f"state not stored yet: {getattr(error, 'message', error)}")
