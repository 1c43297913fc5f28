"""The state in S3: replaced only by who knows what it replaces (compare-and-swap on its ETag)."""

from __future__ import annotations

import os
import time

from handoff_runtime import s3_keys, state, workspace
from handoff_runtime.aws.checksum import SHA256, read_content
from handoff_runtime.aws.download import StoredObject, download
from handoff_runtime.aws.session import S3, Session
from handoff_runtime.aws.upload import MOST_AT_ONCE, UploadTarget, upload
from handoff_runtime.errors import StoreError
from handoff_runtime.namedtuple import NamedTuple

EMPTY = (b"", b"{}")  # what says nothing of where a run came to, spaces aside
SHORT = 64


class StoredState(NamedTuple):
    """The state a run starts from: its ETag, bytes, and whether it says anything."""

    etag: str
    size: int
    full: bool


def fetch_state(session: Session, bucket: str, stack: str, path: str) -> StoredState | None:
    """Fetch the state into a file; None, and no file, where none is stored."""
    key = s3_keys.state(stack)
    listed = session.call(S3, "list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", ())
    if not listed or listed[0]["Key"] != key:  # HEAD would say the same of a bucket that is not there
        return None
    source = StoredObject(bucket, key, listed[0]["Size"], listed[0]["ETag"])
    got = download(session, source, f"{path}.new", path)
    return StoredState(got.etag, got.size, has_content(path))


def replace_state(session: Session, bucket: str, stack: str, path: str, base: StoredState | None) -> StoredState:
    """Replace the state the run began with (None: there was none) by a file; StoreError when it is another by now."""
    place = f"s3://{bucket}/{s3_keys.state(stack)}"
    says = has_content(path)
    if base is not None and base.full and not says:
        raise StoreError(f"{place}: an empty state found, which may not replace one of {base.size:,} bytes")
    condition = {"IfMatch": base.etag} if base else {"IfNoneMatch": "*"}
    size = os.stat(path).st_size
    target = UploadTarget(bucket, s3_keys.state(stack), condition, whole=size <= MOST_AT_ONCE)
    etag = upload(session, path, target, os.path.realpath(os.path.dirname(path)))
    if etag is None:  # unless what is stored is this very content: our own put, whose answer was lost
        found = session.call(S3, "head_object", allow=("404",), Bucket=bucket, Key=s3_keys.state(stack))
        with workspace.open_output(path) as file:
            if found and found.get("Metadata", {}).get(SHA256) == read_content(file.fileno()).sha256:
                etag = str(found["ETag"])
    if etag is None:
        message = f"{place}: another run stored a newer state since this one began; this run's state is not stored"
        raise StoreError(message, "this run's state is below its runs/; the other run: invoke history")
    return StoredState(etag, size, says)


def has_content(path: str) -> bool:
    """Whether a state says anything: more than spaces or an empty object."""
    try:
        with workspace.open_output(path) as file:
            return file.read(SHORT).strip() not in EMPTY or os.fstat(file.fileno()).st_size > SHORT
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}, a state to store expected") from None


INTERVAL, PUT_INTERVAL = 2.0, 30.0  # seconds between two looks, and between two puts
CHECKPOINT = f"{workspace.STATE}.emitted"


class StateCheckpoints:
    """Looks in a thread of its own; `base` is the state as it is stored."""

    def __init__(
        self,
        session: Session,
        bucket: str,
        stack: str,
        base: StoredState | None,
        *,
        interval: float | None = None,
        put_interval: float | None = None,
    ) -> None:
        import threading

        self.base = base
        self._session, self._bucket, self._stack = session, bucket, stack
        self._interval = INTERVAL if interval is None else interval
        self._put_interval = PUT_INTERVAL if put_interval is None else put_interval
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emitted", daemon=True)
        self._thread.start()

    def stop(self) -> StoredState | None:
        """Look no more; the state as it is stored."""
        self._ended.set()
        self._thread.join()
        return self.base

    def _run(self) -> None:
        last, put_at = b"", -self._put_interval
        while not self._ended.wait(self._interval):
            try:
                value = state.last_emitted()
                if not value or value == last or time.monotonic() - put_at < self._put_interval:
                    continue
                put_at = time.monotonic()
                with open(workspace.create_file(CHECKPOINT), "wb") as file:
                    file.write(value)
                try:
                    self.base = replace_state(self._session, self._bucket, self._stack, CHECKPOINT, self.base)
                finally:
                    os.unlink(CHECKPOINT)
                last = value
            except (OSError, StoreError) as error:
                self._session.effects.say(f"state not stored yet: {getattr(error, 'message', error)}")
