"""The runtime's own peak of memory: without a store, and with little and much to fetch and to store."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import bench
import runtime
from bench import Bench, Told, within
from remote_account import write_large
from side import Side
from starting import ALONE, CLIENTS

from handoff_runtime import s3_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from remote_account import Account
    from side import Sample

LIMIT, LITTLE, MUCH = 60.0, 20_000_000, 10**9
STAGES = (("echo", "x"), ("cat",))
ANSWER = "peak"
# The runtime ends by os._exit; what it needed until then is noted before (proc(5): VmHWM, KiB).
NOTE = f"""
import re
with open("/proc/self/status") as status, open("{ANSWER}", "w") as answer:
    answer.write(re.search(r"VmHWM:\\s*(\\d+)", status.read())[1])
"""
PEAK = f"""
import os, runpy, sys
def leave(code, leave=os._exit):
    exec({NOTE!r})
    leave(code)
os._exit, sys.argv[0] = leave, "handoff_runtime"
runpy.run_module("handoff_runtime", run_name="__main__", alter_sys=True)
"""


def memory(made: Bench) -> Told:
    """Each once, but the local one and that with little three times."""
    local = runtime.side(made.work / "peak-local", STAGES, "rows").directory
    document = json.loads((local / runtime.PARAMS).read_text())
    found = {"without a store": _peak(made, "", local, 3, "--params", runtime.PARAMS)}
    for where, prefix in (("files", s3_keys.files), ("artifacts", s3_keys.artifacts)):
        for size, rounds in ((LITTLE, 3), (MUCH, 1)):
            stack = f"peak-{where}-{size}"
            with _stored(made.cloud.of(stack), made.data / stack, prefix(stack), size) as directory:
                made.cloud.of(stack).put_params(document)
                found[f"{size / 1e6:,.0f} MB in {where}"] = _peak(made, stack, directory, rounds)
    base = found["without a store"]
    bare = Side("peak bare", (sys.executable, "-c", f"{CLIENTS}{NOTE}"), made.work, made.work / ANSWER)
    found[f"a Python with {ALONE}, no run"] = _median(made.runner(made.cloud), bare, 3)
    verdicts = [
        within(f"peak memory over the run without a store, {name}", LIMIT, peak - base, "MB")
        for name, peak in found.items()
        if " in " in name
    ]
    lines = "\n".join(f"| {name} | {peak:.1f} MB |" for name, peak in found.items())
    return Told(tuple(verdicts), f"### Peak memory of the runtime\n\n| run | peak |\n| --- | --- |\n{lines}")


@contextmanager
def _stored(account: Account, directory: Path, prefix: str, size: int) -> Iterator[Path]:
    """Store a file of this size, and have an empty directory for the run that fetches it."""
    bench.say(f"memory: {account.stack}")
    write_large(directory, size)
    account.put(directory, prefix)
    shutil.rmtree(directory)
    directory.mkdir()
    yield directory
    shutil.rmtree(directory)


def _peak(made: Bench, stack: str, directory: Path, rounds: int, *words: str) -> float:
    """The median, in MB."""
    side = Side(f"peak {stack}", (sys.executable, "-c", PEAK, "run", *words), directory, directory / ANSWER)
    return _median(made.runner(made.cloud.of(stack)), side, rounds)


def _median(run: Callable[[Side], Sample], side: Side, rounds: int) -> float:
    return statistics.median(int(run(side).answer) for _ in range(rounds)) * 1024 / 1e6
