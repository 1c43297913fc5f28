"""A small HTTP proxy between boto3 and a server, which does what networks and services do on bad days."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from doubles import protocols
from doubles.protocols import FORM, Call, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 1 << 16
FOREVER = 1 << 30
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass
class Fault:
    """What goes wrong with the calls it fits.

    `answer`: with `status` and `code`, or what `refusal` makes of the call, without asking the server; `cut`: the answer's body ends after `after`
    bytes; `cut-upload`: the request's does; `hide`: a key that is not there is refused, as S3 does to who may list
    only below a prefix; `lose`: the server does it, and nobody is told; `spoil`: a byte of the answer's body is
    another; `spoil-upload`: of the request's; `wait`: for `seconds`; `clock`: the server's clock is off by `seconds`;
    `pass`: nothing but what `then` does, which is called when the request arrives.
    """

    kind: str
    method: str = ""
    path: str = ""  # a part of the path, or of what SSM is asked for
    wants: Callable[[Call], bool] | None = None
    every: int = 1  # n-th call that fits
    times: int = FOREVER
    status: int = 500
    code: str = "InternalError"
    refusal: Callable[[Call], Refusal] | None = None
    after: int = 0
    seconds: float = 0.0
    then: Callable[[], object] | None = None
    seen: int = 0
    done: int = 0
    hidden: int = 0

    def fits(self, method: str, what: str, call: Call) -> bool:
        """Whether to act on this call, counted."""
        if self.method not in ("", method) or self.path not in what:
            return False
        if self.wants and not self.wants(call):
            return False
        self.seen += 1
        acts = self.seen % self.every == 0 and self.done < self.times
        self.done += acts
        return acts


@dataclass
class Proxy:
    """Its address, the faults it has at present, and the calls that went through it.

    With an `owner` it refuses each call of S3 that does not expect its bucket to be of this account.
    """

    url: str
    owner: str = ""
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    passed: list[Call] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    @contextmanager
    def to(cls, server: str, owner: str = "") -> Iterator[Proxy]:
        """Start one before a server; it ends with the block."""
        listening = _Server(("127.0.0.1", 0), _Handler)
        proxy = cls(f"http://127.0.0.1:{listening.server_address[1]}", owner)
        listening.proxy, listening.upstream = proxy, urlsplit(server).netloc
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy
        finally:
            listening.shutdown()
            thread.join()
            listening.server_close()

    def fault(self, kind: str, **fields: object) -> Fault:
        """From now on this goes wrong too."""
        made = Fault(kind, **fields)  # type: ignore[arg-type]  # the fields are checked by the dataclass
        self.faults.append(made)
        return made

    def chosen(self, method: str, what: str, call: Call) -> list[Fault]:
        """The faults of one call."""
        with self.lock:
            self.calls.append(f"{method} {what}")
            if self.owner and call.protocol == protocols.S3 and call.owner != self.owner:
                return [Fault("answer", status=403, code="AccessDenied")]
            found = [fault for fault in self.faults if fault.fits(method, what, call)]
            if not any(fault.kind == "answer" for fault in found):
                self.passed.append(call)
            return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: Proxy
    upstream: str

    def handle_error(self, _request: object, _address: object) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _handle(self) -> None:
        what = f"{unquote(self.path)} {self.headers.get('X-Amz-Target', '')}"
        size = int(self.headers.get("Content-Length") or 0)
        named = "X-Amz-Target" in self.headers or self.headers.get("Content-Type", "").startswith(FORM)
        read = self.rfile.read(size) if named else b""  # what it is called by is in there
        call = protocols.read(self.command, self.path, dict(self.headers), read)
        faults = {fault.kind: fault for fault in self.server.proxy.chosen(self.command, what, call)}
        for fault in faults.values():
            if fault.then:
                fault.then()
        if wait := faults.get("wait"):
            time.sleep(wait.seconds)
        if cut := faults.get("cut-upload"):
            self.rfile.read(0 if named else min(size, cut.after))
            self._hang_up()
            return
        body = read if named else self.rfile.read(size)
        if answer := faults.get("answer"):
            self._answer(answer, call)
            return
        if "spoil-upload" in faults:
            body = _spoiled(body)
        self._forward(body, faults)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815  # http.server names them so

    def _forward(self, body: bytes, faults: dict[str, Fault]) -> None:
        connection = HTTPConnection(self.server.upstream, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            if "lose" in faults:
                answer.read()
                self._hang_up()
            elif "hide" in faults and answer.status == 404 and self.command in ("GET", "HEAD"):
                answer.read()
                faults["hide"].hidden += 1
                self._refuse(Fault("answer", status=403, code="AccessDenied"))
            else:
                self._pass_on(answer, faults)
        finally:
            connection.close()

    def _pass_on(self, answer: HTTPResponse, faults: dict[str, Fault]) -> None:
        content = b"" if self.command == "HEAD" else answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, _moved(name, value, faults.get("clock")))
        size = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", size or "0")
        self.end_headers()
        content = _spoiled(content) if "spoil" in faults else content
        cut = faults.get("cut")
        self.wfile.write(content[: cut.after] if cut else content)
        if cut and cut.after < len(content):
            self._hang_up()

    def _answer(self, fault: Fault, call: Call) -> None:
        if fault.refusal is None:
            self._refuse(fault)
            return
        refusal = fault.refusal(call)
        body, kind = protocols.written(refusal, call.protocol)
        self.send_response_only(refusal.status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def _refuse(self, fault: Fault) -> None:
        """An error as the service would write it."""
        if self.headers.get("X-Amz-Target"):
            body = json.dumps({"__type": fault.code, "message": "by the proxy"}).encode()
        else:
            body = f"<Error><Code>{fault.code}</Code><Message>by the proxy</Message></Error>".encode()
        self.send_response_only(fault.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _spoiled(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1]) if content else content


def _moved(name: str, value: str, clock: Fault | None) -> str:
    if clock is None or name.lower() not in ("date", "last-modified"):
        return value
    return format_datetime(parsedate_to_datetime(value) + timedelta(seconds=clock.seconds), usegmt=True)
