"""Runs that were killed, recorded by the next run: their lease says that they were, and what they were.

A run stores its record and its line in the index before it replaces the state, so one that was killed between
the two says that it replaced what it did not.
"""

from __future__ import annotations

from handoff_runtime import damage, history, keys
from handoff_runtime.aws.append import append
from handoff_runtime.aws.clients import S3
from handoff_runtime.aws.digest import SHA256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from handoff_runtime.aws.clients import Clients

REASON = "killed, or cut off from the store, before it was over"


def tell(clients: Clients, bucket: str, stack: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Correct record and history of runs that never gave their lease back."""
    for entry in entries:
        key = f"{keys.run(stack, str(entry['run_id']))}run.json"
        found = clients.read(bucket, key)
        record, wrong = damage.parse(found[0], damage.RECORD) if found else damage.Parsed(None)
        if wrong:
            clients.effects.say(
                f"note: s3://{bucket}/{key}: the record of a killed run cannot be read ({wrong}), skipped"
            )
        replaced = bool(record and record["state"]["replaced"])
        if replaced:  # perhaps it did not: is the state that the run left the one that is stored?
            own = f"{keys.run(stack, str(entry['run_id']))}artifacts/{keys.STATE}"
            replaced = _sha256(clients, bucket, own) == _sha256(clients, bucket, keys.state(stack))
        if record and (record["outcome"] == "running" or replaced != record["state"]["replaced"]):
            state = {**record["state"], "replaced": False}
            record = {**record, "outcome": "killed", "exit": None, "reason": REASON, "state": state}
            clients.call(S3, "put_object", Bucket=bucket, Key=key, Body=history.text(record))
        line = history.entry(record) if record else {**entry, "outcome": "killed", "reason": REASON}
        append(clients, bucket, keys.history(stack, history.day(line)), history.as_line(line))


def _sha256(clients: Clients, bucket: str, key: str) -> str | None:
    found = clients.call_unless(("404",), S3, "head_object", Bucket=bucket, Key=key)
    return found.get("Metadata", {}).get(SHA256) if found else None
