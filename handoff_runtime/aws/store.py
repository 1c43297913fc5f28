"""The store of a run in AWS: its params from Parameter Store; files, artifacts and state in S3, under a lease.

STACK_NAME says which project, S3_BUCKET_NAME (or S3_BUCKET) where; region and credentials are found as boto3 does.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping

from handoff_runtime import history, s3_keys, stored_json, workspace
from handoff_runtime.annotations import Any
from handoff_runtime.aws import lease, params, references, retry, state, transfer
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.history import append_line, record_killed_runs
from handoff_runtime.aws.session import S3, Session, connect
from handoff_runtime.aws.state import CHECKPOINT, StateCheckpoints, StoredState
from handoff_runtime.aws.transfer import Place
from handoff_runtime.errors import BusyError, StoreError, UsageError
from handoff_runtime.overlap import RunDeclined
from handoff_runtime.params import Params
from handoff_runtime.record import encode_record, new_run_id
from handoff_runtime.store import Store
from handoff_runtime.supervisor import outcome
from handoff_runtime.supervisor.shutdown import STAGES_SHARE, STORE_SHARE, grace_seconds
from handoff_runtime.supervisor.signals import STOPPING, Signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Result = TypeVar("Result")


# Files of the run itself, which the next one does not begin with.
RUN_FILES = frozenset(os.path.relpath(path, workspace.ARTIFACTS) for path in (
    workspace.LOCK, workspace.RECORD, workspace.STDERR, workspace.STDOUT, CHECKPOINT,
    f"{workspace.RECORD}.new", workspace.RESERVED,
))  # fmt: skip
NEVER_STORED = frozenset(os.path.basename(path) for path in (workspace.LOCK, CHECKPOINT))
HISTORY_DIRECTORIES = frozenset(os.path.basename(path) for path in (history.INDEX, history.RUNS))
HEARTBEAT_PATIENCE = 20.0  # seconds a heartbeat is tried for, well below the lease
OCCURRENCE = stored_json.Shape(
    {"execution": stored_json.is_text, "run_id": s3_keys.is_run_id}, frozenset({"execution", "run_id"})
)
OPEN_ALERT = stored_json.Shape(
    {"subject": stored_json.is_text, "since": stored_json.is_text}, frozenset({"subject", "since"})
)
REFUSAL_PATIENCE = 5.0  # seconds that a call of a run that was refused is tried for: it may be S3 that is away
LOOK = 0.1  # seconds between two looks for a signal while an answer stays away


class AwsStore(Store):
    """The store of one run of a project.

    Until `begin_stages` a stopping signal ends what is under way (`RunDeclined`). From then on signals are the
    run's, and it stores within the grace time.
    """

    grace_share = STAGES_SHARE
    local_files = None

    def __init__(self, environ: Mapping[str, str], signals: Signals, say: Callable[[str], None]) -> None:
        stack, bucket = environ.get("STACK_NAME", ""), environ.get("S3_BUCKET_NAME") or environ.get("S3_BUCKET", "")
        if not stack or not bucket:
            missing = "S3_BUCKET_NAME" if stack else "STACK_NAME"
            raise UsageError(
                f"{missing}: not set, expected together with STACK_NAME", "or give the params: --params FILE"
            )
        self.stack, self.bucket = stack, bucket
        self._schedule, self._execution = environ.get("HANDOFF_SCHEDULE", ""), environ.get("HANDOFF_EXECUTION", "")
        self.origin: dict[str, str] = {}  # which params: variables of the environment
        self._say = say
        self._signals, self._stopped_by, self._begun = signals, 0, False
        self._grace = grace_seconds(environ) * STORE_SHARE
        # `_say` is another one at each stage of the run.
        self._session = connect(environ, lambda line: self._say(line), check=self._check)  # noqa: PLW0108
        # For what is stored whether or not a signal stopped the rest.
        self._patient = self._session.with_options(patience=HEARTBEAT_PATIENCE, check=retry.no_check)
        self._record: Mapping[str, Any] = {}
        self._entry: Mapping[str, Any] | None = None  # the last line of this run in the history
        self._lease: lease.Lease | None = None
        self._heartbeat: lease.Heartbeat | None = None
        self._killed_recorded = False
        self._base: StoredState | None = None
        self._checkpoints: StateCheckpoints | None = None
        self._error: StoreError | None = None  # the lease was lost
        self._unknown_state: StoreError | None = None  # which state is stored is not known

    @property
    def begun(self) -> Mapping[str, Any] | None:
        """The record of the run, once it requested the lease."""
        return self._record or None

    def load_params(self) -> Params:
        """Load the params, their references resolved; `origin` says which they are."""
        loaded = self._interruptible(lambda: params.load(self._session, self.stack))
        self.params = loaded.params
        self._session.set_keep(self.stack, loaded.params.pipeline.keep)
        self.origin = {"PARAMS_VERSION": str(loaded.version), "PARAMS_SHA256": loaded.sha256}
        return self._interruptible(lambda: references.resolve(self._session, loaded.params))

    def claim_occurrence(self, record: Mapping[str, Any], say: Callable[[str], None], /) -> None:
        """Claim the time of the schedule that started the run, for its execution of the state machine.

        EventBridge Scheduler delivers at least once, each time to an execution of its own. A task that the execution
        itself starts again finds its own claim. RunDeclined where another execution has claimed the time.
        """
        self._say = say
        if not (self._schedule and self._execution and "scheduled_at" in record["data"]):
            return
        scheduled_at = f"{record['scheduled_at'][:19]}Z"
        place = {"Bucket": self.bucket, "Key": s3_keys.occurrence(self.stack, self._schedule, scheduled_at)}
        body = json.dumps({"execution": self._execution, "run_id": record["run_id"]}).encode()

        def put_or_read() -> Any:
            for attempt in range(1, retry.ATTEMPTS + 1):
                if self._session.call(S3, "put_object", allow=("412", "409"), Body=body, IfNoneMatch="*", **place):
                    return None
                if found := self._session.read(place["Bucket"], place["Key"]):
                    return found
                self._session.effects.pause(retry.delay(attempt))  # 409: another put is not over yet
            return None

        if (found := self._interruptible(put_or_read)) is None:
            return
        claim, wrong = stored_json.parse(found[0], OCCURRENCE)
        if claim is None:
            say(f"note: s3://{place['Bucket']}/{place['Key']}: damaged ({wrong}); this run continues")
        elif claim["execution"] != self._execution:
            reason = f"schedule {self._schedule} of {scheduled_at} was delivered twice"
            reason = f"{reason}; execution {claim['execution']} has run {claim['run_id']}"
            say(f"duplicate: {reason}")
            raise RunDeclined("duplicate", 0, reason)

    def acquire(self, record: Mapping[str, Any], say: Callable[[str], None], /) -> None:
        """Take the lease for the run of a record; BusyError where another run has it."""
        self._record, self._say, entry = record, say, history.summary(record)
        taken = lease.acquire(self._session, self.bucket, self.stack, str(record["run_id"]), entry=entry)
        if isinstance(taken, lease.StoredLease):
            raise BusyError(f"{self.stack}: another run of this project is under way: {taken}", "wait for it")
        self._lease = taken

    def fetch(self, say: Callable[[str], None], /, *, with_state: bool) -> None:
        """Bring files, artifacts and state, while heartbeats keep the lease, and record that the run began."""
        self._say = say

        def lost(error: StoreError) -> None:
            self._error = error
            self._signals.note(STOPPING[0])

        def record_start() -> None:
            if self._lease:
                record_killed_runs(self._session, self.bucket, self.stack, self._lease.claim.get("dead", ()))
                self._killed_recorded = True
            self._put_record(self._session, self._record)

        def bring() -> None:
            os.makedirs(workspace.FILES, exist_ok=True)
            transfer.fetch(self._session, Place(self.bucket, s3_keys.files(self.stack)), workspace.FILES)
            artifacts = Place(self.bucket, s3_keys.artifacts(self.stack))
            transfer.fetch(self._session, artifacts, workspace.ARTIFACTS, skip={*RUN_FILES, s3_keys.STATE})
            if with_state:
                self._base = state.fetch_state(self._session, self.bucket, self.stack, workspace.STATE)

        if self._lease:
            self._heartbeat = lease.Heartbeat(self._patient, self._lease, lost)
        self._interruptible(lambda: list(map_concurrently(lambda part: part(), (record_start, bring))))

    def begin_stages(self, state_mode: str, /) -> None:
        """Leave signals and the log to the run; store what a Singer target emits as it comes."""
        self._begun, self._say_now, self._lines = True, self._say, list[str]()
        self._say = self._lines.append
        if state_mode == "singer":
            self._checkpoints = StateCheckpoints(self._patient, self.bucket, self.stack, self._base)

    def end_stages(self) -> StoreError | None:
        """Know which state is stored, and say what had to wait; the error of a lost lease.

        Where the store does not say in time which state it has, nothing replaces it.
        """
        if self._checkpoints:
            try:
                self._base = self._within_grace(self._checkpoints.stop)
            except StoreError as error:
                self._unknown_state = error
        self._say = self._say_now
        while self._lines:
            self._say(self._lines.pop(0))
        return self._error

    def store(self, record: Mapping[str, Any], /) -> None:
        """Store what the run left: its own copy first, then what the next begins with, and its line in the history.

        What the next begins with is another run's once the lease is lost.
        """
        if os.path.islink(workspace.ARTIFACTS):
            raise StoreError(f"{workspace.ARTIFACTS}: a symbolic link found, a directory expected; nothing is stored")

        def store() -> None:
            left = transfer.list_files(workspace.ARTIFACTS, self._session.effects.say)
            here = [
                file
                for file in left
                if file.path not in NEVER_STORED and file.path.split("/", 1)[0] not in HISTORY_DIRECTORIES
            ]
            session, artifacts = self._steady(), Place(self.bucket, s3_keys.artifacts(self.stack))
            run = s3_keys.run(self.stack, str(record["run_id"]))
            transfer.store(session, here, Place(self.bucket, f"{run}artifacts/"))
            shared = [file for file in here if file.path not in {*RUN_FILES, s3_keys.STATE} and not self._error]
            transfer.store(session, transfer.plan(session, shared, artifacts).send, artifacts)
            self._put_record(session, record)
            self._append(record)

        self._within_grace(store)

    def store_state(self) -> None:
        """Replace the stored state, unless another run has; StoreError then, or when the lease is lost."""
        if error := self._error or self._unknown_state:
            raise error
        self._within_grace(
            lambda: state.replace_state(self._session, self.bucket, self.stack, workspace.STATE, self._base)
        )

    def record(self, record: Mapping[str, Any], /) -> None:
        """Replace the record, and add its line to the history; of a run the last line counts."""

        def store() -> None:
            self._put_record(self._steady(), record)
            self._append(record)

        self._within_grace(store)

    def append_history(self, record: Mapping[str, Any], /) -> None:
        """Add the line alone: of a run that never began."""
        self._within_grace(lambda: self._append(record))

    def announce(self, record: Mapping[str, Any], /) -> None:
        """Leave the alert of a run that failed or recovered, and after a success the time of the next expected one.

        Only what an execution started has an alert: the state machine looks for it. No error ends the run differently.
        """
        works = (
            ("nobody is notified of this run", lambda: self._put_alert(record)),
            ("the next success is not expected in its time", lambda: self._put_expectation(record)),
        )
        for what, work in works:
            try:
                self._within_grace(work, limit=self._grace)
            except StoreError as error:  # one may be put where the other is not
                self._say(f"note: {error.message}; {what}")

    def record_refused(self, record: Mapping[str, Any], log: str) -> None:
        """Leave record, history line and alert of a run that ended before its record did; `log` is what it said.

        A run that does not have the lease replaces no record: its id may be that of another run.
        """
        session = self._session.with_options(patience=REFUSAL_PATIENCE, check=retry.no_check)

        def store() -> None:
            new = record
            try:
                while not self._put_record(session, new, only_new=self._lease is None):
                    new = {**new, "run_id": new_run_id(time.time())}
                self._append(new, session)
            finally:
                self._put_alert(new, log.encode(errors="replace"))

        self._within_grace(store, limit=self._grace)

    def _put_alert(self, record: Mapping[str, Any], log: bytes | None = None) -> None:
        """Put what people are notified of; without `log` the run has left one."""
        if not self._execution or record["outcome"] not in ("succeeded", "failed"):
            return
        from handoff_runtime import alert

        if record["outcome"] == "failed":
            message = alert.compose_failure(record, alert.read_log() if log is None else log)
        elif record["command"] != "run":  # the pipeline may fail as before
            return
        elif found := self._patient.read(self.bucket, s3_keys.open_alert(self.stack)):
            message = alert.compose_recovery(record, stored_json.parse(found[0], OPEN_ALERT).value or {})
        else:
            return
        self._put_json(s3_keys.alert(self.stack, self._execution), message)

    def _put_expectation(self, record: Mapping[str, Any]) -> None:
        expect = self.params.pipeline.expect if self.params else None
        if record["outcome"] == "succeeded" and record["command"] == "run" and expect and expect.success_within:
            from handoff_runtime import alert

            self._put_json(s3_keys.expectation(self.stack), alert.expectation(expect.success_within, time.time()))

    def _put_json(self, key: str, value: Mapping[str, Any]) -> None:
        body = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace")
        self._patient.call(S3, "put_object", Bucket=self.bucket, Key=key, Body=body)

    def release(self) -> None:
        """Give the lease back."""
        try:
            if self._heartbeat:
                self._lease = self._within_grace(self._heartbeat.stop)
            if (held := self._lease) and not self._error:
                dead, entry = self._killed_recorded, self._entry
                self._within_grace(lambda: lease.release(self._patient, held, recorded_dead=dead, entry=entry))
        except StoreError as error:
            self._session.effects.say(f"{error.message}; the lease is not given back")
        self._lease = None

    def _put_record(self, session: Session, record: Mapping[str, Any], *, only_new: bool = False) -> bool:
        """Put the record; False where there is one of this id already, and `only_new`."""
        key = f"{s3_keys.run(self.stack, str(record['run_id']))}run.json"
        condition = {"IfNoneMatch": "*"} if only_new else {}
        place = {"Bucket": self.bucket, "Key": key}
        allow = ("412",) if only_new else ()
        return bool(session.call(S3, "put_object", allow=allow, Body=encode_record(record), **place, **condition))

    def _append(self, record: Mapping[str, Any], session: Session | None = None) -> None:
        append_line(
            session or self._steady(),
            self.bucket,
            s3_keys.history(self.stack, history.start_day(record)),
            history.index_line(record),
        )
        self._entry = history.summary(record)

    def _steady(self) -> Session:
        """The session whose calls no signal ends: of a run that never began, those that look for none."""
        return self._session if self._begun else self._patient

    def _interruptible(self, work: Callable[[], Result]) -> Result:
        """Do what a stopping signal, or the loss of the lease, ends."""
        return self._in_thread(work, self._check)

    def _within_grace(self, work: Callable[[], Result], *, limit: float | None = None) -> Result:
        """Do what no signal ends, within what is left of the grace time; a run that lost its lease has time.

        `limit` is how many seconds it may take at most, signal or not.
        """
        began = time.monotonic()

        def check() -> None:
            self._signals.take()
            since = self._signals.stopping_since
            if limit is not None and time.monotonic() >= began + limit:
                raise StoreError(f"the store did not answer within {limit:.0f} s")
            if since is not None and not self._error and time.monotonic() >= since + self._grace:
                raise StoreError("the store did not take what the run left before the time to stop was over")

        return self._in_thread(work, check)

    def _in_thread(self, work: Callable[[], Result], check: Callable[[], None]) -> Result:
        """Do it in a thread, and leave that behind when `check` raises: an answer may stay away for long."""
        from concurrent.futures import Future, wait
        from threading import Thread

        done: Future[Result] = Future()

        def do() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001  # raised again by who waits
                done.set_exception(error)

        Thread(target=do, name="store", daemon=True).start()
        while wait([done], LOOK).not_done:
            check()
        return done.result()

    def _check(self) -> None:
        """Before each call, and while an answer stays away: whether to go on with what has not begun."""
        if self._begun:
            return
        for number in self._signals.take():
            if number in STOPPING:
                self._stopped_by = number
        if self._error:
            raise self._error
        if self._stopped_by:
            reason = f"stopped by {outcome.signal_name(self._stopped_by)}"
            raise RunDeclined("stopped", 128 + self._stopped_by, reason)
