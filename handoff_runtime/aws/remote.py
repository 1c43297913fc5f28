"""The store of a run in AWS: its params from Parameter Store; files, artifacts and state in S3, under a lease.

STACK_NAME says which project, S3_BUCKET_NAME (or S3_BUCKET) where; region and credentials are found as boto3 does.
"""

from __future__ import annotations

import os

from handoff_runtime import history, keys, outcome, workspace
from handoff_runtime.aws import clients as connecting
from handoff_runtime.aws import lease, parameter, references, state, transfer
from handoff_runtime.aws.append import append
from handoff_runtime.aws.emitted import BESIDE, Emitted
from handoff_runtime.aws.listing import Place
from handoff_runtime.errors import BusyError, StoreError, UsageError
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
        self._saying = threading.Lock()
        self._clients = connecting.connect(environ, self._said, check=self._check)
        self._patient = connecting.connect(environ, self._said, patience=HEART_PATIENCE)
        self._lease: lease.Lease | None = None
        self._heart: lease.Heart | None = None
        self._emitted: Emitted | None = None
        self._base: Stored | None = None
        self._waiting: list[str] = []
        self.lost: StoreError | None = None

    def load(self) -> Params:
        """The params, their references resolved; `origin` then tells which they are."""
        loaded = self._heeding(lambda: parameter.load(self._clients, self.stack))
        self.origin = {"PARAMS_VERSION": str(loaded.version), "PARAMS_SHA256": loaded.sha256}
        return self._heeding(lambda: references.resolve(self._clients, loaded.params))

    def take(self, run_id: str) -> int:
        """Take the lease; BusyError where another run has it."""
        taken = lease.acquire(self._clients, self.bucket, self.stack, run_id)
        if isinstance(taken, lease.Held):
            raise BusyError(f"{self.stack}: another run of this project is under way: {taken.told}", "wait for it")
        self._lease = taken
        return 0

    def fetch(self) -> None:
        """Bring files, artifacts and state; while they come the lease is kept."""
        if self._lease:
            self._heart = lease.Heart(self._patient, self._lease, self._lost)
        self._heeding(self._fetch)

    def _fetch(self) -> None:
        os.makedirs(workspace.FILES, exist_ok=True)
        transfer.fetch(self._clients, Place(self.bucket, keys.files(self.stack)), workspace.FILES)
        kept = Place(self.bucket, keys.artifacts(self.stack))
        transfer.fetch(self._clients, kept, workspace.ARTIFACTS, skip={*OWN, keys.STATE})
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
            self._base, self._emitted = self._emitted.stop(), None
        self.say = say
        while self._waiting:
            say(self._waiting.pop(0))

    def keep(self, record: Mapping[str, Any]) -> None:
        """Store what the run left: its own copy first, then what the next begins with, and its line in the index.

        What the next begins with is another's business once the lease is lost.
        """
        run = keys.run(self.stack, str(record["run_id"]))
        own = {os.path.basename(workspace.LOCK), os.path.basename(BESIDE)}
        here = [file for file in transfer.files(workspace.ARTIFACTS) if file.path not in own and not _local(file.path)]
        clients, place = self._steady(), Place(self.bucket, keys.artifacts(self.stack))
        transfer.store(clients, here, Place(self.bucket, f"{run}artifacts/"))
        kept = [file for file in here if file.path not in {*OWN, keys.STATE} and not self.lost]
        transfer.store(clients, transfer.plan(clients, kept, place).send, place)
        self.tell(record)

    def tell(self, record: Mapping[str, Any]) -> None:
        """Store the record, and its line in the index of the day; the last line of a run counts."""
        run = keys.run(self.stack, str(record["run_id"]))
        body = history.text(record)
        self._steady().call(connecting.S3, "put_object", Bucket=self.bucket, Key=f"{run}run.json", Body=body)
        self.note(record)

    def note(self, record: Mapping[str, Any]) -> None:
        """Add the line alone: of a run that never began."""
        append(self._steady(), self.bucket, keys.history(self.stack, history.day(record)), history.line(record))

    def keep_state(self) -> None:
        """Replace the stored state, unless another run has; StoreError then, or when the lease is lost."""
        if self.lost:
            raise self.lost
        state.put(self._clients, self.bucket, self.stack, workspace.STATE, self._base)

    def release(self) -> None:
        """Give the lease back."""
        if self._heart:
            self._lease = self._heart.stop()
        if self._lease and not self.lost:
            lease.release(self._patient, self._lease)
        self._lease = None

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
        """Do it in a thread, and leave it to itself when a signal comes: an answer may stay away for long."""
        import threading

        results: list[Any] = []
        done = threading.Event()
        threading.Thread(target=_do, args=(work, results, done), name="store", daemon=True).start()
        while not done.wait(HEED):
            self._check()
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
