"""The store of a run in AWS: its params from Parameter Store; files, artifacts and state in S3, under a lease.

STACK_NAME says which project, S3_BUCKET_NAME (or S3_BUCKET) where; region and credentials are found as boto3 does.
"""

from __future__ import annotations

import os
import time

from handoff_runtime import history, keys, outcome, workspace
from handoff_runtime.aws import clients as connecting
from handoff_runtime.aws import killed, lease, parameter, references, retry, state, transfer
from handoff_runtime.aws.append import append
from handoff_runtime.aws.emitted import BESIDE, Emitted
from handoff_runtime.aws.listing import Place
from handoff_runtime.aws.together import each
from handoff_runtime.errors import BusyError, StoreError, UsageError
from handoff_runtime.grace import FOR_STORE, grace
from handoff_runtime.overlap import Given
from handoff_runtime.signals import STOPPING

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from handoff_runtime.aws.clients import Clients
    from handoff_runtime.aws.state import Stored
    from handoff_runtime.signals import Signals
    from handoff_runtime.store import Params

    Done = TypeVar("Done")

# Of the run itself: kept with the run, not among what the next one begins with.
OWN = frozenset(os.path.relpath(path, workspace.ARTIFACTS) for path in (
    workspace.LOCK, workspace.RECORD, workspace.STDERR, workspace.STDOUT, BESIDE, f"{workspace.RECORD}.new",
))  # fmt: skip
HEART_PATIENCE = 20.0  # seconds a heartbeat is tried for, well below the lease
HEED = 0.1  # seconds between two looks for a signal while an answer stays away


class Remote:
    """A project's store, for one run: load, take, fetch, watch, keep, release, in this order."""

    def __init__(self, environ: Mapping[str, str], signals: Signals, say: Callable[[str], None]) -> None:
        import threading

        self.say = say
        self.stack, self.bucket = _named(environ)
        self.origin: dict[str, str] = {}
        self._signals, self._stopped, self._heedful = signals, 0, True
        self._for_store = grace(environ) * FOR_STORE
        self._saying = threading.Lock()
        self._clients = connecting.connect(environ, self._said, check=self._check)
        self._patient = self._clients.beside(patience=HEART_PATIENCE, check=retry.nothing)
        self._lease: lease.Lease | None = None
        self._told = False
        self._begun: Mapping[str, Any] = {}
        self._last: Mapping[str, Any] | None = None
        self._heart: lease.Heart | None = None
        self._emitted: Emitted | None = None
        self._base: Stored | None = None
        self._with_state = True
        self._waiting: list[str] = []
        self.lost: StoreError | None = None
        self._unknown: StoreError | None = None

    def load(self) -> Params:
        """The params, their references resolved; `origin` then tells which they are."""
        loaded = self._heeding(lambda: parameter.load(self._clients, self.stack))
        self.origin = {"PARAMS_VERSION": str(loaded.version), "PARAMS_SHA256": loaded.sha256}
        return self._heeding(lambda: references.resolve(self._clients, loaded.params))

    def take(self, record: Mapping[str, Any]) -> int:
        """Take the lease for the run of a record; BusyError where another run has it."""
        self._begun, entry = record, history.entry(record)
        taken = lease.acquire(self._clients, self.bucket, self.stack, str(record["run_id"]), entry=entry)
        if isinstance(taken, lease.Held):
            raise BusyError(f"{self.stack}: another run of this project is under way: {taken.told}", "wait for it")
        self._lease = taken
        return 0

    def fetch(self, *, with_state: bool = True) -> None:
        """Bring files, artifacts and state; while they come the lease is kept."""
        self._with_state = with_state
        if self._lease:
            self._heart = lease.Heart(self._patient, self._lease, self._lost)
        self._heeding(self._fetch)

    def _fetch(self) -> None:
        for _ in each(lambda part: part(), (self._tell_begun, self._bring)):
            pass

    def _tell_begun(self) -> None:
        """Who was killed before us, and that we are under way: the record says so until it says how it ended."""
        if self._lease:
            killed.tell(self._clients, self.bucket, self.stack, self._lease.claim.get("dead", ()))
            self._told = True
        self._put_record(self._clients, self._begun)

    def _bring(self) -> None:
        os.makedirs(workspace.FILES, exist_ok=True)
        transfer.fetch(self._clients, Place(self.bucket, keys.files(self.stack)), workspace.FILES)
        kept = Place(self.bucket, keys.artifacts(self.stack))
        transfer.fetch(self._clients, kept, workspace.ARTIFACTS, skip={*OWN, keys.STATE})
        if self._with_state:
            self._base = state.fetch(self._clients, self.bucket, self.stack, workspace.STATE)

    def watch(self, mode: str) -> None:
        """From now on a signal is the run's business; what a Singer target emits is stored as it comes.

        The log is the run's too: what is to be said meanwhile waits.
        """
        self._heedful, self.say = False, self._waiting.append
        if mode == "singer":
            self._emitted = Emitted(self._patient, self.bucket, self.stack, self._base)

    def rest(self, say: Callable[[str], None]) -> None:
        """Watch no more: what is stored from now on is what the run leaves."""
        if self._emitted:
            self._settle(self._emitted)
        self.say = say
        while self._waiting:
            say(self._waiting.pop(0))

    def _settle(self, emitted: Emitted) -> None:
        """Have the stored state known; where the store does not answer in time it is not, and nothing replaces it."""
        try:
            self._base = self._in_time(emitted.stop)
        except StoreError as error:
            self._unknown = error

    def keep(self, record: Mapping[str, Any]) -> None:
        """Store what the run left: its own copy first, then what the next begins with, and its line in the index.

        What the next begins with is another's business once the lease is lost.
        """
        self._in_time(lambda: self._keep(record))

    def _keep(self, record: Mapping[str, Any]) -> None:
        run = keys.run(self.stack, str(record["run_id"]))
        own = {os.path.basename(workspace.LOCK), os.path.basename(BESIDE)}
        if os.path.islink(workspace.ARTIFACTS):
            raise StoreError(f"{workspace.ARTIFACTS}: a symbolic link found, a directory expected; nothing is stored")
        left = transfer.files(workspace.ARTIFACTS, self._said)
        here = [file for file in left if file.path not in own and not _local(file.path)]
        clients, place = self._steady(), Place(self.bucket, keys.artifacts(self.stack))
        transfer.store(clients, here, Place(self.bucket, f"{run}artifacts/"))
        kept = [file for file in here if file.path not in {*OWN, keys.STATE} and not self.lost]
        transfer.store(clients, transfer.plan(clients, kept, place).send, place)
        self._tell(record)

    def tell(self, record: Mapping[str, Any]) -> None:
        """Store the record, and its line in the index of the day; the last line of a run counts."""
        self._in_time(lambda: self._tell(record))

    def _tell(self, record: Mapping[str, Any]) -> None:
        self._put_record(self._steady(), record)
        self._note(record)

    def _put_record(self, clients: Clients, record: Mapping[str, Any]) -> None:
        key = f"{keys.run(self.stack, str(record['run_id']))}run.json"
        clients.call(connecting.S3, "put_object", Bucket=self.bucket, Key=key, Body=history.text(record))

    def note(self, record: Mapping[str, Any]) -> None:
        """Add the line alone: of a run that never began."""
        self._in_time(lambda: self._note(record))

    def _note(self, record: Mapping[str, Any]) -> None:
        append(self._steady(), self.bucket, keys.history(self.stack, history.day(record)), history.line(record))
        self._last = history.entry(record)

    def keep_state(self) -> None:
        """Replace the stored state, unless another run has; StoreError then, or when the lease is lost."""
        if error := self.lost or self._unknown:
            raise error
        self._in_time(lambda: state.put(self._clients, self.bucket, self.stack, workspace.STATE, self._base))

    def release(self) -> None:
        """Give the lease back."""
        try:
            if self._heart:
                self._lease = self._in_time(self._heart.stop)
            if (held := self._lease) and not self.lost:
                self._in_time(lambda: lease.release(self._patient, held, told=self._told, entry=self._last))
        except StoreError as error:
            self._said(f"{error.message}; the lease is not given back")
        self._lease = None

    def _left(self) -> float | None:
        """Seconds we have to store what is to be stored; None where nobody told us to stop."""
        told_at = self._signals.told_at
        return None if told_at is None or self.lost else max(0.0, told_at + self._for_store - time.monotonic())

    def _said(self, line: str) -> None:
        with self._saying:  # the heart and what it keeps alive have clients of their own
            self.say(line)

    def _lost(self, error: StoreError) -> None:
        self.lost = error
        self._signals.note(STOPPING[0])

    def _steady(self) -> Clients:
        """Who stores what is to be stored, come what may: what was given up before still heeds that it was."""
        return self._patient if self._heedful else self._clients

    def _heeding(self, work: Callable[[], Done]) -> Done:
        """Do what can be given up when a signal comes."""
        return self._meanwhile(work, self._check)

    def _in_time(self, work: Callable[[], Done]) -> Done:
        """Do what is to be done come what may, within the time that is left to us."""
        return self._meanwhile(work, self._hurry)

    def _meanwhile(self, work: Callable[[], Done], look: Callable[[], None]) -> Done:
        """Do it in a thread, and leave it to itself when `look` raises: an answer may stay away for long."""
        import threading

        results: list[Any] = []
        done = threading.Event()
        threading.Thread(target=_do, args=(work, results, done), name="store", daemon=True).start()
        while not done.wait(HEED):
            look()
        error: BaseException | None = results[0]
        value: Done = results[1]
        if error is not None:
            raise error
        return value

    def _check(self) -> None:
        """Before each call, as long as nothing has begun: whether to go on."""
        if not self._heedful:
            return
        for number in self._signals.take():
            if number in STOPPING:
                self._stopped = number
        if self.lost:
            raise self.lost
        if self._stopped:
            raise Given("stopped", 128 + self._stopped, f"stopped by {outcome.signal_name(self._stopped)}")

    def _hurry(self) -> None:
        """Whether there is time to go on."""
        self._signals.take()
        if self._left() == 0:
            raise StoreError("the store did not take what the run left before the time to stop was over")


def _named(environ: Mapping[str, str]) -> tuple[str, str]:
    stack, bucket = environ.get("STACK_NAME", ""), environ.get("S3_BUCKET_NAME") or environ.get("S3_BUCKET", "")
    if not stack or not bucket:
        missing = "S3_BUCKET_NAME" if stack else "STACK_NAME"
        raise UsageError(f"{missing}: not set, expected together with STACK_NAME", "or give the params: --params FILE")
    return stack, bucket


def _do(work: Callable[[], Any], results: list[Any], done: threading.Event) -> None:
    """Its error and its value, of which one is None."""
    try:
        results += [None, work()]
    except BaseException as error:  # noqa: BLE001  # raised again by who waits
        results += [error, None]
    done.set()


def _local(path: str) -> bool:
    """What is kept of earlier runs here; in S3 each lies at its own place."""
    return path.split("/", 1)[0] in {os.path.basename(history.INDEX), os.path.basename(history.RUNS)}
