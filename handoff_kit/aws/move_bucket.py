"""Copy a project's data from one bucket to another: files, artifacts, state, history and runs.

The project's lease in the old bucket is held until the deployment is over, so that no run stores anything there. The
copy is made by S3 itself. A marker in the new bucket says that what is there is such a copy: a second try after an
interruption takes it up, while data of any other origin is never overwritten. The old data stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.errors import AWSError, translate_store_errors
from handoff_kit.steps import CopyProjectData
from handoff_runtime import s3_keys, stored_json
from handoff_runtime.aws import lease, transfer
from handoff_runtime.aws.checksum import MOST_PARTS, stored_sha256
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.session import S3, Session
from handoff_runtime.aws.transfer import Place
from handoff_runtime.aws.upload import UploadTarget, put_in_parts
from handoff_runtime.errors import StoreError

MARKER = ".moving"
IN_PARTS = 256 << 20
"""Larger objects are copied in parts of this size: S3 copies at most 5 GB in one call, and slowly."""
ROUNDS = 5  # of comparing the two buckets
HEART_PATIENCE = 40.0
PROGRESS = 1000


@dataclass(frozen=True)
class ObjectSummary:
    """An object by what S3 says of it: size and ETag."""

    size: int
    etag: str


def plan_move(target: Target, source: str, *, bucket_exists: bool) -> CopyProjectData:
    """Count what is to be copied; `bucket_exists`: whether the target has one. AWSError if it holds other data."""
    with translate_store_errors():
        objects = _list_objects(target.session, source, target.name)
        if bucket_exists:
            _check_target(target, source, _list_objects(target.session, target.bucket, target.name))
    return CopyProjectData(
        source, target.bucket, f"{target.name}/", len(objects), sum(one.size for one in objects.values())
    )


def copy_project_data(step: CopyProjectData, target: Target, cleanup: ExitStack, say: Say) -> None:
    """Copy and compare, until both buckets hold the same; `cleanup` releases the lease when the deployment ends."""
    with translate_store_errors():
        lock = lease.read_lease(target.session, target.bucket, target.name)
        if lock and not lease.is_free(lock):  # of a task that was once deployed with this bucket
            message = f"bucket {target.bucket}: a run of project {target.project} is in progress there"
            raise AWSError(message, f"when it is over: invoke deploy --move-bucket {target.options}")
        _check_target(target, step.source, _list_objects(target.session, target.bucket, target.name))
        claim, lost = cleanup.enter_context(_hold_lease(replace(target, bucket=step.source)))
        marker = f"{target.name}/{MARKER}"
        body = json.dumps({"from": step.source}).encode()
        target.call(S3, "put_object", Bucket=target.bucket, Key=marker, Body=body)
        count = _copy_all(target, step.source, say)
        if lost:
            raise lost[0]
        if claim:
            body = json.dumps({**claim, "released": True}).encode()
            target.call(S3, "put_object", Bucket=target.bucket, Key=s3_keys.lease(target.name), Body=body)
    say(f"copied: {count:,} objects have the same size and ETag in both buckets")

    def remove_marker(error: type[BaseException] | None, *_: object) -> None:
        if error is None:  # after a failure the marker stays for the next try
            target.call(S3, "delete_object", Bucket=target.bucket, Key=marker)
            old = f"s3://{step.source}/{target.name}/"
            say(f"the data in {old} stay there, with their earlier versions")
            say(f"hint: to remove them: aws s3 rm --recursive {old}")

    cleanup.push(remove_marker)


@contextmanager
def _hold_lease(source: Target) -> Iterator[tuple[Mapping[str, Any], list[StoreError]]]:
    """Hold the project's lease; yields the claim of its lock before, and a list that gets an error if it is lost."""
    session, lost = source.session, list[Any]()
    stored = lease.read_lease(session, source.bucket, source.name)
    before = stored.claim if stored else {}
    taken = lease.acquire(session, source.bucket, source.name, f"move-of-{source.project}")
    if isinstance(taken, lease.StoredLease):
        message = f"bucket {source.bucket}: a run of project {source.project} is in progress: {taken}"
        raise AWSError(message, f"when it is over: invoke deploy --move-bucket {source.options}")
    heart = lease.Heartbeat(session.with_options(patience=HEART_PATIENCE), taken, lost.append)
    try:
        yield ({**before, "dead": taken.claim.get("dead", [])} if before else {}), lost
    finally:
        lease.release(session, heart.stop(), entry=before.get("entry"))


def _check_target(target: Target, source: str, objects: Mapping[str, ObjectSummary]) -> None:
    """Refuse data that no earlier try of this move has copied."""
    if not objects:
        return
    marker = target.session.read(target.bucket, f"{target.name}/{MARKER}")
    if marker and stored_json.parse(marker[0], stored_json.ANY).value == {"from": source}:
        return
    place = f"s3://{target.bucket}/{target.name}/"
    message = f"{place}: found {len(objects):,} objects of project {target.project} from before, expected none"
    remove = f"aws s3 rm --recursive {place}"
    raise AWSError(message, f"look at them, then: {remove}; then: invoke deploy --move-bucket {target.options}")


def _list_objects(session: Session, bucket: str, name: str) -> dict[str, ObjectSummary]:
    """Every object of a project by its key, except the lock and the marker of a move."""
    apart = (s3_keys.lease(name), f"{name}/{MARKER}")
    found = transfer.list_objects(session, Place(bucket, f"{name}/"))
    return {one["Key"]: ObjectSummary(one["Size"], one["ETag"]) for one in found if one["Key"] not in apart}


def _copy_all(target: Target, source: str, say: Say) -> int:
    """Compare the two buckets and copy what differs, until nothing does; how many objects there are."""
    session, copies = target.session, dict[tuple[str, str], str]()
    for _ in range(ROUNDS):
        originals = _list_objects(session, source, target.name)
        stored = _list_objects(session, target.bucket, target.name)
        transfer.remove(session, target.bucket, [key for key in stored if key not in originals])
        todo: list[tuple[str, ObjectSummary, ObjectSummary | None]] = []
        for key, original in originals.items():
            copy = stored.get(key)
            etags = (original.etag, copies.get((key, original.etag)))  # a copy in parts has another ETag
            if copy is None or copy.size != original.size or copy.etag not in etags:
                todo.append((key, original, copy))
        if not todo:
            return len(originals)
        etags_of_copies = map_concurrently(lambda one: _copy_object(target, source, *one), todo)
        for number, ((key, original, _), etag) in enumerate(zip(todo, etags_of_copies, strict=True), 1):
            copies[key, original.etag] = etag
            if number % PROGRESS == 0:
                say(f"copied {number:,} of {len(todo):,}")
    message = f"s3://{source}/{target.name}/: changed each of {ROUNDS} times it was compared with its copy"
    raise AWSError(message, f"when nobody changes it: invoke deploy --move-bucket {target.options}")


def _copy_object(target: Target, source: str, key: str, original: ObjectSummary, copy: ObjectSummary | None) -> str:
    """Copy an object, unless `copy` is that of an earlier try; the ETag of the copy."""
    session, bucket = target.session, target.bucket
    if copy and copy.size == original.size:
        sha256 = stored_sha256(session, source, key)
        if sha256 and sha256 == stored_sha256(session, bucket, key):
            return copy.etag
    origin = {"CopySource": {"Bucket": source, "Key": key}, "CopySourceIfMatch": original.etag}
    if original.size > IN_PARTS:
        return _copy_in_parts(session, bucket, key, original.size, origin)
    answer = session.call(S3, "copy_object", Bucket=bucket, Key=key, **origin)
    return str(answer["CopyObjectResult"]["ETag"])


def _copy_in_parts(session: Session, bucket: str, key: str, size: int, origin: Mapping[str, Any]) -> str:
    """Copy a large object, with its metadata; an upload that fails is given up."""
    head = session.call(S3, "head_object", **origin["CopySource"])
    more = {name: head[name] for name in ("Metadata", "ContentType") if head.get(name)}
    part_size = max(IN_PARTS, -(-size // MOST_PARTS))

    def copy(part: Mapping[str, Any]) -> str:
        end = part["PartNumber"] * part_size
        copied = f"bytes={end - part_size}-{min(end, size) - 1}"
        answer = session.call(S3, "upload_part_copy", **part, **origin, CopySourceRange=copied)
        return str(answer["CopyPartResult"]["ETag"])

    target, parts = UploadTarget(bucket, key), -(-size // part_size)
    return str(put_in_parts(session, target, parts, copy, workers=1, **more)["ETag"])
