"""Calls of AWS as they come over the wire, by what IAM calls them; and refusals as each service writes them.

https://smithy.io/2.0/aws/protocols/: query (form in, XML out), json (X-Amz-Target), S3's XML, Scheduler's REST.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

SCOPE = re.compile(r"Credential=(?P<key>[^/]+)/[^/]+/[^/]+/(?P<service>[^/]+)/")
FORM = "application/x-www-form-urlencoded"
QUERY, JSON, S3 = "query", "json", "s3"
RATE = "Rate exceeded"
OWNER_HEADER = "x-amz-expected-bucket-owner"
OF_BUCKET = {
    "HEAD": "HeadBucket",
    "DELETE": "DeleteBucket",
    "PUT": "CreateBucket",
    "GET ?list-type": "ListObjectsV2",
    "GET ?tagging": "GetBucketTagging",
    "GET ?uploads": "ListMultipartUploads",
    "GET ?versioning": "GetBucketVersioning",
    "GET ?versions": "ListObjectVersions",
    "POST ?delete": "DeleteObjects",
}
OF_OBJECT = {
    "HEAD": "HeadObject",
    "GET": "GetObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "DELETE ?uploadId": "AbortMultipartUpload",
    "POST ?uploads": "CreateMultipartUpload",
    "POST ?uploadId": "CompleteMultipartUpload",
    "PUT ?partNumber": "UploadPart",
}
# what a call is about, by the first of these that its request has
ABOUT = ("StackName", "TemplateURL", "Name", "cluster", "logGroupName", "logGroupNamePrefix", "repositoryName")


@dataclass(frozen=True)
class Call:
    """`cloudformation:CreateChangeSet`, what it is about, how its service speaks."""

    name: str
    about: str = ""
    protocol: str = JSON
    owner: str = ""  # the account that a bucket is expected to be of

    @property
    def service(self) -> str:
        """As IAM writes it."""
        return self.name.partition(":")[0]

    @property
    def operation(self) -> str:
        """As the API writes it."""
        return self.name.partition(":")[2]


@dataclass(frozen=True)
class Refusal:
    """An error of a service."""

    status: int
    code: str
    message: str


def read(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Which call a request is."""
    scope = SCOPE.search(headers.get("Authorization", ""))
    service = scope["service"] if scope else "unsigned"
    if headers.get("Content-Type", "").startswith(FORM):
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        return Call(f"{service}:{form.get('Action', '')}", _about(form), QUERY)
    if target := headers.get("X-Amz-Target"):
        return Call(f"{service}:{target.rpartition('.')[2]}", _about(json.loads(body or b"{}")))
    if service == "s3":
        owner = {name.lower(): value for name, value in headers.items()}.get(OWNER_HEADER, "")
        return replace(_of_s3(method, path), owner=owner)
    return Call(f"{service}:{method}", path)


def denied(call: Call, who: str = "arn:aws:iam::123456789012:user/someone") -> Refusal:
    """No permission."""
    if call.protocol == S3:
        return Refusal(403, "AccessDenied", "Access Denied")
    resource = f" on resource: {call.about}" if call.about else ""
    message = (
        f"User: {who} is not authorized to perform: {call.name}{resource} because no identity-based policy allows it"
    )
    return (
        Refusal(403, "AccessDenied", message)
        if call.protocol == QUERY
        else Refusal(400, "AccessDeniedException", message)
    )


def throttled(call: Call) -> Refusal:
    """Too many calls."""
    if call.protocol == S3:
        return Refusal(503, "SlowDown", "Please reduce your request rate.")
    return Refusal(400, "Throttling" if call.protocol == QUERY else "ThrottlingException", RATE)


def expired(call: Call) -> Refusal:
    """Keys that were good for a while."""
    said = "The security token included in the request is expired"
    if call.protocol == S3:
        return Refusal(400, "ExpiredToken", "The provided token has expired.")
    return Refusal(403, "ExpiredToken", said) if call.protocol == QUERY else Refusal(400, "ExpiredTokenException", said)


def written(refusal: Refusal, protocol: str) -> tuple[bytes, str]:
    """The body of an answer, and its type."""
    if protocol == JSON:
        return json.dumps({"__type": refusal.code, "message": refusal.message}).encode(), "application/x-amz-json-1.1"
    error = f"<Code>{refusal.code}</Code><Message>{refusal.message}</Message>"
    if protocol == S3:
        return f"<Error>{error}<RequestId>1</RequestId></Error>".encode(), "application/xml"
    kind = "Sender" if refusal.status < 500 else "Receiver"
    inner = f"<Error><Type>{kind}</Type>{error}</Error><RequestId>1</RequestId>"
    return f"<ErrorResponse>{inner}</ErrorResponse>".encode(), "text/xml"


def _about(request: Mapping[str, object]) -> str:
    """The name of a thing, of an ARN the last part that is one."""
    found = next((str(request[name]) for name in ABOUT if name in request), "")
    return found.split("/")[1] if found.startswith("arn:") else found


def _of_s3(method: str, path: str) -> Call:
    """Buckets are in the path, since they are no part of an address that is a number."""
    parts = urlsplit(path)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    table = OF_OBJECT if key else OF_BUCKET
    asked = [f"{method} ?{name}" for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    operation = next((table[each] for each in (*asked, method) if each in table), f"{method} {parts.query}")
    return Call(f"s3:{operation}", f"{bucket}/{key}" if key else bucket, S3)
