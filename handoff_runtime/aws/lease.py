"""Who runs a project: a lease in S3, kept by heartbeats, taken over from a holder that gives no more of them.

Times of two machines are never compared: how old a heartbeat is, is the server's `Date` minus its own
`LastModified`, and how long we hold ours is counted by our own monotonic clock. Each put carries a number, so
that each has an ETag of its own and taking over a lease that was renewed in between is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from handoff_runtime import s3_keys, stored_json
from handoff_runtime.annotations import Any
from handoff_runtime.aws.session import S3, Session
from handoff_runtime.errors import StoreError
from handoff_runtime.namedtuple import NamedTuple

HEARTBEAT, LEASE = 20.0, 90.0
TRIES = 5  # of reading and putting, while others do the same
MOST_DEAD = 20
LONGEST = 86_400.0  # seconds that a lease may claim to last
REFUSED = ("412", "409", "NoSuchKey")


class LeaseLostError(StoreError):
    """Another run has the lease."""


class Lease(NamedTuple):
    """A lease that is ours: where it is, what it says, the ETag of our last put, and when that began (monotonic)."""

    bucket: str
    key: str
    claim: Mapping[str, Any]
    etag: str
    renewed: float

    @property
    def left(self) -> float:
        """Seconds until others may take it over."""
        return float(self.renewed + self.claim["lease_seconds"] - time.monotonic())


class StoredLease(NamedTuple):
    """The lock as it is stored, by whichever run: what it says, its ETag, and its age by the server's clock."""

    claim: Mapping[str, Any]
    etag: str
    age: float
    damage: str = ""

    @property
    def run_id(self) -> str:
        """The run that has or had it."""
        return str(self.claim.get("run_id", "?"))

    @property
    def left(self) -> float:
        """Seconds until it counts as dead (times are whole seconds)."""
        seconds: Any = self.claim.get("lease_seconds")
        return (float(seconds) if _is_lease_seconds(seconds) else LEASE) + 1 - self.age

    def __str__(self) -> str:
        holder = self.claim.get("holder", "?")
        return f"run {self.run_id} holds it ({holder}, last heartbeat {self.age:.0f} s ago)"


def acquire(
    session: Session,
    bucket: str,
    stack: str,
    run_id: str,
    *,
    entry: Mapping[str, Any] | None = None,
    heartbeat: float = HEARTBEAT,
    lease: float = LEASE,
) -> Lease | StoredLease:
    """Take the lease of a project where it is free, released, or its holder dead; else who holds it.

    `entry` is the line of this run in the history should it be killed; the entries of runs that were, and of which
    the history says nothing yet, are the claim's `dead`.
    """
    import os
    import socket

    claim = {
        "run_id": run_id,
        "holder": f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}",  # which no other process has
        "entry": entry,
        "heartbeat_seconds": heartbeat,
        "lease_seconds": lease,
        "released": False,
        "beat": 0,
    }
    key = s3_keys.lease(stack)
    for _ in range(TRIES):
        found = read_lease(session, bucket, stack)
        if found and found.claim.get("holder") == claim["holder"]:  # our put, whose answer was lost
            return Lease(bucket, key, found.claim, found.etag, time.monotonic() - found.age - 1)
        if found and not is_free(found):
            return found
        dead: list[Mapping[str, Any]] = []  # of whom the history is still to say that they were killed
        if found:
            died = found.claim.get("entry") if not found.claim.get("released") else None
            dead = [*found.claim.get("dead", []), *([died] if died else [])][-MOST_DEAD:]
        taken = _put(session, Lease(bucket, key, {**claim, "dead": dead}, found.etag if found else "", 0))
        if taken and found:
            if found.damage:
                session.effects.say(f"note: s3://{bucket}/{key}: damaged ({found.damage}); replaced")
            if not found.claim.get("released"):
                ago = f"{found.age:.0f} s ago"
                session.effects.say(f"took over from run {found.run_id}, whose last heartbeat was {ago}")
        if taken:
            return taken
    if (found := read_lease(session, bucket, stack)) and found.claim.get("holder") != claim["holder"]:
        return found
    raise StoreError(f"s3://{bucket}/{key}: changed {TRIES} times while it was to be taken", "run it again")


def read_lease(session: Session, bucket: str, stack: str) -> StoredLease | None:
    """The lock as it is; None where nobody has ever run."""
    found = session.read(bucket, s3_keys.lease(stack))
    if found is None:
        return None
    from email.utils import parsedate_to_datetime

    content, answer = found
    claim, wrong = _read_claim(content)
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    age = max(0.0, float((now - answer["LastModified"]).total_seconds()))  # both times are the server's
    return StoredLease(claim, answer["ETag"], age, wrong)


def is_free(found: StoredLease) -> bool:
    """Whether nobody holds it: released, or its holder dead."""
    return bool(found.claim.get("released")) or found.left < 0


def renew(session: Session, lease: Lease) -> Lease:
    """Renew it; StoreError when it is no longer ours, and the run must stop."""
    return _renew(session, lease, released=False)


def release(
    session: Session, lease: Lease, *, recorded_dead: bool = False, entry: Mapping[str, Any] | None = None
) -> None:
    """Give it back; one that another run has taken over is left alone.

    `recorded_dead`: the history has the lines of the claim's `dead`. `entry` is our own last line in it, for `status`.
    """
    dead = [] if recorded_dead else lease.claim.get("dead", [])
    lease = lease._replace(claim={**lease.claim, "dead": dead, "entry": entry or lease.claim.get("entry")})
    try:
        _renew(session, lease, released=True)
    except StoreError as error:
        session.effects.say(f"{error.message}; the lease is not given back")


def _renew(session: Session, lease: Lease, *, released: bool) -> Lease:
    claim = {**lease.claim, "beat": lease.claim["beat"] + 1, "released": released}
    if renewed := _put(session, lease._replace(claim=claim)):
        return renewed
    found = read_lease(session, lease.bucket, lease.key.rpartition("/")[0])
    if found and found.claim == claim:  # our own put, whose answer was lost
        return lease._replace(claim=claim, etag=found.etag, renewed=time.monotonic() - found.age - 1)
    by = f"run {found.run_id} has it" if found else "it is gone"
    message = f"s3://{lease.bucket}/{lease.key}: the lease of this run is lost: {by}"
    raise LeaseLostError(message, "another run took over since our heartbeats stayed away; see: invoke history")


def _put(session: Session, lease: Lease) -> Lease | None:
    """Write what it says over what has its ETag (none: over nothing); None when that is no longer so."""
    condition = {"IfMatch": lease.etag} if lease.etag else {"IfNoneMatch": "*"}
    body, began = json.dumps(lease.claim).encode(), time.monotonic()
    answer = session.call(S3, "put_object", allow=REFUSED, Bucket=lease.bucket, Key=lease.key, Body=body, **condition)
    return lease._replace(etag=answer["ETag"], renewed=began) if answer else None


def _is_lease_seconds(seconds: Any) -> bool:
    return stored_json.is_number(seconds) and bool(seconds <= LONGEST)


CLAIM = stored_json.Shape(
    {
        "run_id": s3_keys.is_run_id,
        "holder": stored_json.is_text,
        "entry": stored_json.optional(stored_json.object_of(stored_json.ENTRY)),
        "heartbeat_seconds": stored_json.is_number,
        "lease_seconds": _is_lease_seconds,
        "released": stored_json.is_flag,
        "beat": stored_json.is_count,
        "dead": stored_json.list_of(stored_json.ENTRY),
    },
    frozenset({"run_id", "holder", "released"}),
)


def _read_claim(content: bytes) -> tuple[Mapping[str, Any], str]:
    """What a lock says, without what is odd, and what that is; where it says nothing it lives as long as ours would."""
    found, wrong = stored_json.parse(content, stored_json.ANY)
    if found is None or not (wrong := stored_json.find_damage(found, CLAIM)):
        return found or {}, wrong
    invalid = stored_json.invalid_fields(found, CLAIM)
    claim = {name: value for name, value in found.items() if name not in invalid}
    if isinstance(dead := found.get("dead"), list):
        claim["dead"] = [entry for entry in dead if not stored_json.find_damage(entry, stored_json.ENTRY)]
    return claim, wrong


class Heartbeat:
    """Heartbeats in a thread; `lost` is called once, when another run has the lease or it is about to run out.

    A second thread keeps the time, since a renewal may hang for longer than the lease lasts: it reports one interval
    of heartbeats before the end, so that the run can stop while the lease is still its own.
    """

    def __init__(self, session: Session, lease: Lease, lost: Callable[[StoreError], None]) -> None:
        import threading

        self._session, self.lease, self._lost = session, lease, lost
        self._interval = float(lease.claim["heartbeat_seconds"])
        self._failure: StoreError | None = None  # of the last renewal
        self._ended = threading.Event()
        self._reporting = threading.Lock()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._renew, self._keep_time)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> Lease:
        """Beat no more; the lease as it is, to be released."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        return self.lease

    def _renew(self) -> None:
        while not self._ended.wait(self._interval):
            try:
                self.lease, self._failure = renew(self._session, self.lease), None
            except LeaseLostError as error:
                self._report(error)
            except StoreError as error:  # the store stayed away, and may be back before the lease is over
                self._failure, left = error, self.lease.left
                self._session.effects.say(f"heartbeat: {error.message}; {left:.0f} s of the lease are left")

    def _keep_time(self) -> None:
        while not self._ended.wait(max(0.0, self.lease.left - self._interval)):
            if (left := self.lease.left) <= self._interval:
                place = f"s3://{self.lease.bucket}/{self.lease.key}"
                silence = StoreError(f"{place}: no answer to the heartbeats; {left:.0f} s of the lease are left")
                self._report(self._failure or silence)

    def _report(self, error: StoreError) -> None:
        with self._reporting:
            if not self._ended.is_set():
                self._ended.set()
                self._lost(error)
