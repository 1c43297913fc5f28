"""The door between a container and AWS: it lets through what the role of its task may do, since LocalStack asks nobody.

The session token says which task it is (fargate.py gives each its own). Known are the calls that the runtime makes and
their like; of another service a statement is asked for with the resource `*`, or an ARN that the request holds.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from doubles.policies import may
from doubles.protocols import OWNER_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from doubles.policies import Statement

SCOPE = re.compile(r"Credential=(?P<account>[^/]+)/[^/]+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
LEFT_OUT = ("connection", "transfer-encoding", "content-length", "host", "date", "server")
FREE = ("sts:GetCallerIdentity",)
ARN_OF = {
    "ssm": ("Name", "arn:aws:ssm:{region}:{account}:parameter/{value}"),
    "secretsmanager": ("SecretId", "arn:aws:secretsmanager:{region}:{account}:secret:{value}"),
}
IN_BUCKET = {
    "uploads": "s3:ListBucketMultipartUploads",
    "location": "s3:GetBucketLocation",
    "versions": "s3:ListBucketVersions",
}
METHODS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "DELETE": "s3:DeleteObject"}


@dataclass(frozen=True)
class Wish:
    """What a request wants to do to what."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def scope(self) -> Mapping[str, str]:
        """Account, region and service that it is signed for."""
        found = SCOPE.search(self.headers.get("authorization", ""))
        return found.groupdict() if found else {"account": "", "region": "", "service": ""}

    @property
    def wish(self) -> Wish:
        """What it wants."""
        if self.scope["service"] == "s3":
            return _in_s3(self)
        service = self.scope["service"]
        target = self.headers.get("x-amz-target", "").rpartition(".")[2]
        if not target:
            form = urllib.parse.parse_qs(self.body.decode(errors="replace"))
            return Wish(
                f"{service}:{form.get('Action', ['?'])[0]}",
                _arn_in(" ".join(value for values in form.values() for value in values)),
            )
        given = json.loads(self.body or b"{}")
        key, arn = ARN_OF.get(service, ("", ""))
        value = str(given.get(key, "")).lstrip("/")
        named = value if value.startswith("arn:") else arn.format(**self.scope, value=value)
        return Wish(f"{service}:{target}", named if value else _arn_in(json.dumps(given)))


def _arn_in(text: str) -> str:
    found = re.search(r"arn:aws:[^\s\"]+", text)
    return found[0] if found else "*"


def _in_s3(call: Call) -> Wish:
    path, _, query = call.path.partition("?")
    asked = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    bucket, _, key = urllib.parse.unquote(path.lstrip("/")).partition("/")
    arn, context = f"arn:aws:s3:::{bucket}", {"aws:ResourceAccount": call.scope["account"]}
    if not key:
        action = next((told for name, told in IN_BUCKET.items() if name in asked), "s3:ListBucket")
        return Wish(action, arn, {**context, **({"s3:prefix": asked["prefix"]} if "prefix" in asked else {})})
    if "uploadId" in asked and call.method in ("GET", "DELETE"):
        action = "s3:ListMultipartUploadParts" if call.method == "GET" else "s3:AbortMultipartUpload"
    else:
        action = METHODS.get(call.method, "s3:PutObject") + ("Version" if "versionId" in asked else "")
    return Wish(action, f"{arn}/{key}", context)


@dataclass
class Door:
    """Whose role allows what, and where AWS is; every bucket is of the account that calls."""

    allowed: Callable[[str], list[Statement] | None]
    endpoint: str = ""
    url: str = ""
    refused: list[tuple[str, Wish]] = field(default_factory=list)

    def lets(self, call: Call) -> bool:
        """Whether the task's role may."""
        wish = call.wish
        if call.scope["service"] == "s3" and call.headers.get(OWNER_HEADER) != call.scope["account"]:
            self.refused.append((call.scope["account"], wish))
            return False
        held = self.allowed(call.headers.get("x-amz-security-token", ""))
        good = held is not None and (wish.action in FREE or may(held, wish.action, wish.resource, wish.context))
        if not good:
            self.refused.append((call.scope["account"], wish))
        return good

    def lists(self, call: Call) -> bool:
        """Whether it may know that a key is not there: S3 tells only whom it would let list."""
        held = self.allowed(call.headers.get("x-amz-security-token", "")) or []
        return may(held, "s3:ListBucket", call.wish.resource.partition("/")[0])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    door: Door

    def handle_any(self) -> None:
        call = Call(
            self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, self._body()
        )
        if not self.door.lets(call):
            self._refuse(call)
            return
        parsed = urllib.parse.urlsplit(self.door.endpoint)
        with contextlib.closing(http.client.HTTPConnection(parsed.hostname or "", parsed.port, timeout=120)) as behind:
            headers = {name: value for name, value in call.headers.items() if name not in LEFT_OUT}
            behind.request(call.method, call.path, call.body or None, headers)
            said = behind.getresponse()
            body = said.read()
        if said.status == http.client.NOT_FOUND and call.scope["service"] == "s3" and not self.door.lists(call):
            self._refuse(call)
            return
        length = said.getheader("Content-Length") if self.command == "HEAD" else str(len(body))
        self._say(said.status, {**dict(said.getheaders()), "Content-Length": length or "0"}, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815  # their names there

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunk(self) -> bytes:
        read = self.rfile.read(int(self.rfile.readline().partition(b";")[0], 16))
        self.rfile.readline()
        return read

    def _refuse(self, call: Call) -> None:
        wish = call.wish
        told = f"User is not authorized to perform: {wish.action} on resource: {wish.resource}"
        if call.scope["service"] == "s3":
            body = f"<Error><Code>AccessDenied</Code><Message>{told}</Message></Error>".encode()
            self._say(403, {"Content-Type": "application/xml", "Content-Length": str(len(body))}, body)
            return
        body = json.dumps({"__type": "AccessDeniedException", "Message": told}).encode()
        self._say(400, {"Content-Type": "application/x-amz-json-1.1", "Content-Length": str(len(body))}, body)

    def _say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in LEFT_OUT or name == "Content-Length":
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A container that has gone is no fault."""
        with contextlib.suppress(OSError):
            raise  # noqa: PLE0704  # the one that is being handled
        super().handle_error(request, client_address)


@contextlib.contextmanager
def serve_door(allowed: Callable[[str], list[Statement] | None]) -> Iterator[Door]:
    """A door."""
    door = Door(allowed)
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"door": door})) as server:
        door.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield door
        finally:
            server.shutdown()
            thread.join()
