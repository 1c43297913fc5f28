"""A line at the end of an object several runs write to: read, and put back longer, unless another was faster."""

from __future__ import annotations

from handoff_runtime.aws import retry
from handoff_runtime.aws.clients import S3
from handoff_runtime.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handoff_runtime.aws.clients import Clients

TRIES = 12
LOST = ("412", "409", "NoSuchKey")


def append(clients: Clients, bucket: str, key: str, line: bytes) -> None:
    """Add a line, which no other may equal: one that is there already is our own, whose answer was lost."""
    for attempt in range(1, TRIES + 1):
        found = clients.read(bucket, key)
        content = found[0] if found else b""
        if line in content:
            return
        added = line if not content or content.endswith(b"\n") else b"\n" + line  # after half of a line
        condition = {"IfMatch": found[1]["ETag"]} if found else {"IfNoneMatch": "*"}
        if clients.call_unless(LOST, S3, "put_object", Bucket=bucket, Key=key, Body=content + added, **condition):
            return
        clients.effects.pause(retry.delay(min(attempt, 4)))
    message = f"s3://{bucket}/{key}: written to by others {TRIES} times while a line was to be added"
    raise StoreError(message, "run it again later")
