"""What the AWS store adds to a run of `echo x | cat`, against a process that creates the two clients alone."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import runtime
import table
from bench import Bench, Told
from comparison import Comparison, Measured, Verdict
from side import Side

if TYPE_CHECKING:
    from pathlib import Path

    from side import Sample

STACK = "start"
RATIO, ROUNDS = 1.3, 15
BEGUN = "begun"
STAGES = (("sh", "-c", f"date +%s%N > {BEGUN}; echo x"), ("cat",))
CLIENTS = """
import boto3
session = boto3.session.Session()
ssm, s3 = session.client("ssm"), session.client("s3")
"""
# What a run asks of AWS until its first stage starts, each call once, by boto3 as it is.
CALLS = f"""{CLIENTS}
import os
from botocore.exceptions import ClientError
bucket, stack = os.environ["S3_BUCKET_NAME"], os.environ["STACK_NAME"]
ssm.get_parameter(Name=f"{{stack}}__params", WithDecryption=True)
lock = {{"Bucket": bucket, "Key": f"{{stack}}/.lock-of-the-benchmark"}}
try:
    s3.get_object(**lock)["Body"].read()
except ClientError:
    pass
s3.put_object(**lock, Body=b"x")
for prefix in (".env/files/", ".artifacts/", ".artifacts/state"):
    s3.list_objects_v2(Bucket=bucket, Prefix=f"{{stack}}/{{prefix}}")
s3.get_object(Bucket=bucket, Key=f"{{stack}}/.artifacts/state")["Body"].read()
"""
# And what it asks until it ends: log, state and record under runs/, the index of the day, the state, the lease.
ALL_CALLS = f"""{CALLS}
def put(key):
    s3.put_object(Bucket=bucket, Key=f"{{stack}}/of-the-benchmark/{{key}}", Body=b"x" * 1000)
for name in ("run.json", "state", "stderr.log", "stdout.log"):
    put(name)
s3.list_objects_v2(Bucket=bucket, Prefix=f"{{stack}}/.artifacts/")
for name in ("record", "index"):
    put(name)
s3.get_object(Bucket=bucket, Key=f"{{stack}}/of-the-benchmark/index")["Body"].read()
for name in ("stored-state", "lease"):
    put(name)
"""
LEAVE = "import os\nos._exit(0)\n"  # as the runtime does: an interpreter that tidies up takes longer
NOTHING, ALONE = "python -c pass", "the two clients alone"
CALLED, ALL_CALLED = (
    "the two clients, and the 7 calls of a start by boto3",
    "the two clients, and all 17 calls by boto3",
)
BARE = {CALLED: CALLS, ALL_CALLED: ALL_CALLS}
LOCAL, REMOTE = "handoff, params of a file", "handoff, AWS store"


def start(made: Bench) -> Told:
    """Until the first stage runs, and the whole run."""
    account = made.cloud.of(STACK)
    local = runtime.side(made.work / "start-local", STAGES, "rows")
    remote = made.work / "start-remote"
    remote.mkdir()
    account.put_params(json.loads((local.directory / runtime.PARAMS).read_text()))
    sides = (
        _python(NOTHING, "pass", made.work),
        _python(ALONE, CLIENTS + LEAVE, made.work),
        replace(local, name=LOCAL),
        Side(REMOTE, (sys.executable, "-m", "handoff_runtime", "run"), remote, remote / ".artifacts" / "state"),
    )
    rounds = max(ROUNDS, made.rounds)
    title = "`echo x | cat` from the start of the process until its first stage runs"
    run = made.runner(account)
    run(sides[3])  # the lock and the state are there from then on, as they are in a project that has run before
    first, all_of_them = (_python(name, f"{calls}{LEAVE}", made.work) for name, calls in BARE.items())
    begun = Comparison("start", title, (*sides, first), rounds)
    ended = Comparison("whole", "`echo x | cat`, whole processes", (*sides, all_of_them), rounds)
    until = made.compare(begun, lambda side: _until_begun(side, run(side)))
    whole = made.compare(ended, run)
    return Told((_verdict("until its first stage", until),), f"{table.sides(until)}\n\n{table.sides(whole)}")


def _python(name: str, script: str, directory: Path) -> Side:
    return Side(name, (sys.executable, "-c", script), directory)


def _until_begun(side: Side, sample: Sample) -> Sample:
    """Where the first stage has noted the time, up to then; the process was started `seconds` before it ended."""
    noted = side.directory / BEGUN
    if not noted.exists():
        return sample
    taken = int(noted.read_text()) / 1e9 - (time.time() - sample.seconds)
    return replace(sample, seconds=taken)


def _verdict(what: str, measured: Measured) -> Verdict:
    """What the store adds, against what creating the clients adds to a Python that does nothing."""
    extra = measured.seconds(REMOTE) - measured.seconds(LOCAL)
    alone = measured.seconds(ALONE) - measured.seconds(NOTHING)
    allowed = f"{RATIO:.2f}x of creating the two clients ({alone * 1000:.0f} ms)"
    found = f"{extra / alone:.2f}x ({extra * 1000:.0f} ms)"
    return Verdict(f"the AWS store's extra time {what}", allowed, found, extra <= RATIO * alone)
