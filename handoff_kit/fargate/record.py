"""The run of a task in the bucket, for a task that ECS does not know: its record, and the lock of the project."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handoff_kit.aws.cloudformation.stack import describe_existing
from handoff_kit.fargate.ending import FAILED, Ending
from handoff_kit.fargate.ground import Cluster
from handoff_kit.fargate.log import Tail, head
from handoff_kit.remote.errors import told
from handoff_runtime import keys
from handoff_runtime.aws import lease

RUN = re.compile(r"run (\S+) of ")
RUNNING = "running"
LAST_LINES = 20


@dataclass(frozen=True)
class StoredRun:
    """`ending` where the run has ended, `alive` where it holds the lock; else only the `facts` are known."""

    facts: str
    ending: Ending | None = None
    alive: bool = False


def find(cluster: Cluster, task: str) -> StoredRun:
    """The run of a task, by its id in the first lines of the log; at most five calls."""
    stream = cluster.log_stream(task)
    texts = head(cluster.stack, cluster.log_group, stream)
    run = next((found[1] for found in map(RUN.match, texts) if found), "")
    if not run:
        return StoredRun("its log names no run" if texts else "it has no log")
    stack = describe_existing(cluster.stack.clients, cluster.stack.name)
    bucket = stack.parameters.get("Bucket") if stack else None
    if bucket is None:
        return StoredRun(f"its log names run {run}, and stack {cluster.stack.name} does not exist to name its bucket")
    record = _read_record(cluster, bucket, run)
    with told():
        lock = lease.look(cluster.stack.clients, bucket, cluster.stack.name)
    if stored := _stored_run(cluster, run, record, lock):
        return stored
    tail = Tail(cluster.stack, cluster.log_group, stream, last=LAST_LINES)
    tail.read()
    last = f"; its log ends with: {tail.said}" if tail.said else ""
    return StoredRun(f"no record of its run {run} is in s3://{bucket}/{keys.run(cluster.stack.name, run)}{last}")


def _read_record(cluster: Cluster, bucket: str, run: str) -> Mapping[str, Any]:
    """The record of a run; empty where there is none, or a damaged one."""
    with told():
        found = cluster.stack.clients.read(bucket, f"{keys.run(cluster.stack.name, run)}run.json")
    try:
        record = json.loads(found[0]) if found else {}
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _stored_run(cluster: Cluster, run: str, record: Mapping[str, Any], lock: lease.Found | None) -> StoredRun | None:
    """The run by its record and the lock, which names a run until the next run acquires it."""
    if ending := _ended(cluster, run, record):
        return ending
    if lock is None or lock.claim.get("run_id") != run:
        lost = f"run {run} lost its lock and never stored how it ended"
        return _killed(cluster, run, lost) if record.get("outcome") == RUNNING else None
    if lock.claim.get("released"):
        entry = lock.claim.get("entry")
        return _ended(cluster, run, entry if isinstance(entry, dict) else {})
    beat = f"last heartbeat {lock.age:.0f} s ago"
    if lease.free(lock):
        return _killed(cluster, run, f"run {run} was killed ({beat})")
    return StoredRun(f"run {run} holds the lock ({beat})", alive=True)


def _ended(cluster: Cluster, run: str, found: Mapping[str, Any]) -> StoredRun | None:
    """The run by its record, or by its entry in the lock; None where that holds no outcome."""
    outcome, code = found.get("outcome"), found.get("exit")
    if not isinstance(outcome, str) or outcome == RUNNING:
        return None
    code = code if isinstance(code, int) else FAILED
    reason = f": {found['reason']}" if found.get("reason") else ""
    facts = f"{outcome}{reason} (exit {code}), by the record of run {run}"
    return StoredRun(facts, Ending(code, facts, _look_at(cluster, run) if code else None))


def _killed(cluster: Cluster, run: str, facts: str) -> StoredRun:
    return StoredRun(facts, Ending(FAILED, f"is over: {facts}", _look_at(cluster, run)))


def _look_at(cluster: Cluster, run: str) -> str:
    known = cluster.known
    return f"see its record: invoke history.show --remote --run {run} {known.options}"
