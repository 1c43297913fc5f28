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
    from collections.abc import Generator
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
    """An object; size and ETag as listed or fetched, else -1 and nothing."""

    bucket: str
    key: str
    size: int = -1
    etag: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{safe_name(self.key)}"


class WrongContentError(Exception):
    """An object that changed while it was read, or arrived damaged."""


class Download(NamedTuple):
    """Where an object goes: its calls, where it comes from, and an open file."""

    session: Session
    source: StoredObject
    fd: int


def download(session: Session, source: StoredObject, beside: str, path: str) -> StoredObject:
    """Fetch an object into `beside`, and rename that to `path` once it is whole and right; which one it was."""
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


def _fetch_until_right(session: Session, source: StoredObject, beside: str) -> StoredObject:
    wrong, current = "", source
    for attempt in range(1, TRIES + 1):
        symlinks.remove_tree(beside)
        fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            return _fetch_and_check(Download(session, current, fd))
        except WrongContentError as error:
            wrong, current = str(error), source._replace(size=-1, etag="")
            session.effects.say(f"{source}: {wrong}; fetch {attempt} of {TRIES}")
        finally:
            os.close(fd)
    hint = "nobody may store it during a run" if wrong == WAS_CHANGED else "store it again from where it came"
    raise StoreError(f"{source}: {wrong}, {TRIES} times", hint)


def _fetch_and_check(sink: Download) -> StoredObject:
    """Fetch the object; each range of it is checked when it is complete, while others arrive."""
    from contextlib import closing

    with closing(_fetch_ranges(sink)) as answers:
        first = next(answers)
        known = checksum.expected_checksum(first)
        running, end = RunningChecksum(known.kind), 0
        for answer in chain([first], answers):
            start, end = end, end + answer["ContentLength"]
            running.feed_file(sink.fd, start, end)
    if running.value != known.value:
        raise WrongContentError(f"its {known.kind} is {running.value}, expected {known.value}")
    return sink.source._replace(size=end, etag=first["ETag"])


def _fetch_ranges(sink: Download) -> Generator[Any]:
    """The first answer for each range, in order, each when all of it has come; a small object in a single call."""
    size = sink.source.size
    if size < LARGE:
        yield _fetch_range(sink)
        return
    starts = range(0, size, RANGE)
    yield from map_concurrently(lambda start: _fetch_range(sink, start, min(start + RANGE, size)), starts, WORKERS)


def _fetch_range(sink: Download, start: int = 0, end: int = -1) -> Any:
    """One range (without an end: all of it), gone on with after each cut; S3's first answer for it."""
    first = answer = _get(sink, start, end, sink.source.etag if end >= 0 else "")
    at, idle, end = start, 0, start + first["ContentLength"]
    while True:
        before = at
        at, cut = _copy(sink, answer.pop("Body"), at)
        if at >= end:
            return first
        idle = 0 if at > before else idle + 1
        say = f"S3 GetObject: {safe_name(sink.source.key)}: {cut} after {at - start:,} of {end - start:,} bytes"
        if idle >= retry.ATTEMPTS:
            raise StoreError(f"{sink.source}: {say}, and nothing more in {idle} attempts", "run it again")
        effects, wait = sink.session.effects, retry.delay(max(1, idle))
        effects.say(f"{say}; going on from there in {wait:.1f} s")
        effects.pause(wait)
        answer = _get(sink, at, end, first["ETag"])


def _get(sink: Download, start: int, end: int, etag: str) -> Any:
    """Ask for a range of the object as it was with this ETag; without one, for all of it."""
    request = {"Bucket": sink.source.bucket, "Key": sink.source.key}
    if etag:
        request |= {"Range": f"bytes={start}-{end - 1}", "IfMatch": etag}
    if answer := sink.session.call(S3, "get_object", allow=CHANGED, **request):
        return answer
    raise WrongContentError(WAS_CHANGED)


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
