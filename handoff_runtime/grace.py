"""The grace time: the seconds from a stopping signal to SIGKILL, and how they are shared."""

from __future__ import annotations

from handoff_runtime.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = 30.0  # seconds; ECS stopTimeout, unless the task definition says otherwise
SHORTEST, LONGEST = 2.0, 120.0
FOR_STAGES = 0.6  # where what they leave is to be stored within the same time
FOR_STORE = 0.9  # by then it is stored, or an error says that it is not


def grace(environ: Mapping[str, str]) -> float:
    """Seconds from a stopping signal to SIGKILL: STOP_TIMEOUT, 2 to 120 (ECS stopTimeout)."""
    text = environ.get("STOP_TIMEOUT") or str(DEFAULT)
    try:
        return min(LONGEST, max(SHORTEST, float(text)))
    except ValueError:
        raise UsageError(f"STOP_TIMEOUT: {text!r} found, seconds from 2 to 120 expected") from None
