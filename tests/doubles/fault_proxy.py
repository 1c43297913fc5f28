"""An HTTP proxy between boto3 and a server, with the faults of networks and services."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from doubles import protocols
from doubles.http_server import Handler, forward, passed_headers, serve
from doubles.protocols import FORM, Call, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse

FOREVER = 1 << 30
NOT_PASSED = ("expect", "transfer-encoding")  # of a request, whose body is sent whole
BY_PROXY = "by the proxy"


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
        proxy = cls("", owner)
        with serve(_Handler, proxy=proxy, upstream=urlsplit(server).netloc) as proxy.url:
            yield proxy

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


class _Handler(Handler):
    proxy: Proxy
    upstream: str

    def answer_request(self) -> None:
        what = f"{unquote(self.path)} {self.headers.get('X-Amz-Target', '')}"
        named = "X-Amz-Target" in self.headers or self.headers.get("Content-Type", "").startswith(FORM)
        body = self.read_body() if named else b""  # what it is called by is in there
        call = protocols.read(self.command, self.path, dict(self.headers), body)
        faults = {fault.kind: fault for fault in self.proxy.chosen(self.command, what, call)}
        for fault in faults.values():
            if fault.then:
                fault.then()
        if wait := faults.get("wait"):
            time.sleep(wait.seconds)
        if cut := faults.get("cut-upload"):
            if not named:
                self.rfile.read(min(int(self.headers.get("Content-Length") or 0), cut.after))
            self._hang_up()
            return
        body = body if named else self.read_body()
        if answer := faults.get("answer"):
            refusal = answer.refusal(call) if answer.refusal else Refusal(answer.status, answer.code, BY_PROXY)
            self._refuse(refusal, call)
            return
        self._forward(call, _spoiled(body) if "spoil-upload" in faults else body, faults)

    def _forward(self, call: Call, body: bytes, faults: dict[str, Fault]) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED}
        with forward(self.upstream, self.command, self.path, body, headers, timeout=60) as answer:
            content = answer.read()
            if "lose" in faults:
                self._hang_up()
            elif "hide" in faults and answer.status == 404 and self.command in ("GET", "HEAD"):
                faults["hide"].hidden += 1
                self._refuse(Refusal(403, "AccessDenied", BY_PROXY), call)
            else:
                self._pass_on(answer, content, faults)

    def _pass_on(self, answer: HTTPResponse, content: bytes, faults: dict[str, Fault]) -> None:
        headers = {name: _moved(name, value, faults.get("clock")) for name, value in passed_headers(answer).items()}
        size = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        content = _spoiled(content) if "spoil" in faults else content
        cut = faults.get("cut")
        self.send(answer.status, content[: cut.after] if cut else content, {**headers, "Content-Length": size or "0"})
        if cut and cut.after < len(content):
            self._hang_up()

    def _refuse(self, refusal: Refusal, call: Call) -> None:
        body, kind = protocols.written(refusal, call.protocol)
        self.send(refusal.status, body, {"Content-Type": kind})

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
