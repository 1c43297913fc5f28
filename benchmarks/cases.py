"""What is compared with what: the cases, by the names that --only takes."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import checkout
import runtime
import stream
from comparison import Comparison, Target
from side import Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from others import Installed

SHELL = "sh"
NOTHING = "python -c pass"
LIMITS = {"bytes": 0.75, "rows": 0.90}
PACED_RATE, PACED_SECONDS, PACED_LIMIT = 40_000_000, 8, 1.03
SMALL_SIZE, SMALL_ROUNDS = 10_000, 30
START_RATIO, START_EXTRA, TASK_RATIO = 4.0, 0.070, 5.0
OTHERS_ROUNDS = 3


@dataclass(frozen=True)
class Place:
    """Where things lie: data in memory if there is room, directories of the runs on disk."""

    data: Path
    work: Path

    def __truediv__(self, name: str) -> Place:
        """The same data, a directory for the runs further down."""
        return Place(self.data, self.work / name)


def large(place: Place, size: int) -> tuple[Path, int]:
    """The large file, made when it is first asked for, and the number of its lines."""
    return _stream(place.data / f"large-{size}.jsonl", size)


def small(place: Place) -> tuple[Path, int]:
    """The small file."""
    return _stream(place.data / "small.jsonl", SMALL_SIZE)


def _stream(path: Path, size: int) -> tuple[Path, int]:
    noted = path.with_suffix(".lines")
    if not noted.exists():
        noted.write_text(str(stream.write(path, size)))
    return path, int(noted.read_text())


def two(place: Place, size: int, rounds: int) -> Comparison:
    """The shortest pipeline."""
    return _pipes(place, "two", size, rounds, (("wc", "-l"),))


def four(place: Place, size: int, rounds: int) -> Comparison:
    """Four stages that do nothing but copy."""
    return _pipes(place, "four", size, rounds, (("cat",), ("cat",), ("wc", "-l")))


def uneven(place: Place, size: int, rounds: int) -> Comparison:
    """Four stages of which two work and one sets the pace, as in a pipeline that is of use."""
    return _pipes(place, "uneven", size, rounds, (("grep", "-v", "zzz"), ("tr", "a-z", "A-Z"), ("wc", "-l")))


def _pipes(place: Place, name: str, size: int, rounds: int, after: Sequence[Sequence[str]]) -> Comparison:
    """`cat` of the large file through these stages, by the shell and with every meter."""
    file, lines = large(place, size)
    stages = (("cat", str(file)), *after)
    ours = (runtime.side(place.work / name / meter, stages, meter) for meter in runtime.METERS)
    targets = tuple(Target(f"handoff, meter {meter}", SHELL, limit) for meter, limit in LIMITS.items())
    title = f"`{' | '.join(map(shlex.join, (('cat', 'f'), *after)))}`"
    return Comparison(name, title, (shell(place, stages), *ours), rounds, targets, str(lines))


def paced(place: Place, _size: int, rounds: int) -> Comparison:
    """A source that is slower than any pipeline."""
    script = str(Path(__file__).with_name("paced.py"))
    stages = ((sys.executable, script, str(PACED_RATE), str(PACED_SECONDS)), ("wc", "-l"))
    metered = [runtime.side(place.work / "paced" / meter, stages, meter) for meter in ("bytes", "rows")]
    targets = tuple(Target(side.name, SHELL, PACED_LIMIT) for side in metered)
    title = f"a source of {PACED_RATE / 1e6:.0f} MB/s for {PACED_SECONDS} s, `| wc -l`"
    return Comparison("paced", title, (shell(place, stages), *metered), rounds, targets, warm_up=False)


def start(place: Place, _size: int, _rounds: int) -> Comparison:
    """A pipeline with nearly nothing to do: what remains is the start."""
    file, _ = small(place)
    stages = (("cat", str(file)), ("wc", "-l"))
    ours = runtime.side(place.work / "start", stages, "rows")
    nothing = Side(NOTHING, (sys.executable, "-c", "pass"), place.work)
    targets = (Target(ours.name, NOTHING, ratio=START_RATIO), Target(ours.name, SHELL, extra=START_EXTRA))
    sides = (nothing, shell(place, stages), ours)
    return Comparison("start", "a small `cat f | wc -l`", sides, SMALL_ROUNDS, targets)


def task(place: Place, _size: int, _rounds: int) -> Comparison:
    """The task against invoke itself."""
    copied = checkout.copy(place.work / "task")
    sides = (checkout.version(copied), checkout.run_local(copied, "word-count"))
    targets = (Target("invoke run-local", "invoke --version", ratio=TASK_RATIO),)
    return Comparison("task", "`invoke run-local --project word-count`", sides, SMALL_ROUNDS, targets)


def others_small(place: Place, rounds: int, tools: Sequence[Installed]) -> Comparison:
    """Other tools with nearly nothing to do."""
    return _others(place / "others-small", small(place), rounds, tools)


def others_large(place: Place, size: int, tools: Sequence[Installed]) -> Comparison:
    """Other tools with much to do; some of them take minutes."""
    return _others(place / "others-large", large(place, size), OTHERS_ROUNDS, tools)


def _others(place: Place, data: tuple[Path, int], rounds: int, tools: Sequence[Installed]) -> Comparison:
    file, lines = data
    name = place.work.name
    stages = (("cat", str(file)), ("wc", "-l"))
    copied = checkout.copy(place.work / "checkout")
    checkout.write_project(copied, "count", file)
    ours = (runtime.side(place.work / "runtime", stages, "rows"), checkout.run_local(copied, "count"))
    theirs = [tool.side(place.work / tool.tool.name, file) for tool in tools]
    title = f"other tools: `cat f | wc -l`, {file.stat().st_size:,} bytes"
    sides = (shell(place, stages), *ours, *theirs)
    return Comparison(name, title, sides, rounds, answer=str(lines), warm_up=rounds > OTHERS_ROUNDS)


def shell(place: Place, stages: Sequence[Sequence[str]]) -> Side:
    """The same stages as a line of sh."""
    line = " | ".join(map(shlex.join, stages))
    return Side(SHELL, ("sh", "-c", line), place.work)


CASES = {"two": two, "four": four, "uneven": uneven, "paced": paced, "start": start, "task": task}
