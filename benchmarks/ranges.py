"""A plain HTTP server with the calls of S3 that a fetch needs: list, get, and get of a range, straight from files.

`python benchmarks/ranges.py PORT DIRECTORY`: DIRECTORY/BUCKET/KEY is an object. It has beside it what `files.push`
leaves, its SHA-256, unless its key begins with `plain`. Nothing is checked, and no page is longer than a thousand.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BLOCK = 1 << 20
LARGE = 8 << 20  # and more is sent in parts, which one sees by the ETag
UNCHECKED = "plain"
PAGE = 1000
DATE = "2026-01-31T06:00:00.000Z"


@dataclass(frozen=True)
class Object:
    """A file, and what S3 tells of it."""

    file: Path
    size: int
    etag: str
    sha256: str


def objects(bucket: Path) -> dict[str, Object]:
    """Every object of a bucket, by key, in their order."""
    files = sorted(file for file in bucket.rglob("*") if file.is_file())
    return {file.relative_to(bucket).as_posix(): _object(file) for file in files}


def _object(file: Path) -> Object:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), file.stat().st_size
    with file.open("rb") as content:
        while block := content.read(BLOCK):
            sha256.update(block)
            md5.update(block)
    parts = f"-{-(-size // LARGE)}" if size > LARGE else ""
    return Object(file, size, f'"{md5.hexdigest()}{parts}"', sha256.hexdigest())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    buckets: dict[str, dict[str, Object]]

    def handle_error(self, _request: object, _address: object) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes, and the second would wait for an ack
    server: _Server

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """List a bucket, or send an object."""
        address = urlsplit(self.path)
        bucket, _, key = unquote(address.path).lstrip("/").partition("/")
        known = self.server.buckets.get(bucket, {})
        if key in known:
            self._send(key, known[key])
        elif not key and bucket in self.server.buckets:
            prefix = parse_qs(address.query).get("prefix", [""])[0]
            self._list(bucket, prefix, {name: found for name, found in known.items() if name.startswith(prefix)})
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"<Error><Code>NoSuchKey</Code></Error>")

    def _send(self, key: str, found: Object) -> None:
        start, end = self._range(found.size)
        self.send_response_only(HTTPStatus.OK if end - start == found.size else HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Length", str(end - start))
        self.send_header("Content-Range", f"bytes {start}-{end - 1}/{found.size}")
        self.send_header("ETag", found.etag)
        self.send_header("Last-Modified", formatdate(found.file.stat().st_mtime, usegmt=True))
        if not key.startswith(UNCHECKED):
            self.send_header("x-amz-meta-sha256", found.sha256)
        self.end_headers()
        with found.file.open("rb") as content:
            self.connection.sendfile(content, start, end - start)

    def _range(self, size: int) -> tuple[int, int]:
        asked = self.headers.get("Range", "").removeprefix("bytes=")
        first, _, last = asked.partition("-")
        return int(first or 0), min(int(last) + 1, size) if last else size

    def _list(self, bucket: str, prefix: str, found: dict[str, Object]) -> None:
        assert len(found) <= PAGE
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{DATE}</LastModified><ETag>{escape(one.etag)}</ETag>"
            f"<Size>{one.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key, one in found.items()
        )
        head = f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(found)}</KeyCount>"
        more = f"<MaxKeys>{PAGE}</MaxKeys><IsTruncated>false</IsTruncated>"
        space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        self._answer(HTTPStatus.OK, f"<ListBucketResult {space}>{head}{more}{entries}</ListBucketResult>".encode())

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(port: int, directory: Path) -> None:
    """Serve its buckets until ended."""
    buckets = {bucket.name: objects(bucket) for bucket in directory.iterdir() if bucket.is_dir()}
    server = _Server(("127.0.0.1", port), _Handler)
    server.buckets = buckets
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
