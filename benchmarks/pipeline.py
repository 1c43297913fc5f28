"""Measure handoff against the shell and other tools, in turns, whole processes: `uv run python benchmarks/pipeline.py`.

Prints Markdown: first every target with what was measured, then the figures they come from.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cases
import machine
import others
import runtime
import side
import table
from cases import Place
from comparison import Verdict, measure
from side import SideError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from comparison import Measured
    from others import Installed
    from side import Sample, Side

MEMORY = Path("/dev/shm")  # noqa: S108  # data in memory, if there is room
UNITS = {"GB": 10**9, "MB": 10**6}
PEAK_LIMIT, PEAK_SIZE, PEAK_RATIO = 25.0, 20_000_000, 1.05
NAMES = (*cases.CASES, "memory", "others")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=size, default="2GB", help="of the large file, like 500MB (default: 2GB)")
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds of the long cases (default: 7)")
    parser.add_argument("--only", action="append", choices=NAMES, help="a case; may be given many times")
    parser.add_argument("--others", type=Path, metavar="DIR", help="where other tools are installed; they run if given")
    parser.add_argument("--python-for-handoff", default=sys.executable, metavar="PYTHON", help="for upstream handoff")
    return parser


def size(text: str) -> int:
    """`2GB` and `500MB` as bytes."""
    number, unit = text[:-2], text[-2:].upper()
    if unit not in UNITS or not number.replace(".", "", 1).isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} found, a size like 2GB or 500MB expected")
    return int(float(number) * UNITS[unit])


def main(asked: argparse.Namespace) -> None:
    """Measure what is asked, print it, leave nothing."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    side.adopt_orphans()
    print(f"{machine.described()}; load at the start {machine.load()}\n")
    with ExitStack() as stack:
        work = _directory(stack, None)
        place = Place(_directory(stack, _roomy(asked.size)), work)
        run = partial(side.run, environ=side.environment(os.environ, work), scratch=work)
        _report(asked, place, run)


def _directory(stack: ExitStack, inside: Path | None) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="handoff-benchmark-", dir=inside)))


def _roomy(wanted: int) -> Path | None:
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2 * wanted else None


def _report(asked: argparse.Namespace, place: Place, run: Callable[[Side], Sample]) -> None:
    wanted = asked.only or NAMES
    chosen = [case for name, case in cases.CASES.items() if name in wanted]
    measured = [measure(case(place, asked.size, asked.rounds), run, _say) for case in chosen]
    verdicts = [verdict for each in measured for verdict in each.verdicts()]
    if "memory" in wanted:
        verdicts += _memory(place, asked.size, run)
    told: list[str] = []
    if asked.others and "others" in wanted:
        told, compared = _others(asked, place, run)
        measured += compared
    _say(f"load at the end {machine.load()}")
    print("\n\n".join((table.targets(verdicts), *told, *(table.sides(each) for each in measured))))


def _memory(place: Place, large: int, run: Callable[[Side], Sample]) -> Iterator[Verdict]:
    """The runtime's own peak, for little data and for much."""
    for meter in runtime.METERS:
        few, many = (_peak(place, amount, meter, run) for amount in (PEAK_SIZE, large))
        what = f"peak memory of the runtime, meter {meter}"
        much = f"{large / 1e6:.0f} MB of data"
        yield Verdict(f"{what}, {much}", f"{PEAK_LIMIT:.0f} MB", f"{many:.1f} MB", many <= PEAK_LIMIT)
        flat = many / few
        little = f"that of {PEAK_SIZE / 1e6:.0f} MB of data"
        yield Verdict(f"{what}, {much}", f"{PEAK_RATIO}x of {little}", f"{flat:.2f}x", flat <= PEAK_RATIO)


def _peak(place: Place, amount: int, meter: str, run: Callable[[Side], Sample]) -> float:
    _say(f"memory: meter {meter}, {amount} bytes")
    file, _ = cases.large(place, amount)
    directory = place.work / "memory" / f"{meter}-{amount}"
    measured = runtime.peak(directory, (("cat", str(file)), ("wc", "-l")), meter)
    return statistics.median(int(run(measured).answer) for _ in range(3)) * 1024 / 1e6


def _others(asked: argparse.Namespace, place: Place, run: Callable[[Side], Sample]) -> tuple[list[str], list[Measured]]:
    """Install the other tools, say which could not be, and compare the rest."""
    pythons = {"handoff": asked.python_for_handoff}
    tools = [
        others.install(tool, asked.others.resolve(), pythons.get(tool.name, sys.executable), os.environ)
        for tool in others.TOOLS
    ]
    tried = [(tool, tool.reason or _trial(tool, place, run)) for tool in tools]
    told = ["Other tools: " + "; ".join(f"{tool.tool.name} {reason or tool.version}" for tool, reason in tried)]
    there = [tool for tool, reason in tried if not reason]
    small = cases.others_small(place, asked.rounds, there)
    large = cases.others_large(place, asked.size, there)
    return told, [measure(each, run, _say) for each in (small, large)]


def _trial(tool: Installed, place: Place, run: Callable[[Side], Sample]) -> str:
    """Why a tool that is installed cannot run the pipeline; nothing if it can."""
    try:
        run(tool.side(place.work / "trial" / tool.tool.name, cases.small(place)[0]))
    except (SideError, OSError) as error:
        return f"cannot run: {error}"
    return ""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(arguments().parse_args())
