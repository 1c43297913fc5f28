"""Copy a project's data from one bucket to another: files, artifacts, state, history and runs.

The project's lease in the old bucket is held until the deployment is over, so that no run stores anything there. The
copy is made by S3 itself. A marker in the new bucket says that what is there is such a copy: a second try after an
interruption takes it up, while data of any other origin is never overwritten. The old data stay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError, translate_store_errors
from handoff_kit.steps import CopyProjectData
from handoff_runtime import damage, s3_keys
from handoff_runtime.aws import lease, transfer
from handoff_runtime.aws.checksum import SHA256
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.session import S3, Session
from handoff_runtime.aws.transfer import Place
from handoff_runtime.errors import StoreError

Say = Callable[[str], None]

MARKER = ".moving"
IN_PARTS = 256 << 20
"""Larger objects are copied in parts of this size: S3 copies at most 5 GB in one call, and slowly."""
MOST_PARTS = 10_000
ROUNDS = 5  # of comparing the two buckets
HEART_PATIENCE = 40.0
PROGRESS = 1000


@dataclass(frozen=True)
class ObjectSummary:
    """An object by what S3 says of it: size and ETag."""

    size: int
    etag: str


def plan_move(target: Target, source: str, *, there: bool) -> CopyProjectData:
    """Count what is to be copied; `there`: whether the target's bucket exists. AWSError if it holds other data."""
    with translate_store_errors():
        found = _listed(target.session, source, target.name)
        if there:
            _check_target(target, source, _listed(target.session, target.bucket, target.name))
    return CopyProjectData(
        source, target.bucket, f"{target.name}/", len(found), sum(one.size for one in found.values())
    )


def copy_project_data(step: CopyProjectData, target: Target, cleanup: ExitStack, say: Say) -> None:
    """Copy and compare, until both buckets hold the same; `cleanup` releases the lease when the deployment ends."""
    with translate_store_errors():
        _check_idle(target)
        _check_target(target, step.source, _listed(target.session, target.bucket, target.name))
        lock, lost = cleanup.enter_context(_leased(replace(target, bucket=step.source)))
        marker = f"{target.name}/{MARKER}"
        body = json.dumps({"from": step.source}).encode()
        target.call(S3, "put_object", Bucket=target.bucket, Key=marker, Body=body)
        count = _copy_all(target, step.source, say)
        if lost:
            raise lost[0]
        if lock:
            claim = json.dumps({**lock, "released": True}).encode()
            target.call(S3, "put_object", Bucket=target.bucket, Key=s3_keys.lease(target.name), Body=claim)
    say(f"copied: {count:,} objects have the same size and ETag in both buckets")
    cleanup.push(_conclusion(step, target, say))


def _conclusion(
    step: CopyProjectData, target: Target, say: Say
) -> Callable[[type[BaseException] | None, BaseException | None, TracebackType | None], None]:
    """Remove the marker after a successful deployment; after a failure it stays for the next try."""

    def conclude(error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            target.call(S3, "delete_object", Bucket=target.bucket, Key=f"{target.name}/{MARKER}")
            old = f"s3://{step.source}/{target.name}/"
            say(f"the data in {old} stay there, with their earlier versions")
            say(f"hint: to remove them: aws s3 rm --recursive {old}")

    return conclude


@contextmanager
def _leased(source: Target) -> Iterator[tuple[Mapping[str, Any], list[StoreError]]]:
    """Hold the project's lease; yields the claim of its lock before, and a list that gets an error if it is lost."""
    session, lost = source.session, list[Any]()
    found = lease.read_lease(session, source.bucket, source.name)
    before = found.claim if found else {}
    taken = lease.acquire(session, source.bucket, source.name, f"move-of-{source.project}")
    if isinstance(taken, lease.HeldLease):
        message = f"bucket {source.bucket}: a run of project {source.project} is in progress: {taken}"
        raise AWSError(message, f"when it is over: invoke deploy --move-bucket {source.options}")
    heart = lease.Heartbeat(session.beside(patience=HEART_PATIENCE), taken, lost.append)
    try:
        yield ({**before, "dead": taken.claim.get("dead", [])} if before else {}), lost
    finally:
        lease.release(session, heart.stop(), entry=before.get("entry"))


def _check_idle(target: Target) -> None:
    """Refuse a bucket in which a run of the project is in progress, of a task that was once deployed with it."""
    found = lease.read_lease(target.session, target.bucket, target.name)
    if found and not lease.is_free(found):
        message = f"bucket {target.bucket}: a run of project {target.project} is in progress there"
        raise AWSError(message, f"when it is over: invoke deploy --move-bucket {target.options}")


def _check_target(target: Target, source: str, found: Mapping[str, ObjectSummary]) -> None:
    """Refuse data that no earlier try of this move has copied."""
    if not found:
        return
    marker = target.session.read(target.bucket, f"{target.name}/{MARKER}")
    if marker and damage.parse(marker[0], damage.ANY).value == {"from": source}:
        return
    place = f"s3://{target.bucket}/{target.name}/"
    message = f"{place}: found {len(found):,} objects of project {target.project} from before, expected none"
    remove = f"aws s3 rm --recursive {place}"
    raise AWSError(message, f"look at them, then: {remove}; then: invoke deploy --move-bucket {target.options}")


def _listed(session: Session, bucket: str, name: str) -> dict[str, ObjectSummary]:
    """Every object of a project by its key, but the lock and our marker."""
    apart = (s3_keys.lease(name), f"{name}/{MARKER}")
    found = transfer.list_objects(session, Place(bucket, f"{name}/"))
    return {one["Key"]: ObjectSummary(one["Size"], one["ETag"]) for one in found if one["Key"] not in apart}


def _copy_all(target: Target, source: str, say: Say) -> int:
    """Compare the two buckets and copy what differs, until nothing does; how many objects there are."""
    session, copies = target.session, dict[tuple[str, str], str]()
    for _ in range(ROUNDS):
        expected = _listed(session, source, target.name)
        there = _listed(session, target.bucket, target.name)
        transfer.remove(session, target.bucket, [key for key in there if key not in expected])
        todo = [key for key, one in expected.items() if not _is_copy(one, there.get(key), copies.get((key, one.etag)))]
        if not todo:
            return len(expected)

        def settle(
            key: str, expected: Mapping[str, ObjectSummary] = expected, there: Mapping[str, ObjectSummary] = there
        ) -> tuple[tuple[str, str], str]:
            return (key, expected[key].etag), _settle(target, source, key, expected[key], there.get(key))

        for number, (key, etag) in enumerate(map_concurrently(settle, todo), 1):
            copies[key] = etag
            if number % PROGRESS == 0:
                say(f"copied {number:,} of {len(todo):,}")
    message = f"s3://{source}/{target.name}/: changed each of {ROUNDS} times it was compared with its copy"
    raise AWSError(message, f"when nobody changes it: invoke deploy --move-bucket {target.options}")


def _is_copy(expected: ObjectSummary, found: ObjectSummary | None, answered: str | None) -> bool:
    """Whether an object is what S3 said it had copied; a copy in parts has an ETag of its own."""
    return found is not None and found.size == expected.size and found.etag in (expected.etag, answered)


def _settle(target: Target, source: str, key: str, expected: ObjectSummary, found: ObjectSummary | None) -> str:
    """Copy an object, unless an earlier try has; the ETag of the copy."""
    session, bucket = target.session, target.bucket
    if found and found.size == expected.size:
        sha256 = _sha256(session, source, key)
        if sha256 and sha256 == _sha256(session, bucket, key):
            return found.etag
    origin = {"CopySource": {"Bucket": source, "Key": key}, "CopySourceIfMatch": expected.etag}
    if expected.size > IN_PARTS:
        return _copy_in_parts(session, bucket, key, expected.size, origin)
    answer = session.call(S3, "copy_object", Bucket=bucket, Key=key, **origin)
    return str(answer["CopyObjectResult"]["ETag"])


def _sha256(session: Session, bucket: str, key: str) -> str:
    head = session.call_unless(("404",), S3, "head_object", Bucket=bucket, Key=key)
    return str(head.get("Metadata", {}).get(SHA256, "")) if head else ""


def _copy_in_parts(session: Session, bucket: str, key: str, size: int, origin: Mapping[str, Any]) -> str:
    """Copy a large object, with its metadata and tags; an upload that fails is given up."""
    source = origin["CopySource"]
    head = session.call(S3, "head_object", **source)
    tags = session.call(S3, "get_object_tagging", **source)["TagSet"] if head.get("TagCount") else ()
    more = {name: head[name] for name in ("Metadata", "ContentType") if head.get(name)}
    if tags:
        more["Tagging"] = urlencode({one["Key"]: one["Value"] for one in tags})
    upload = session.call(S3, "create_multipart_upload", Bucket=bucket, Key=key, **more)["UploadId"]
    target = {"Bucket": bucket, "Key": key, "UploadId": upload}
    part_size = max(IN_PARTS, -(-size // MOST_PARTS))

    def copy(start: int) -> dict[str, Any]:
        number, end = start // part_size + 1, min(start + part_size, size) - 1
        given = {**target, **origin, "PartNumber": number, "CopySourceRange": f"bytes={start}-{end}"}
        answer = session.call(S3, "upload_part_copy", **given)
        return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

    try:
        parts = [copy(start) for start in range(0, size, part_size)]
        answer = session.call(S3, "complete_multipart_upload", **target, MultipartUpload={"Parts": parts})
    except BaseException:
        session.call_unless(("NoSuchUpload",), S3, "abort_multipart_upload", **target)
        raise
    return str(answer["ETag"])
