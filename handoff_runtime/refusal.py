"""A run that ends before it has a record: with a store in AWS it leaves one there, a line in the history, an alert."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from handoff_runtime import masking, placeholders, record, s3_keys
from handoff_runtime.annotations import Any
from handoff_runtime.errors import HandoffError, StartError, UsageError
from handoff_runtime.masking import Mask
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.params import Params
from handoff_runtime.pipeline import Pipeline
from handoff_runtime.supervisor.outcome import Outcome
from handoff_runtime.supervisor.signals import Signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff_runtime.store import Store


class Refusal(NamedTuple):
    """The error that ends a run, and what is known of the run: stand-ins for params and data that cannot be read."""

    error: HandoffError
    command: str
    environ: Mapping[str, str]
    params: Params
    data: Mapping[str, Any]
    mask: Mask

    @property
    def text(self) -> str:
        """The error as the log has it."""
        return self.mask.mask_message(self.error.for_log())


def refuse(
    error: HandoffError, command: str, data_text: str, environ: Mapping[str, str], params: Params | None
) -> Refusal:
    """What is known of a run that an error ends."""
    try:
        data = placeholders.parse_data(data_text)
    except UsageError:
        data = {}
    if params is None:
        project = environ.get("HANDOFF_PROJECT") or environ.get("STACK_NAME", "")
        environment = environ.get("HANDOFF_ENVIRONMENT") or "dev"
        params = Params(Pipeline(project, environment, {}, {}, "none", "off", ()), (), {})
    mask = masking.mask_for_run(params, params.pipeline, environ, data)
    return Refusal(error, command, environ, params, data, mask)


def leave_record(refusal: Refusal, store: Store | None, say: Callable[[str], None]) -> None:
    """Store record, history line and alert of a refused run; where the store does not take them, a line says so."""
    from handoff_runtime.aws.store import AwsStore

    try:
        if not isinstance(store, AwsStore):  # what kept it from being made may be no more than the time to stop
            store = AwsStore({**refusal.environ, "STOP_TIMEOUT": ""}, Signals(), say)
        ended = _end(store.begun or _begin(refusal, store.origin), refusal.error)
        store.record_refused(record.mask_record(ended, refusal.mask), refusal.text)
    except HandoffError as again:
        if again.message != refusal.error.message:  # which has been said
            say(f"note: the store has no record of this run: {again.message}")


def _begin(refusal: Refusal, origin: Mapping[str, str]) -> dict[str, Any]:
    """The record of a run that has not begun."""
    now, data, environ = time.time(), refusal.data, {**refusal.environ, **origin}
    try:
        scheduled_at = placeholders.scheduled_at(data, now).timestamp()
    except UsageError:
        scheduled_at = now
    run_id = data.get("run_id")
    run_id = str(run_id) if s3_keys.is_run_id(run_id) else record.new_run_id(now)
    trigger = str(data.get("trigger") or environ.get("TRIGGER") or "local")
    begun = record.RunStart(run_id, refusal.command, trigger, scheduled_at, now, data, refusal.params.pipeline)
    return record.start_record(begun, None, environ)


def _end(begun: Mapping[str, Any], error: HandoffError) -> dict[str, Any]:
    culprit = error.stage if isinstance(error, StartError) else None
    ended = record.RunEnd(Outcome("failed", error.exit_code, ()), culprit, error.marked)
    now = time.time()
    started = datetime.fromisoformat(begun["started_at"].replace("Z", "+00:00")).timestamp()
    return record.end_record(begun, ended, now, max(0.0, now - started), None, replaced=False)
