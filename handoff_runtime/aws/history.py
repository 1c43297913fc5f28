"""A line at the end of an object several runs write to: read, and put back longer, unless another was faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handoff_runtime import history, s3_keys, stored_json
from handoff_runtime.annotations import Any
from handoff_runtime.aws import retry
from handoff_runtime.aws.checksum import stored_sha256
from handoff_runtime.aws.session import S3, Session
from handoff_runtime.errors import StoreError
from handoff_runtime.record import encode_record

TRIES = 12
LOST = ("412", "409", "NoSuchKey")


def append_line(session: Session, bucket: str, key: str, line: bytes) -> None:
    """Add a line, which no other may equal: one that is there already is our own, whose answer was lost."""
    for attempt in range(1, TRIES + 1):
        found = session.read(bucket, key)
        content = found[0] if found else b""
        if line in content:
            return
        added = line if not content or content.endswith(b"\n") else b"\n" + line  # after half of a line
        condition = {"IfMatch": found[1]["ETag"]} if found else {"IfNoneMatch": "*"}
        if session.call(S3, "put_object", allow=LOST, Bucket=bucket, Key=key, Body=content + added, **condition):
            return
        session.effects.pause(retry.delay(min(attempt, 4)))
    message = f"s3://{bucket}/{key}: written to by others {TRIES} times while a line was to be added"
    raise StoreError(message, "run it again later")


REASON = "killed, or cut off from the store, before it was over"


def record_killed_runs(session: Session, bucket: str, stack: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Correct record and history of runs that never gave their lease back."""
    for entry in entries:
        key = f"{s3_keys.run(stack, str(entry['run_id']))}run.json"
        found = session.read(bucket, key)
        record, wrong = stored_json.parse(found[0], stored_json.RECORD) if found else stored_json.Parsed(None)
        if wrong:
            session.effects.say(
                f"note: s3://{bucket}/{key}: the record of a killed run cannot be read ({wrong}), skipped"
            )
        replaced = bool(record and record["state"]["replaced"])
        if replaced:  # perhaps it did not: is the state that the run left the one that is stored?
            own = f"{s3_keys.run(stack, str(entry['run_id']))}artifacts/{s3_keys.STATE}"
            replaced = stored_sha256(session, bucket, own) == stored_sha256(session, bucket, s3_keys.state(stack))
        if record and (record["outcome"] == "running" or replaced != record["state"]["replaced"]):
            state = {**record["state"], "replaced": False}
            record = {**record, "outcome": "killed", "exit": None, "reason": REASON, "state": state}
            session.call(S3, "put_object", Bucket=bucket, Key=key, Body=encode_record(record))
        line = history.summary(record) if record else {**entry, "outcome": "killed", "reason": REASON}
        append_line(session, bucket, s3_keys.history(stack, history.start_day(line)), history.encode_line(line))
