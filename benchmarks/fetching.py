"""Fetching a project's files: by our transfer, and by `aws s3 sync`, each as a whole process."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import bench
import servers
from bench import Bench, Told, answered, joined
from comparison import Comparison, Target
from ranges import UNCHECKED
from remote_account import BUCKET, write_large, write_small
from side import Side

from handoff_runtime import s3_keys

if TYPE_CHECKING:
    from pathlib import Path

    from remote_account import Account
    from side import Sample

# What handoff_runtime.aws.store.AwsStore.fetch does for the files.
FETCH = """
import os, sys
from handoff_runtime import s3_keys, workspace
from handoff_runtime.aws import session, transfer
from handoff_runtime.aws.transfer import Place
connected = session.connect(os.environ, lambda line: print(line, file=sys.stderr))
place = Place(os.environ["S3_BUCKET_NAME"], s3_keys.files(os.environ["STACK_NAME"]))
os.makedirs(workspace.FILES)
transfer.fetch(connected, place, workspace.FILES)
"""
FILES, SMALL_RATIO = 1000, 1.0
SIZE, LARGE_RATIO = 10**9, 1.1
OURS, THEIRS = "handoff", "aws s3 sync"
BLOCK = 1 << 20


def small(made: Bench) -> Told:
    """A thousand small files: from moto, and from the plain server."""
    title = f"{FILES:,} files of 1 to 8 KB"
    held = made.data / "served" / BUCKET / s3_keys.files("small")
    write_small(held, FILES)
    made.cloud.put(held, s3_keys.files("small"))
    one = _compared(made, made.cloud.of("small"), f"{title}, from moto", SMALL_RATIO, held)
    with servers.ranges(made.work, made.data / "served") as address:
        plain = replace(made.cloud, endpoint=address, stack="small")
        other = _compared(made, plain, f"{title}, from the plain server", SMALL_RATIO, held)
    return joined(one, other)


def large(made: Bench) -> Told:
    """One large file: from the plain server, with our checksum beside it and without, and once from moto."""
    title = f"one file of {SIZE / 1e9:g} GB"
    bucket = made.data / "served-large" / BUCKET
    held = bucket / s3_keys.files("large")
    write_large(held, SIZE)
    unchecked = bucket / s3_keys.files(UNCHECKED)
    unchecked.mkdir(parents=True)
    (unchecked / "large.bin").hardlink_to(held / "large.bin")
    with servers.ranges(made.work, bucket.parent) as address:
        plain = replace(made.cloud, endpoint=address)
        one = _compared(made, plain.of("large"), f"{title}, from the plain server", LARGE_RATIO, held)
        where = f"{title}, without a checksum, from the plain server"
        other = _compared(made, plain.of(UNCHECKED), where, LARGE_RATIO, held)
    bench.say("large: storing it in moto")
    made.cloud.put(held, s3_keys.files("large"))
    once = replace(made, rounds=1)
    slow = _compared(once, made.cloud.of("large"), f"{title}, from moto", LARGE_RATIO, held)
    return joined(one, other, slow)


def _compared(made: Bench, account: Account, title: str, ratio: float, held: Path) -> Told:
    """Both in turns into memory, each time into nothing; what came is compared with what is held."""
    directory = made.data / "fetched"
    directory.mkdir(exist_ok=True)
    source = f"s3://{BUCKET}/{s3_keys.files(account.stack)}"
    sync = (made.aws, "s3", "sync", "--only-show-errors", source, ".env/files")
    sides = (Side(THEIRS, sync, directory), Side(OURS, (sys.executable, "-c", FETCH), directory))
    targets = (Target(OURS, THEIRS, ratio=ratio),)
    compared = Comparison(title, title, sides, made.rounds, targets, _content(held), warm_up=made.rounds > 1)
    return bench.told(made.compare(compared, made.runner(account, _came)))


def _came(side: Side, sample: Sample) -> Sample:
    return answered(sample, _content(side.directory / ".env" / "files"))


def _content(directory: Path) -> str:
    """One checksum of every path and content."""
    found = hashlib.sha256()
    for file in sorted(path for path in directory.rglob("*") if path.is_file()):
        found.update(f"{file.relative_to(directory)} {file.stat().st_size}\n".encode())
        with file.open("rb") as content:
            while block := content.read(BLOCK):
                found.update(block)
    return found.hexdigest()
