"""One file into one object of S3: in one call, or in parts when large; checked by S3, and by the ETag it answers."""

from __future__ import annotations

import os
from base64 import b64encode

from handoff_runtime import symlinks
from handoff_runtime.aws import checksum
from handoff_runtime.aws.checksum import PART, SHA256, FileContent
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.session import S3
from handoff_runtime.errors import StoreError
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.terminal import safe_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, BinaryIO

    from handoff_runtime.aws.session import Session

LARGE = 2 * PART
BLOCK = 1 << 18  # read at once, since botocore reads a megabyte a call
MOST_AT_ONCE = 5 << 30  # of one put (S3 User Guide, "Uploading objects")
WORKERS = 6
TRIES = 3  # of a file that changes while it is sent, or arrives damaged
LOST = ("412", "NoSuchKey")


class UploadTarget(NamedTuple):
    """Where a file goes, and on which condition: IfMatch or IfNoneMatch of the key as it is there."""

    bucket: str
    key: str
    condition: Mapping[str, str] = {}
    whole: bool = False  # in one call however large, since not every store knows conditions on parts

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{safe_name(self.key)}"


class FileSlice:
    """A part of an open file, for botocore to read, measure and rewind; nothing of it is held."""

    def __init__(self, fd: int, start: int, end: int) -> None:
        self._fd, self._start, self._size, self._at = fd, start, end - start, 0

    def __len__(self) -> int:
        return self._size

    def read(self, count: int | None = -1) -> bytes:
        """The next bytes."""
        left = self._size - self._at
        size = left if count is None or count < 0 else min(count, left, BLOCK)
        block = os.pread(self._fd, size, self._start + self._at) if size else b""
        self._at += len(block)
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place of the part."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """The place in the part."""
        return self._at


def open_to_store(path: str, within: str | None) -> BinaryIO:
    """A regular file, opened through no link that leads out of `within` (a real path)."""
    try:
        return open(symlinks.open_file(path, within), "rb")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}, a file to store expected") from None


def upload(session: Session, path: str, target: UploadTarget, within: str | None = None) -> str | None:
    """Store a file; the ETag it has there, or None where the condition does not hold (any more).

    No link is followed out of `within` (a real path).
    """
    with open_to_store(path, within) as file:
        for attempt in range(1, TRIES + 1):
            content = checksum.read_content(file.fileno(), whole=target.whole)
            put = _put_object if target.whole or content.size < LARGE else _put_parts
            answer = put(session, file.fileno(), content, target)
            if answer is None or not checksum.has_other_etag(answer, content):
                return answer and str(answer["ETag"])
            session.effects.say(f"{target}: arrived as {answer['ETag']}, sent {content.etag}; put {attempt} of {TRIES}")
            target = target._replace(condition={"IfMatch": answer["ETag"]} if target.condition else {})
    raise StoreError(f"{target}: what arrived is not {path}, {TRIES} times", "run it again when nothing writes to it")


def _put_object(session: Session, fd: int, content: FileContent, target: UploadTarget) -> Any:
    return session.call(
        S3,
        "put_object",
        allow=LOST if target.condition else (),
        Bucket=target.bucket,
        Key=target.key,
        Body=FileSlice(fd, 0, content.size),
        ContentMD5=b64encode(content.parts[0]).decode(),
        Metadata={SHA256: content.sha256},
        **target.condition,
    )


def _put_parts(session: Session, fd: int, content: FileContent, target: UploadTarget) -> Any:
    step = checksum.part_size(content.size)

    def put_part(part: Mapping[str, Any]) -> str:
        end = part["PartNumber"] * step
        md5 = b64encode(content.parts[part["PartNumber"] - 1]).decode()
        body = FileSlice(fd, end - step, min(end, content.size))
        return str(session.call(S3, "upload_part", **part, Body=body, ContentMD5=md5)["ETag"])

    return put_in_parts(session, target, len(content.parts), put_part, Metadata={SHA256: content.sha256})


def put_in_parts(
    session: Session,
    target: UploadTarget,
    count: int,
    put_part: Callable[[Mapping[str, Any]], str],
    *,
    workers: int = WORKERS,
    **more: Any,
) -> Any:
    """Create an object of parts, several at a time; `put_part` sends the part of a request, and returns its ETag.

    What was sent is thrown away when a part cannot be, or the condition of the target does not hold: parts nobody
    completes cost money until a lifecycle rule finds them.
    """
    place = {"Bucket": target.bucket, "Key": target.key}
    place["UploadId"] = session.call(S3, "create_multipart_upload", **place, **more)["UploadId"]

    def put(number: int) -> dict[str, Any]:
        part = {"PartNumber": number}
        return {**part, "ETag": put_part({**place, **part})}

    complete = None
    try:
        done = {"Parts": list(map_concurrently(put, range(1, count + 1), workers))}
        codes = LOST if target.condition else ()
        complete = session.call(
            S3, "complete_multipart_upload", allow=codes, **place, MultipartUpload=done, **target.condition
        )
    finally:
        if complete is None:
            try:
                session.call(S3, "abort_multipart_upload", allow=("NoSuchUpload",), **place)
            except StoreError as error:
                session.effects.say(f"{error.message}; parts of an upload are left there")
    return complete
