"""The HTTP servers of the tests: a handler that writes whole answers, a server in a thread, and requests passed on.

Not `http.py`: forkserver.py runs as a script from this directory and imports the standard library's.
"""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BLOCK = 1 << 16
AWS_JSON = "application/x-amz-json-1.1"
HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive")


class Handler(BaseHTTPRequestHandler):
    """Each request is answered by `answer_request`; nothing is logged."""

    protocol_version = "HTTP/1.1"

    def answer_request(self) -> None:
        """Read what is needed of the request, and answer it."""
        raise NotImplementedError

    def _answer_any(self) -> None:
        self.answer_request()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer_any  # noqa: N815  # http.server names them so

    def read_blocks(self) -> Iterator[bytes]:
        """The body as it comes in, by chunks or by its length; ConnectionError where the client hangs up in a chunk."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := self._read_chunk_size():
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left and (block := self.rfile.read(min(left, BLOCK))):
            left -= len(block)
            yield block

    def _read_chunk_size(self) -> int:
        line = self.rfile.readline()
        if not line:
            raise ConnectionError
        return int(line.partition(b";")[0], 16)

    def read_body(self) -> bytes:
        """The whole body."""
        return b"".join(self.read_blocks())

    def send_head(self, status: int, headers: Mapping[str, str]) -> None:
        """Status and headers; the date is that of `headers`, where they have one."""
        self.send_response_only(status)
        if "date" not in {name.lower() for name in headers}:
            self.send_header("Date", self.date_time_string())
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """A whole answer, without its body where the request is a HEAD."""
        self.send_head(status, {"Content-Length": str(len(body)), **headers})
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        """An answer of AWS's, unless `headers` have another Content-Type."""
        self.send(status, json.dumps(value).encode(), {"Content-Type": AWS_JSON, **(headers or {})})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server names it so
        """Nothing."""


class Server(ThreadingHTTPServer):
    """A thread for each connection; a client that hangs up is no error."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong, unless the client has gone."""
        with suppress(OSError, http.client.HTTPException):
            raise  # noqa: PLE0704  # the one that is being handled
        super().handle_error(request, client_address)


@contextmanager
def serve(handler: type[Handler], **attributes: Any) -> Iterator[str]:
    """Serve on a free port until the block ends; the URL. Each handler has these attributes."""
    with Server(("127.0.0.1", 0), type("BoundHandler", (handler,), attributes)) as server, in_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"


@contextmanager
def in_thread(server: Server) -> Iterator[None]:
    """Serve in a thread until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def forward(
    netloc: str, method: str, path: str, body: Any, headers: Mapping[str, str], *, timeout: float = 120
) -> Iterator[http.client.HTTPResponse]:
    """Send a request to another server; its answer, to be read within the block. A body of blocks is sent chunked."""
    chunked = not isinstance(body, bytes | None)
    with closing(http.client.HTTPConnection(netloc, timeout=timeout)) as connection:
        connection.request(method, path, body, dict(headers), encode_chunked=chunked)
        yield connection.getresponse()


def passed_headers(answer: http.client.HTTPResponse) -> dict[str, str]:
    """The headers of an answer that are not about its connection or length."""
    return {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
