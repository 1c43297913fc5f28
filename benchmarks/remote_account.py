"""What an account of AWS holds before it is measured: a bucket, files, params and a history."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
from side import SideError

from handoff_runtime import history, params, s3_keys, stored_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REGION = "eu-central-1"
BUCKET = "handoff-benchmark"
KEY = "benchmark"  # both halves of it; the servers take any
BLOCK = 1 << 20
NEWEST = datetime(2026, 11, 23, 23, 59, tzinfo=timezone.utc)
# Stored as `files.push` and a run store, by the same code.
PUT = """
import os, sys
from handoff_runtime.aws import session, transfer
from handoff_runtime.aws.transfer import Place
connected = session.connect(os.environ, print)
place = Place(os.environ["S3_BUCKET_NAME"], sys.argv[2])
transfer.store(connected, list(transfer.list_files(sys.argv[1], print)), place)
"""


@dataclass(frozen=True)
class Account:
    """A server that plays AWS, and the stack a process is to use there; without one, tasks name it themselves."""

    endpoint: str
    base: Mapping[str, str]
    stack: str = ""

    def of(self, stack: str) -> Account:
        """The same, for another stack."""
        return replace(self, stack=stack)

    @property
    def environ(self) -> dict[str, str]:
        """For a process that is to use it."""
        ours = {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "S3_BUCKET_NAME": BUCKET,
        }
        return {**self.base, **ours, **({"STACK_NAME": self.stack} if self.stack else {})}

    def client(self, service: str) -> Any:  # noqa: ANN401  # boto3 has no types
        """A client of boto3."""
        given = {"endpoint_url": self.endpoint, "region_name": REGION}
        return boto3.client(service, aws_access_key_id=KEY, aws_secret_access_key=KEY, **given)

    def open(self) -> None:
        """Make the bucket, with versions."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def put(self, directory: Path, prefix: str) -> None:
        """Store all of a directory below a prefix."""
        argv = (sys.executable, "-c", PUT, str(directory), prefix)
        done = subprocess.run(argv, env=self.environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SideError(f"{directory}: not stored\n{done.stderr}")

    def put_params(self, document: Mapping[str, Any]) -> None:
        """Store the params of the stack."""
        text = params.encode_params(document)
        self.client("ssm").put_parameter(Name=s3_keys.parameter(self.stack), Value=text, Type="SecureString")

    def put_history(self, runs: int, days: int) -> None:
        """Store the index of so many runs, evenly over so many days."""
        s3, lines = self.client("s3"), dict[str, bytes]()
        for number in reversed(range(runs)):
            record = _record(NEWEST - number * timedelta(days=days) / runs)
            day = history.start_day(record)
            lines[day] = lines.get(day, b"") + history.index_line(record)
        for day, content in lines.items():
            s3.put_object(Bucket=BUCKET, Key=s3_keys.history(self.stack, day), Body=content)


def _record(started: datetime) -> dict[str, Any]:
    """The record of a run, as far as the index tells of it."""
    at, ended = (f"{moment:%Y-%m-%dT%H:%M:%S}.000Z" for moment in (started, started + timedelta(seconds=42)))
    told = {
        "run_id": f"{started:%Y%m%dT%H%M%SZ}-{started.microsecond:06x}",
        "environment": "dev",
        "command": "run",
        "trigger": "schedule",
        "started_at": at,
        "ended_at": ended,
        "seconds": 42.0,
        "outcome": "succeeded",
        "exit": 0,
        "attempt": 1,
        "params_version": "17",
        "image_digest": f"sha256:{'0123456789abcdef' * 4}",
    }
    empty = dict.fromkeys(name for name in stored_json.SUMMARY if name not in told)
    return {**told, **empty, "stages": [{"rows_in": 118_000}], "state": {"replaced": True}}


def write_small(directory: Path, files: int) -> None:
    """So many files of 1 to 8 KB, a hundred a directory."""
    chance = random.Random(4)  # noqa: S311  # the same each time
    for number in range(files):
        path = directory / f"part-{number // 100:02}" / f"{number:04}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(chance.randint(1000, 8000)))


def write_large(directory: Path, size: int) -> None:
    """One file of so many bytes."""
    directory.mkdir(parents=True)
    block = random.Random(5).randbytes(BLOCK)  # noqa: S311
    with (directory / "large.bin").open("wb") as file:
        for start in range(0, size, BLOCK):
            file.write(block[: size - start])
