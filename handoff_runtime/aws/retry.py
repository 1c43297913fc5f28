"""Retries of calls that AWS could not answer: each wait is said in the log, and they end.

botocore has an `adaptive` mode, but waits without a word in it, and for half a minute where a second call now
and then is throttled. Here one that is throttled has all other calls wait too, as long as it does itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from handoff_runtime.annotations import Any
from handoff_runtime.aws import errors
from handoff_runtime.aws.errors import THROTTLED
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.polling import interval

ATTEMPTS = 8
PATIENCE = 60.0  # seconds from the first failure of a call
SHORTEST, LONGEST = 0.2, 8.0
RETRIED_STATUSES = (429, 500, 502, 503, 504)
RETRIED_CODES = (
    *THROTTLED,
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InternalError",
    "RequestTimeout",
    "RequestTimeoutException",
)
RATE_EXCEEDED = "Rate exceeded"
"""What ECS says of throttling, under the code InvalidParameterException or ClientException."""

SINCE = "handoff_since"


def no_check() -> None:
    """What to do before each call, where nobody asks for anything."""


class RetryHooks(NamedTuple):
    """What calls do besides: say a line, wait, and look before each try whether to go on (`check` raises)."""

    say: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep
    check: Callable[[], None] = no_check
    patience: float = PATIENCE


class Pace:
    """Until when calls shall wait since one was throttled."""

    def __init__(self, effects: RetryHooks) -> None:
        self._effects, self._until = effects, 0.0

    def slow_down(self, seconds: float) -> None:
        """Have no call begin for so long."""
        self._until = max(self._until, time.monotonic() + seconds)

    def wait(self) -> None:
        """Wait until a call may begin."""
        self._effects.check()
        if (left := self._until - time.monotonic()) > 0:
            self._effects.pause(left)
            self._effects.check()


def attach(client: Any, effects: RetryHooks, pace: Pace) -> None:
    """Have a client's calls made again when that can help."""

    def decide(**event: Any) -> int | None:
        """Wait, and answer botocore with 0: try again at once; None where it is no use (any more)."""
        failure = _failure(event.get("response"), event.get("caught_exception"))
        if failure is None:
            return None
        attempt, operation = event["attempts"], event["operation"]
        began = event["request_dict"]["context"].setdefault(SINCE, time.monotonic())
        found, throttled = failure
        wait = delay(attempt, throttled=throttled)
        if attempt >= ATTEMPTS or time.monotonic() - began + wait > effects.patience:
            return None
        if throttled:
            pace.slow_down(wait)
        effects.check()
        title = f"{operation.service_model.service_id} {operation.name}"
        effects.say(f"{title}: {found}; attempt {attempt + 1} of {ATTEMPTS} in {wait:.1f} s")
        effects.pause(wait)
        effects.check()
        return 0

    client.meta.events.register_last("needs-retry", decide)


def delay(attempt: int, *, throttled: bool = False) -> float:
    """Seconds to wait after so many tries: twice as long each time, half of it random, so that not all come at once."""
    import random

    longest = min(LONGEST, SHORTEST * (4 if throttled else 1) * 2.0 ** (attempt - 1))
    return interval(longest * random.uniform(0.5, 1))  # noqa: S311  # no secret


def is_transient(error: Exception) -> bool:
    """Whether a call failed, after all its tries, by what another one may not meet: the network, or a busy service."""
    response = getattr(error, "response", None) or {}
    return _is_busy(errors.http_status(error), response.get("Error", {})) or is_network_error(error)


def _is_busy(status: int, error: Mapping[str, Any]) -> bool:
    code, text = error.get("Code"), str(error.get("Message"))
    return status in RETRIED_STATUSES or code in RETRIED_CODES or RATE_EXCEEDED in text


def _failure(response: Any, caught: Exception | None) -> tuple[str, bool] | None:
    """What went wrong, and whether by throttling, which wants a longer wait; None where another try is no use."""
    if caught is not None:
        return (type(caught).__name__, False) if is_network_error(caught) else None
    if response is None:
        return None
    http, parsed = response
    error = parsed.get("Error", {}) if isinstance(parsed, dict) else {}
    if not _is_busy(http.status_code, error):
        return None
    code = str(error.get("Code", ""))
    found = f"{http.status_code} {code}".rstrip() if code != str(http.status_code) else code
    throttled = RATE_EXCEEDED in str(error.get("Message")) or code in THROTTLED or http.status_code in (429, 503)
    return found, throttled


def is_network_error(error: Exception) -> bool:
    """Whether an exception comes from the network."""
    from botocore import exceptions

    lasting = (exceptions.SSLError, exceptions.ProxyConnectionError)
    network = (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError)
    return isinstance(error, network) and not isinstance(error, lasting)
