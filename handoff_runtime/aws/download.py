"""One object of S3 into one file: streamed, gone on with after a cut, checked, then renamed to its name."""

from __future__ import annotations

import os
from itertools import chain

from handoff_runtime import symlinks
from handoff_runtime.aws import checksum, retry
from handoff_runtime.aws.checksum import RunningChecksum
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.session import S3
from handoff_runtime.errors import StoreError
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.terminal import safe_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from typing import Any

    from handoff_runtime.aws.session import Session

BLOCK = 1 << 18
RANGE = 32 << 20  # of a large object; so many bytes are fetched by one call, and several calls at a time
LARGE = 2 * RANGE
WORKERS = 8
TRIES = 3  # of an object that changes while it is read, or arrives damaged
CHANGED = ("412", "416")
WAS_CHANGED = "changed while it was fetched"


class StoredObject(NamedTuple):
    """An object; size and ETag as listed, or -1 and nothing."""

    bucket: str
    key: str
    size: int = -1
    etag: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{safe_name(self.key)}"


class Downloaded(NamedTuple):
    """What has come: bytes, and the ETag and metadata it had."""

    size: int
    etag: str
    metadata: Mapping[str, str]


class FetchedRange(NamedTuple):
    """A range that is in the file, and S3's first answer for it."""

    answer: Mapping[str, Any]
    start: int
    end: int


class Download(NamedTuple):
    """Where an object goes: its calls, where it comes from, and an open file."""

    session: Session
    source: StoredObject
    fd: int


def download(session: Session, source: StoredObject, beside: str, path: str) -> Downloaded:
    """Fetch an object into `beside`, and rename that to `path` once it is whole and right."""
    import errno

    try:
        got = _fetch_until_right(session, source, beside)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        os.rename(beside, path)
    except OSError as error:
        message = f"{path}: {error.strerror} (while {source} was fetched), a place one can write to expected"
        hint = None
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "make room, or give the task a larger disk"
        elif error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY):
            hint = "one key is the directory of another: remove one of the two"
        raise StoreError(message, hint) from None
    finally:
        if os.path.lexists(beside):
            os.unlink(beside)
    return got


def _fetch_until_right(session: Session, source: StoredObject, beside: str) -> Downloaded:
    from contextlib import closing

    wrong, current = "", source
    for attempt in range(1, TRIES + 1):
        symlinks.remove_tree(beside)
        fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            with closing(_fetch_ranges(Download(session, current, fd))) as pieces:
                got = _check(fd, pieces)
        finally:
            os.close(fd)
        if isinstance(got, Downloaded):
            return got
        wrong, current = got, source._replace(size=-1, etag="")
        session.effects.say(f"{source}: {wrong}; fetch {attempt} of {TRIES}")
    hint = "nobody may store it during a run" if wrong == WAS_CHANGED else "store it again from where it came"
    raise StoreError(f"{source}: {wrong}, {TRIES} times", hint)


def _fetch_ranges(sink: Download) -> Generator[FetchedRange | None]:
    """The ranges of the object in their order, each when it has come; a small one in a single call."""
    size = sink.source.size
    if size < LARGE:
        yield _fetch_range(sink)
        return
    starts = range(0, size, RANGE)
    yield from map_concurrently(lambda start: _fetch_range(sink, start, min(start + RANGE, size)), starts, WORKERS)


def _check(fd: int, pieces: Iterator[FetchedRange | None]) -> Downloaded | str:
    """What has come, or what is wrong with it; each range is checked when it is complete, while others arrive."""
    first = next(pieces)
    if first is None:
        return WAS_CHANGED
    known, end = checksum.expected_checksum(first.answer), 0
    running = RunningChecksum(known.kind)
    for piece in chain([first], pieces):
        if piece is None:
            return WAS_CHANGED
        running.feed_file(fd, piece.start, piece.end)
        end = piece.end
    if running.value != known.value:
        return f"its {known.kind} is {running.value}, expected {known.value}"
    return Downloaded(end, first.answer["ETag"], first.answer.get("Metadata", {}))


def _fetch_range(sink: Download, start: int = 0, end: int = -1) -> FetchedRange | None:
    """One range (without an end: all of it), gone on with after each cut; None when the object has changed."""
    first, at, idle = _get(sink, start, end, sink.source.etag if end >= 0 else ""), start, 0
    if first is None:
        return None
    answer, end = first, start + first["ContentLength"]
    while answer is not None:
        before = at
        at, cut = _copy(sink, answer.pop("Body"), at)
        if at >= end:
            return FetchedRange(first, start, at)
        idle = 0 if at > before else idle + 1
        say = f"S3 GetObject: {safe_name(sink.source.key)}: {cut} after {at - start:,} of {end - start:,} bytes"
        if idle >= retry.ATTEMPTS:
            raise StoreError(f"{sink.source}: {say}, and nothing more in {idle} attempts", "run it again")
        effects, wait = sink.session.effects, retry.delay(max(1, idle))
        effects.say(f"{say}; going on from there in {wait:.1f} s")
        effects.pause(wait)
        answer = _get(sink, at, end, first["ETag"])
    return None


def _get(sink: Download, start: int, end: int, etag: str) -> Any | None:
    """Ask for a range of the object as it was with this ETag."""
    request = {"Bucket": sink.source.bucket, "Key": sink.source.key}
    if etag:
        request |= {"Range": f"bytes={start}-{end - 1}", "IfMatch": etag}
    return sink.session.call(S3, "get_object", allow=CHANGED, **request)


def _copy(sink: Download, body: Any, at: int) -> tuple[int, str]:
    """Write what comes; how far it came, and what cut it."""
    from botocore.exceptions import BotoCoreError

    try:
        while True:
            sink.session.effects.check()
            try:
                block = body.read(BLOCK)
            except (BotoCoreError, OSError) as error:
                return at, type(error).__name__
            if not block:
                return at, "cut"
            view = memoryview(block)
            while view:
                count = os.pwrite(sink.fd, view, at)
                view, at = view[count:], at + count
    finally:
        body.close()
