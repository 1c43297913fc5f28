"""Checksums: what our own puts leave beside an object, and what S3 says of others'."""

from __future__ import annotations

import os
import re

from handoff_runtime.aws.session import S3
from handoff_runtime.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from handoff_runtime.aws.session import Session

BLOCK = 1 << 18
PART = 8 << 20
MOST_PARTS = 10_000
SHA256 = "sha256"  # the name in an object's metadata
MD5 = re.compile(r'"([0-9a-f]{32})(-[0-9]+)?"')


class ExpectedChecksum(NamedTuple):
    """A checksum an object is known to have: which kind, and its hex digits; an empty kind where it has none."""

    kind: str
    value: str


def expected_checksum(answer: Mapping[str, Any]) -> ExpectedChecksum:
    """Our own SHA-256, else S3's checksum of the whole object, else an ETag that is an MD5."""
    if ours := answer.get("Metadata", {}).get(SHA256):
        return ExpectedChecksum("sha256", ours)
    import binascii

    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    if headers.get("x-amz-checksum-type", "FULL_OBJECT") == "FULL_OBJECT":
        for kind in ("sha256", "sha1", "crc32"):
            value = headers.get(f"x-amz-checksum-{kind}", "")
            if value and "-" not in value:
                try:
                    return ExpectedChecksum(kind, binascii.a2b_base64(value).hex())
                except binascii.Error:
                    return ExpectedChecksum(kind, value)
    if (etag := MD5.fullmatch(answer.get("ETag", ""))) and not etag[2] and not is_encrypted(answer):
        return ExpectedChecksum("md5", etag[1])
    return ExpectedChecksum("", "")


def is_encrypted(answer: Mapping[str, Any]) -> bool:
    """Whether by a key that makes the ETag something else than an MD5 (S3 API Reference, "Object")."""
    return "kms" in str(answer.get("ServerSideEncryption", "")) or "SSECustomerAlgorithm" in answer


def has_other_etag(answer: Mapping[str, Any], content: FileContent) -> bool:
    """Whether the ETag S3 answered to a put is that of another content; one that is no MD5 does not differ."""
    etag = answer.get("ETag", "")
    return bool(MD5.fullmatch(etag)) and not is_encrypted(answer) and etag != content.etag


def stored_sha256(session: Session, bucket: str, key: str) -> str:
    """The SHA-256 that our own put left beside an object; empty where there is none, or no object."""
    head = session.call(S3, "head_object", allow=("404",), Bucket=bucket, Key=key)
    return str(head.get("Metadata", {}).get(SHA256, "")) if head else ""


class RunningChecksum:
    """A checksum that grows with what it is fed; of an empty kind, which has none, nothing is read."""

    def __init__(self, kind: str) -> None:
        import hashlib

        self._kind, self._crc = kind, 0
        self._hash = hashlib.new(kind, usedforsecurity=False) if kind not in ("", "crc32") else None

    def feed_file(self, fd: int, start: int, end: int) -> None:
        """Go on with these bytes of a file."""
        import zlib

        while self._kind and start < end and (block := os.pread(fd, min(BLOCK, end - start), start)):
            if self._hash is not None:
                self._hash.update(block)
            else:
                self._crc = zlib.crc32(block, self._crc)
            start += len(block)

    @property
    def value(self) -> str:
        """As hex digits."""
        return self._hash.hexdigest() if self._hash is not None else f"{self._crc:08x}" if self._kind else ""


class FileContent(NamedTuple):
    """What a file holds: size, SHA-256, and the MD5 of each part it would be sent in."""

    size: int
    sha256: str
    parts: tuple[bytes, ...]

    @property
    def etag(self) -> str:
        """What S3 calls this content when it has come in these parts and no key of one's own encrypts it."""
        import hashlib

        if len(self.parts) == 1:
            return f'"{self.parts[0].hex()}"'
        return f'"{hashlib.md5(b"".join(self.parts), usedforsecurity=False).hexdigest()}-{len(self.parts)}"'


def part_size(size: int) -> int:
    """Bytes of each part of a file so large; a multiple of PART, at most 10,000 parts."""
    return PART * max(1, -(-size // (PART * MOST_PARTS)))


def read_content(fd: int, *, whole: bool = False) -> FileContent:
    """Read a file through once; `whole`: it will be sent in one piece however large it is."""
    import hashlib

    size = os.fstat(fd).st_size
    step = max(size, 1) if whole else part_size(size)
    sha, parts = hashlib.sha256(), []
    for start in range(0, max(size, 1), step):
        md5 = hashlib.md5(usedforsecurity=False)
        for at in range(start, min(start + step, size), BLOCK):
            block = os.pread(fd, min(BLOCK, start + step - at), at)
            sha.update(block)
            md5.update(block)
        parts.append(md5.digest())
    return FileContent(size, sha.hexdigest(), tuple(parts))
