"""The tasks that meet AWS: a long history listed, and files pushed of which none has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bench
import checkout
from bench import Bench, Told, answered, joined, within
from checkout import INVOKE
from comparison import Comparison
from remote_account import BUCKET, write_small
from side import Side

from handoff_runtime import s3_keys

if TYPE_CHECKING:
    from pathlib import Path

    from side import Sample

PROJECT = "word-count"
RUNS, DAYS, LIMIT = 10_000, {"year": 365, "month": 30}, 2.0
FILES = 1000
VERSION = "invoke --version"


def history(made: Bench) -> Told:
    """Ten thousand runs, a day's 27 for a year and 333 for a month: all of them, and the last twenty."""
    copied = checkout.copy(made.work / "history")
    return joined(*(_listed(made, copied, name, days) for name, days in DAYS.items()))


def _listed(made: Bench, copied: Path, environment: str, days: int) -> Told:
    bench.say(f"history: storing {RUNS:,} runs of {days} days")
    made.cloud.of(f"handoff-{environment}-{PROJECT}").put_history(RUNS, days)
    words = (str(INVOKE), "history", "--remote", "--project", PROJECT, "--environment", environment)
    all_of_them, newest = f"all {RUNS:,}", "the last 20"
    sides = (
        checkout.version(copied),
        Side(newest, words, copied),
        Side(all_of_them, (*words, "--last", str(RUNS)), copied),
        Side(f"{all_of_them}, --json", (*words, "--last", str(RUNS), "--json"), copied),
    )
    title = f"`invoke history --remote`, {RUNS:,} runs in {days} days"
    measured = made.compare(Comparison("history", title, sides, made.rounds), made.runner(made.cloud, _counted))
    for side in sides[2:]:
        assert {int(sample.answer) for sample in measured.samples[side.name]} <= {RUNS, RUNS + 1}, "all, and a head"
    verdicts = tuple(within(f"{title}: {side.name}", LIMIT, measured.seconds(side.name), "s") for side in sides[1:])
    return Told(verdicts, bench.told(measured).figures)


def _counted(_side: Side, sample: Sample) -> Sample:
    return answered(sample, len(sample.answer.splitlines()))


def push(made: Bench) -> Told:
    """A thousand files that are stored as they are."""
    copied = checkout.copy(made.work / "push")
    files = copied / "projects" / PROJECT / "files"
    write_small(files, FILES)
    stack = f"handoff-dev-{PROJECT}"
    made.cloud.put(files, s3_keys.files(stack))
    pushing = (str(INVOKE), "files.push", "--project", PROJECT)
    sync = (made.aws, "s3", "sync", "--only-show-errors", str(files), f"s3://{BUCKET}/{s3_keys.files(stack)}")
    sides = (Side("aws s3 sync", sync, copied), Side("invoke files.push", pushing, copied), checkout.version(copied))
    title = f"{FILES:,} files of which none has changed"
    return bench.told(made.compare(Comparison("push", title, sides, made.rounds), made.runner(made.cloud)))
