"""A proxy between a container and AWS: it refuses what the role of its task does not allow, since LocalStack does not.

The session token says which task it is (fargate.py gives each its own). Known are the calls that the runtime makes and
their like; of another service a statement is asked for with the resource `*`, or an ARN that the request holds.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doubles.http_server import Handler, forward, passed_headers, serve
from doubles.policies import may
from doubles.protocols import JSON, OWNER_HEADER, S3, Refusal, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from doubles.policies import Statement

SCOPE = re.compile(r"Credential=(?P<account>[^/]+)/[^/]+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
LEFT_OUT = ("connection", "transfer-encoding", "content-length", "host", "date", "server")  # of a request
FREE = ("sts:GetCallerIdentity",)
ARN_OF = {
    "ssm": ("Name", "arn:aws:ssm:{region}:{account}:parameter/{value}"),
    "secretsmanager": ("SecretId", "arn:aws:secretsmanager:{region}:{account}:secret:{value}-AbCdEf"),
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
        value = str(given.get(key) or ",".join(given.get("Names", ())[:1])).lstrip("/")  # of several, the first
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
        action = next((action for name, action in IN_BUCKET.items() if name in asked), "s3:ListBucket")
        return Wish(action, arn, {**context, **({"s3:prefix": asked["prefix"]} if "prefix" in asked else {})})
    if "uploadId" in asked and call.method in ("GET", "DELETE"):
        action = "s3:ListMultipartUploadParts" if call.method == "GET" else "s3:AbortMultipartUpload"
    else:
        action = METHODS.get(call.method, "s3:PutObject") + ("Version" if "versionId" in asked else "")
    if found := call.headers.get("x-amz-tagging"):  # of a single tag
        context["s3:RequestObjectTagKeys"] = found.partition("=")[0]
    return Wish(action, f"{arn}/{key}", context)


@dataclass
class IamProxy:
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
        actions = (wish.action, *(("s3:PutObjectTagging",) if "x-amz-tagging" in call.headers else ()))
        good = held is not None and (
            wish.action in FREE or all(may(held, each, wish.resource, wish.context) for each in actions)
        )
        if not good:
            self.refused.append((call.scope["account"], wish))
        return good

    def lists(self, call: Call) -> bool:
        """Whether it may know that a key is not there: S3 tells only whom it would let list."""
        held = self.allowed(call.headers.get("x-amz-security-token", "")) or []
        return may(held, "s3:ListBucket", call.wish.resource.partition("/")[0])


class _Handler(Handler):
    iam_proxy: IamProxy

    def answer_request(self) -> None:
        received = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, self.path, received, self.read_body())
        if not self.iam_proxy.lets(call):
            self._refuse(call)
            return
        headers = {name: value for name, value in received.items() if name not in LEFT_OUT}
        netloc = urllib.parse.urlsplit(self.iam_proxy.endpoint).netloc
        with forward(netloc, call.method, call.path, call.body or None, headers) as answer:
            body = answer.read()
        if answer.status == http.client.NOT_FOUND and call.scope["service"] == "s3" and not self.iam_proxy.lists(call):
            self._refuse(call)
            return
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(body))
        self.send(answer.status, body, {**passed_headers(answer), "Content-Length": length or "0"})

    def _refuse(self, call: Call) -> None:
        wish, in_s3 = call.wish, call.scope["service"] == "s3"
        text = f"User is not authorized to perform: {wish.action} on resource: {wish.resource}"
        refusal = Refusal(403, "AccessDenied", text) if in_s3 else Refusal(400, "AccessDeniedException", text)
        content, kind = written(refusal, S3 if in_s3 else JSON)
        self.send(refusal.status, content, {"Content-Type": kind})


@contextlib.contextmanager
def serve_iam_proxy(allowed: Callable[[str], list[Statement] | None]) -> Iterator[IamProxy]:
    """Serve one until the block ends."""
    iam_proxy = IamProxy(allowed)
    with serve(_Handler, iam_proxy=iam_proxy) as iam_proxy.url:
        yield iam_proxy
