"""One file into one object of S3: in one call, or in parts when large; checked by S3, and by the ETag it answers."""

from __future__ import annotations

import os

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
    from collections.abc import Mapping
    from typing import Any

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


class OpenFile(NamedTuple):
    """An open file, and what it held when it was read."""

    fd: int
    content: FileContent


def upload(session: Session, path: str, target: UploadTarget, within: str | None = None) -> str | None:
    """Store a file; the ETag it has there, or None where the condition does not hold (any more).

    No link is followed out of `within` (a real path).
    """
    try:
        fd = symlinks.open_file(path, within)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}, a file to store expected") from None
    try:
        for attempt in range(1, TRIES + 1):
            file = OpenFile(fd, checksum.read_content(fd, whole=target.whole))
            put = _put_object if target.whole or file.content.size < LARGE else _put_parts
            answer = put(session, file, target)
            if answer is None or not checksum.has_other_etag(answer, file.content):
                return answer and str(answer["ETag"])
            session.effects.say(
                f"{target}: arrived as {answer['ETag']}, sent {file.content.etag}; put {attempt} of {TRIES}"
            )
            target = target._replace(condition={"IfMatch": answer["ETag"]} if target.condition else {})
    finally:
        os.close(fd)
    raise StoreError(f"{target}: what arrived is not {path}, {TRIES} times", "run it again when nothing writes to it")


def _put_object(session: Session, file: OpenFile, target: UploadTarget) -> Any | None:
    content = file.content
    return session.call(
        S3,
        "put_object",
        allow=LOST if target.condition else (),
        Bucket=target.bucket,
        Key=target.key,
        Body=FileSlice(file.fd, 0, content.size),
        ContentMD5=_base64(content.parts[0]),
        Metadata={SHA256: content.sha256},
        **target.condition,
    )


def _put_parts(session: Session, file: OpenFile, target: UploadTarget) -> Any | None:
    """Send the parts, several at a time; what was sent is thrown away when one cannot be."""
    place = {"Bucket": target.bucket, "Key": target.key}
    begun = session.call(S3, "create_multipart_upload", **place, Metadata={SHA256: file.content.sha256})
    place["UploadId"] = begun["UploadId"]
    step, size = checksum.part_size(file.content.size), file.content.size

    def put_part(number: int) -> dict[str, Any]:
        body = FileSlice(file.fd, (number - 1) * step, min(number * step, size))
        md5 = _base64(file.content.parts[number - 1])
        answer = session.call(S3, "upload_part", **place, PartNumber=number, Body=body, ContentMD5=md5)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    try:
        done = {"Parts": list(map_concurrently(put_part, range(1, len(file.content.parts) + 1), WORKERS))}
        codes = LOST if target.condition else ()
        complete = session.call(
            S3, "complete_multipart_upload", allow=codes, **place, MultipartUpload=done, **target.condition
        )
    except BaseException:
        _abandon(session, place)
        raise
    if complete is None:
        _abandon(session, place)
    return complete


def _abandon(session: Session, place: Mapping[str, str]) -> None:
    """Parts nobody completes cost money until a lifecycle rule finds them."""
    try:
        session.call(S3, "abort_multipart_upload", **place)
    except StoreError as error:
        session.effects.say(f"{error.message}; parts of an upload are left there")


def _base64(binary: bytes) -> str:
    import binascii

    return binascii.b2a_base64(binary, newline=False).decode()
