"""A proxy before moto's ECS and ECR: operations that moto lacks, or does otherwise, are registered here.

LocalStack passes the requests on that it gets for both (localstack_ecs/gateway.py), with the account in a header.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from doubles.http_server import Handler, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Operation = Callable[["Request"], Any]

ACCOUNT = "x-moto-account-id"
SCOPE = re.compile(r"Credential=[^/]+/[^/]+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
KEPT = ("authorization", "content-type", "x-amz-date", "x-amz-target", ACCOUNT)


class Refused(Exception):  # noqa: N818  # an answer of AWS, not a fault of ours
    """An answer that is an error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Request:
    """One call: whose it is, what it asks, and how to ask moto the same or something else."""

    moto: str
    account: str
    region: str
    service: str
    target: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def operation(self) -> str:
        """The name, as `RunTask`."""
        return self.target.rpartition(".")[2]

    def with_(self, operation: str | None = None, /, **changed: Any) -> Request:
        """The same with other values, or another operation with these values only; None takes one away."""
        target = f"{self.target.rpartition('.')[0]}.{operation or self.operation}"
        merged = {**({} if operation else self.body), **changed}
        return replace(self, target=target, body={key: value for key, value in merged.items() if value is not None})

    def send(self) -> Any:
        """What moto says."""
        headers = {**self.headers, "x-amz-target": self.target}
        asked = urllib.request.Request(self.moto, json.dumps(self.body).encode(), headers)  # noqa: S310  # moto's
        try:
            with urllib.request.urlopen(asked, timeout=60) as said:  # noqa: S310  # the same
                return json.load(said)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.code, error.read()) from None


def _refusal(status: int, body: bytes) -> Refused:
    try:
        said = json.loads(body)
    except ValueError:
        return Refused("ServerException", f"moto: {body.decode(errors='replace')[-500:]}", status)
    return Refused(said.get("__type", "ServerException"), said.get("message") or said.get("Message") or "", status)


@dataclass
class MotoProxy:
    """The operations and GET paths that are answered here instead of by moto."""

    moto: str
    operations: dict[tuple[str, str], Operation] = field(default_factory=dict)
    pages: dict[str, Callable[[str], Any]] = field(default_factory=dict)
    url: str = ""

    def register(self, service: str, operations: Mapping[str, Operation]) -> None:
        """Answer these operations of a service."""
        self.operations.update({(service, name): operation for name, operation in operations.items()})

    def answer(self, request: Request) -> Any:
        """Whoever is registered, else moto."""
        operation = self.operations.get((request.service, request.operation))
        return operation(request) if operation else request.send()

    def ask(self, account: str, region: str, service: str, target: str, body: Mapping[str, Any]) -> Any:
        """Ask moto on behalf of an account."""
        scope = f"AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/{service}/aws4_request, Signature=0"
        headers = {ACCOUNT: account, "authorization": scope, "content-type": "application/x-amz-json-1.1"}
        return Request(self.moto, account, region, service, target, body, headers).send()


class _Handler(Handler):
    moto_proxy: MotoProxy

    def answer_request(self) -> None:
        if self.command == "GET":
            start, _, rest = self.path.lstrip("/").partition("/")
            page = self.moto_proxy.pages.get(start)
            self.send_json(200 if page else 404, page(rest) if page else {})
            return
        try:
            self.send_json(200, self.moto_proxy.answer(self._request(self.read_body())))
        except Refused as refused:
            self.send_json(refused.status, {"__type": refused.code, "message": refused.message})

    def _request(self, body: bytes) -> Request:
        headers = {name: self.headers[name] for name in KEPT if name in self.headers}
        scope = SCOPE.search(headers.get("authorization", ""))
        assert scope, headers
        account = headers.get(ACCOUNT, "123456789012").partition(",")[0]  # LocalStack adds it, a proxy again
        target, given = headers["x-amz-target"], json.loads(body or b"{}")
        return Request(self.moto_proxy.moto, account, scope["region"], scope["service"], target, given, headers)


@contextmanager
def serve_moto_proxy(moto: str) -> Iterator[MotoProxy]:
    """Serve one before a moto until the block ends."""
    moto_proxy = MotoProxy(moto)
    with serve(_Handler, moto_proxy=moto_proxy) as moto_proxy.url:
        yield moto_proxy
