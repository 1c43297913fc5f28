"""A project's data from one bucket to another: files, artifacts, state, history and runs, before its stack is changed.

The project's lease in the old bucket is held until the deployment is over, so that no run stores anything there. The
copy is made by S3 itself. A marker in the new bucket says that what is there is such a copy: a second try after an
interruption takes it up, while data of any other origin is never overwritten. The old data stay.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from handoff_kit.remote.errors import AWSError, told
from handoff_runtime import damage, keys
from handoff_runtime.aws import lease, listing, transfer
from handoff_runtime.aws.clients import S3
from handoff_runtime.aws.digest import SHA256
from handoff_runtime.aws.listing import Place
from handoff_runtime.aws.together import each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import ExitStack
    from types import TracebackType

    from handoff_kit.aws.target import Target
    from handoff_runtime.aws.clients import Clients
    from handoff_runtime.errors import StoreError

    Say = Callable[[str], None]

__all__ = ["MoveData", "move", "survey"]

MARKER = ".moving"
IN_PARTS = 256 << 20
"""Larger objects are copied in parts of this size: S3 copies at most 5 GB in one call, and slowly."""
MOST_PARTS = 10_000
ROUNDS = 5  # of comparing the two buckets
HEART_PATIENCE = 40.0
PROGRESS = 1000


@dataclass(frozen=True)
class MoveData:
    """Data of a project to be copied from bucket `source` to that of its stack; counted when the account was read."""

    source: str
    objects: int
    bytes: int


@dataclass(frozen=True)
class Copied:
    """An object by what S3 says of it: size and ETag."""

    size: int
    etag: str


def survey(stack: Target, source: str, *, there: bool) -> MoveData:
    """Count what is to be copied; `there`: whether the stack's bucket exists. Refuses one with other data in it."""
    with told():
        found = _listed(stack.clients, source, stack.name)
        if there:
            _check_target(stack, source, _listed(stack.clients, stack.bucket, stack.name))
    return MoveData(source, len(found), sum(one.size for one in found.values()))


def describe(step: MoveData, stack: Target) -> str:
    """The step as a phrase."""
    objects = f"{step.objects:,} object{'' if step.objects == 1 else 's'}"
    return f"copy {objects} ({step.bytes:,} bytes) from s3://{step.source}/{stack.name}/ to {stack.shown(stack.name)}/"


def move(step: MoveData, stack: Target, held: ExitStack, *, dry: bool, say: Say) -> None:
    """Copy and compare, until both buckets hold the same. What `held` closes at the end gives the lease back."""
    say(f"{'would ' if dry else ''}{describe(step, stack)}")
    if dry:
        return
    with told():
        _check_idle(stack)
        _check_target(stack, step.source, _listed(stack.clients, stack.bucket, stack.name))
        lock, lost = held.enter_context(_leased(replace(stack, bucket=step.source)))
        marker = f"{stack.name}/{MARKER}"
        body = json.dumps({"from": step.source}).encode()
        stack.call(S3, "put_object", Bucket=stack.bucket, Key=marker, Body=body)
        count = _copy_all(stack, step.source, say)
        if lost:
            raise lost[0]
        if lock:
            claim = json.dumps({**lock, "released": True}).encode()
            stack.call(S3, "put_object", Bucket=stack.bucket, Key=keys.lease(stack.name), Body=claim)
    say(f"copied: {count:,} objects have the same size and ETag in both buckets")
    held.push(_conclusion(step, stack, say))


def _conclusion(
    step: MoveData, stack: Target, say: Say
) -> Callable[[type[BaseException] | None, BaseException | None, TracebackType | None], None]:
    """What ends a move whose deployment was successful; after a failure the marker stays for the next try."""

    def conclude(error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            stack.call(S3, "delete_object", Bucket=stack.bucket, Key=f"{stack.name}/{MARKER}")
            old = f"s3://{step.source}/{stack.name}/"
            say(f"the data in {old} stay there, with their earlier versions")
            say(f"hint: to remove them: aws s3 rm --recursive {old}")

    return conclude


@contextmanager
def _leased(source: Target) -> Iterator[tuple[Mapping[str, Any], list[StoreError]]]:
    """Hold the project's lease; what its lock said before, and an error once the lease is lost."""
    clients, lost = source.clients, list[Any]()
    found = lease.look(clients, source.bucket, source.name)
    before = found.claim if found else {}
    taken = lease.acquire(clients, source.bucket, source.name, f"move-of-{source.project}")
    if isinstance(taken, lease.Held):
        message = f"bucket {source.bucket}: a run of project {source.project} is under way: {taken.told}"
        raise AWSError(message, f"when it is over: invoke deploy --move-bucket {source.options}")
    heart = lease.Heart(clients.beside(patience=HEART_PATIENCE), taken, lost.append)
    try:
        yield ({**before, "dead": taken.claim.get("dead", [])} if before else {}), lost
    finally:
        lease.release(clients, heart.stop(), entry=before.get("entry"))


def _check_idle(stack: Target) -> None:
    """Refuse a bucket in which a run of the project is under way, of a task that was deployed with it once."""
    found = lease.look(stack.clients, stack.bucket, stack.name)
    if found and not lease.free(found):
        message = f"bucket {stack.bucket}: a run of project {stack.project} is under way there"
        raise AWSError(message, f"when it is over: invoke deploy --move-bucket {stack.options}")


def _check_target(stack: Target, source: str, found: Mapping[str, Copied]) -> None:
    """Refuse data that no earlier try of this very move has copied."""
    if not found:
        return
    marker = stack.clients.read(stack.bucket, f"{stack.name}/{MARKER}")
    if marker and damage.parse(marker[0], damage.ANY).value == {"from": source}:
        return
    place = f"s3://{stack.bucket}/{stack.name}/"
    message = f"{place}: found {len(found):,} objects of project {stack.project} from before, expected none"
    remove = f"aws s3 rm --recursive {place}"
    raise AWSError(message, f"look at them, then: {remove}; then: invoke deploy --move-bucket {stack.options}")


def _listed(clients: Clients, bucket: str, name: str) -> dict[str, Copied]:
    """Every object of a project by its key, but the lock and our marker."""
    apart = (keys.lease(name), f"{name}/{MARKER}")
    found = listing.contents(clients, Place(bucket, f"{name}/"))
    return {one["Key"]: Copied(one["Size"], one["ETag"]) for one in found if one["Key"] not in apart}


def _copy_all(stack: Target, source: str, say: Say) -> int:
    """Compare the two buckets and copy what differs, until nothing does; how many objects there are."""
    clients, copies = stack.clients, dict[tuple[str, str], str]()
    for _ in range(ROUNDS):
        wanted = _listed(clients, source, stack.name)
        there = _listed(clients, stack.bucket, stack.name)
        transfer.remove(clients, stack.bucket, [key for key in there if key not in wanted])
        todo = [key for key, one in wanted.items() if not _is_copy(one, there.get(key), copies.get((key, one.etag)))]
        if not todo:
            return len(wanted)

        def settle(
            key: str, wanted: Mapping[str, Copied] = wanted, there: Mapping[str, Copied] = there
        ) -> tuple[tuple[str, str], str]:
            return (key, wanted[key].etag), _settle(stack, source, key, wanted[key], there.get(key))

        for number, (key, etag) in enumerate(each(settle, todo), 1):
            copies[key] = etag
            if number % PROGRESS == 0:
                say(f"copied {number:,} of {len(todo):,}")
    message = f"s3://{source}/{stack.name}/: changed each of {ROUNDS} times it was compared with its copy"
    raise AWSError(message, f"when nobody changes it: invoke deploy --move-bucket {stack.options}")


def _is_copy(wanted: Copied, found: Copied | None, answered: str | None) -> bool:
    """Whether an object is what S3 said it had copied; a copy in parts has an ETag of its own."""
    return found is not None and found.size == wanted.size and found.etag in (wanted.etag, answered)


def _settle(stack: Target, source: str, key: str, wanted: Copied, found: Copied | None) -> str:
    """Copy an object, unless an earlier try has; the ETag of the copy."""
    clients, bucket = stack.clients, stack.bucket
    if found and found.size == wanted.size:
        sha256 = _sha256(clients, source, key)
        if sha256 and sha256 == _sha256(clients, bucket, key):
            return found.etag
    origin = {"CopySource": {"Bucket": source, "Key": key}, "CopySourceIfMatch": wanted.etag}
    if wanted.size > IN_PARTS:
        return _copy_in_parts(clients, bucket, key, wanted.size, origin)
    answer = clients.call(S3, "copy_object", Bucket=bucket, Key=key, **origin)
    return str(answer["CopyObjectResult"]["ETag"])


def _sha256(clients: Clients, bucket: str, key: str) -> str:
    head = clients.call_unless(("404",), S3, "head_object", Bucket=bucket, Key=key)
    return str(head.get("Metadata", {}).get(SHA256, "")) if head else ""


def _copy_in_parts(clients: Clients, bucket: str, key: str, size: int, origin: Mapping[str, Any]) -> str:
    """Copy a large object, with its metadata and tags; an upload that fails is given up."""
    source = origin["CopySource"]
    head = clients.call(S3, "head_object", **source)
    tags = clients.call(S3, "get_object_tagging", **source)["TagSet"] if head.get("TagCount") else ()
    more = {name: head[name] for name in ("Metadata", "ContentType") if head.get(name)}
    if tags:
        more["Tagging"] = urlencode({one["Key"]: one["Value"] for one in tags})
    upload = clients.call(S3, "create_multipart_upload", Bucket=bucket, Key=key, **more)["UploadId"]
    target = {"Bucket": bucket, "Key": key, "UploadId": upload}
    part_size = max(IN_PARTS, -(-size // MOST_PARTS))

    def copy(start: int) -> dict[str, Any]:
        number, end = start // part_size + 1, min(start + part_size, size) - 1
        given = {**target, **origin, "PartNumber": number, "CopySourceRange": f"bytes={start}-{end}"}
        answer = clients.call(S3, "upload_part_copy", **given)
        return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

    try:
        parts = [copy(start) for start in range(0, size, part_size)]
        answer = clients.call(S3, "complete_multipart_upload", **target, MultipartUpload={"Parts": parts})
    except BaseException:
        clients.call_unless(("NoSuchUpload",), S3, "abort_multipart_upload", **target)
        raise
    return str(answer["ETag"])
