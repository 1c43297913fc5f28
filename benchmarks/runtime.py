"""The runtime as a side: a directory with a params document, and the command line that runs it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from side import Side

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

METERS = ("off", "bytes", "rows")
PARAMS = "params.json"
PEAK = """
import re, runpy, sys
sys.argv[0] = "handoff_runtime"
try:
    runpy.run_module("handoff_runtime", run_name="__main__", alter_sys=True)
finally:
    sys.stdout.write(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""


def side(directory: Path, stages: Sequence[Sequence[str]], meter: str) -> Side:
    """`python -m handoff_runtime` on these stages, with this meter."""
    argv = (sys.executable, "-m", "handoff_runtime", *_prepared(directory, stages, meter))
    return Side(f"handoff, meter {meter}", argv, directory, directory / ".artifacts" / "state")


def peak(directory: Path, stages: Sequence[Sequence[str]], meter: str) -> Side:
    """The same, but its answer is the runtime's own peak of resident memory, in KiB (proc(5): VmHWM)."""
    return Side("peak", (sys.executable, "-c", PEAK, *_prepared(directory, stages, meter)), directory)


def _prepared(directory: Path, stages: Sequence[Sequence[str]], meter: str) -> tuple[str, ...]:
    directory.mkdir(parents=True)
    (directory / PARAMS).write_text(json.dumps(_document(stages, meter)))
    return ("run", "--params", PARAMS)


def _document(stages: Sequence[Sequence[str]], meter: str) -> dict[str, object]:
    listed: list[dict[str, object]] = [
        {"name": f"{argv[0]}-{number}", "argv": list(argv), "venv": None, "envs": {}}
        for number, argv in enumerate(stages, 1)
    ]
    pipeline = {
        "format": 1,
        "project": "benchmark",
        "environment": "dev",
        "vars": {},
        "envs": {},
        "state": "all",
        "meter": meter,
        "stages": listed,
    }
    return {"format": 1, "pipeline": pipeline, "files": []}
