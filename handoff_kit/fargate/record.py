"""What the bucket knows of the run that a task had, for a task that ECS does not know: its record, and the lock."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_kit.fargate.ending import FAILED, Ending
from handoff_kit.fargate.log import Tail, head
from handoff_kit.remote.errors import told
from handoff_kit.stacks import deployed
from handoff_runtime import keys
from handoff_runtime.aws import lease

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff_kit.fargate.ground import Cluster

__all__ = ["StoredRun", "find"]

RUN = re.compile(r"run (\S+) of ")
RUNNING = "running"
LAST_LINES = 20


@dataclass(frozen=True)
class StoredRun:
    """`ending` where the run is over, `alive` where it holds the lock; without either only the `facts` are known."""

    facts: str
    ending: Ending | None = None
    alive: bool = False


def find(cluster: Cluster, task: str) -> StoredRun:
    """The run of a task, which the first lines of its log name; at most five calls."""
    stream = cluster.log_stream(task)
    texts = head(cluster.stack, cluster.log_group, stream)
    run = next((found[1] for found in map(RUN.match, texts) if found), "")
    if not run:
        return StoredRun("its log names no run" if texts else "it has no log")
    if (bucket := _bucket(cluster)) is None:
        return StoredRun(f"its log names run {run}, and stack {cluster.stack.name} is not there to name its bucket")
    record = _record(cluster, bucket, run)
    with told():
        lock = lease.look(cluster.stack.clients, bucket, cluster.stack.name)
    return _judged(cluster, run, record, lock) or StoredRun(_facts(cluster, stream, run, bucket))


def _bucket(cluster: Cluster) -> str | None:
    """The bucket that the deployed task uses."""
    found = deployed.read(cluster.stack.clients, cluster.stack.name)
    return found.parameters.get("Bucket") if found else None


def _record(cluster: Cluster, bucket: str, run: str) -> Mapping[str, Any]:
    """The record of a run; nothing where there is none that can be read."""
    with told():
        found = cluster.stack.clients.read(bucket, f"{keys.run(cluster.stack.name, run)}run.json")
    try:
        record = json.loads(found[0]) if found else {}
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _judged(cluster: Cluster, run: str, record: Mapping[str, Any], lock: lease.Found | None) -> StoredRun | None:
    """What record and lock say together; the lock names a run until the next one takes it."""
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
    """How a run ended by its record, or by its entry in the lock."""
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


def _facts(cluster: Cluster, stream: str, run: str, bucket: str) -> str:
    tail = Tail(cluster.stack, cluster.log_group, stream, last=LAST_LINES)
    tail.read()
    last = f"; its log ends with: {tail.said}" if tail.said else ""
    return f"no record of its run {run} is in s3://{bucket}/{keys.run(cluster.stack.name, run)}{last}"
