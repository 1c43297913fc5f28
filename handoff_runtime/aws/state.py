"""The state in S3: replaced only by who knows what it replaces (compare-and-swap on its ETag)."""

from __future__ import annotations

import os

from handoff_runtime import containment, keys
from handoff_runtime.aws.clients import S3
from handoff_runtime.aws.digest import SHA256, content
from handoff_runtime.aws.download import Source, download
from handoff_runtime.aws.upload import MOST_AT_ONCE, Target, upload
from handoff_runtime.errors import StoreError
from handoff_runtime.value import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handoff_runtime.aws.clients import Clients

EMPTY = (b"", b"{}")  # what says nothing of where a run came to, spaces aside
SHORT = 64


class Stored(NamedTuple):
    """The state a run starts from: its ETag, bytes, and whether it says anything."""

    etag: str
    size: int
    full: bool


def fetch(clients: Clients, bucket: str, stack: str, path: str) -> Stored | None:
    """Fetch the state into a file; None, and no file, where none is stored."""
    key = keys.state(stack)
    listed = clients.call(S3, "list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", ())
    if not listed or listed[0]["Key"] != key:  # HEAD would say the same of a bucket that is not there
        return None
    source = Source(bucket, key, listed[0]["Size"], listed[0]["ETag"])
    got = download(clients, source, f"{path}.new", path)
    return Stored(got.etag, got.size, full(path))


def put(clients: Clients, bucket: str, stack: str, path: str, base: Stored | None) -> Stored:
    """Replace the state the run began with (None: there was none) by a file; StoreError when it is another by now."""
    place = f"s3://{bucket}/{keys.state(stack)}"
    says = full(path)
    if base is not None and base.full and not says:
        raise StoreError(f"{place}: an empty state found, which may not replace one of {base.size:,} bytes")
    condition = {"IfMatch": base.etag} if base else {"IfNoneMatch": "*"}
    size = os.stat(path).st_size
    target = Target(bucket, keys.state(stack), condition, whole=size <= MOST_AT_ONCE)
    etag = upload(clients, path, target, _within(path))
    if etag is None:  # unless what is stored is this very content: our own put, whose answer was lost
        found = clients.call_unless(("404",), S3, "head_object", Bucket=bucket, Key=keys.state(stack))
        fd = containment.open_file(path, _within(path))
        try:
            if found and found.get("Metadata", {}).get(SHA256) == content(fd).sha256:
                etag = str(found["ETag"])
        finally:
            os.close(fd)
    if etag is None:
        message = f"{place}: another run stored a newer state since this one began; this run's state is not stored"
        raise StoreError(message, "it lies under runs/ of this run; see who it was: invoke history")
    return Stored(etag, size, says)


def full(path: str) -> bool:
    """Whether a state says anything: more than spaces or an empty object."""
    try:
        with open(containment.open_file(path, _within(path)), "rb") as file:
            return file.read(SHORT).strip() not in EMPTY or os.fstat(file.fileno()).st_size > SHORT
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}, a state to store expected") from None


def _within(path: str) -> str:
    """No link may lead out of the directory a state lies in."""
    return os.path.realpath(os.path.dirname(path))
