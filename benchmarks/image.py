"""Measure the images of projects: how small, how fast built, how fast started: `uv run python benchmarks/image.py`.

Needs docker on Linux, and what a build reaches. Prints Markdown: first every aim with what was measured, then the
figures they come from. Nothing of it stays, but what BuildKit keeps in its cache.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import first_byte
import machine
import rebuild
import table
import weight
from comparison import Verdict, measure
from engine import BASE, Engine
from rivals import RIVALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from comparison import Measured
    from rebuild import Bench, Build

VENVS = ("tap", "target")
STORE_LIMIT, BARE_LIMIT, ELEMENTS_EXTRA = 35_000_000, 3_000_000, 40_000_000
OURS_LIMIT = 2.0
START_ROUNDS = 20
ELEMENTS = "handoff: the runtime with its store, the two venvs from their locks"


@dataclass(frozen=True)
class Told:
    """What a part of the benchmark has to tell: its aims, and its figures as Markdown."""

    verdicts: tuple[Verdict, ...]
    figures: str


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds of the builds (default: 3)")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be given many times")
    return parser


def main(asked: argparse.Namespace) -> None:
    """Measure what is asked, print it, leave nothing."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="handoff-benchmark-")))
        engine = Engine({**os.environ, "LC_ALL": "C"}, work / "said")
        stack.enter_context(engine.swept())
        print(f"{machine.described()}; {_docker(engine)}; load at the start {machine.load()}\n", flush=True)
        bench = rebuild.bench(work, engine)
        told = [part(bench, asked.rounds) for name, part in PARTS.items() if name in (asked.only or PARTS)]
        _say(f"load at the end {machine.load()}")
        print("\n\n".join((_aims(told), *(each.figures for each in told))))


def _docker(engine: Engine) -> str:
    version = engine.ask("version", "--format", "{{.Server.Version}}")
    return f"docker {version}, {BASE} of {_megabytes(engine.size(BASE))}"


def _aims(told: Iterable[Told]) -> str:
    return table.targets(verdict for each in told for verdict in each.verdicts)


def size(bench: Bench, _rounds: int) -> Told:
    """What the images of the samples are over their base, and what they hold."""
    _say("size")
    bench.add("no-store", f"{_text(bench, 'word-count')}\nimage: {{store: none}}\n")
    stored, bare, elements = (bench.build(project).image for project in ("word-count", "no-store", "elements"))
    bench.invoke("install", "elements")
    inside = weight.venvs(bench.engine, elements, VENVS)
    allowed = sum(inside.values()) + ELEMENTS_EXTRA
    bounds = (
        _size(bench, "word-count, with the AWS store", stored, STORE_LIMIT),
        _size(bench, "word-count, `image: {store: none}`", bare, BARE_LIMIT),
        _size(bench, "elements (its venvs and 40 MB)", elements, allowed),
    )
    here = weight.venvs_here(bench.directory("elements"), VENVS)
    return Told(bounds, f"{_venvs(inside, here)}\n\n{_store(bench.engine, stored)}")


def _text(bench: Bench, project: str) -> str:
    return (bench.directory(project) / "project.yml").read_text()


def _size(bench: Bench, what: str, image: str, allowed: int) -> Verdict:
    found = bench.engine.over_base(image)
    return Verdict(f"image over its base: {what}", _megabytes(allowed), _megabytes(found), found <= allowed)


def _venvs(inside: dict[str, int], here: dict[str, int]) -> str:
    rows = [(f"venv {name}", _megabytes(inside[name]), _megabytes(here[name])) for name in inside]
    total = ("both", _megabytes(sum(inside.values())), _megabytes(sum(here.values())))
    return f"## The venvs of elements\n\n{table.table(('', 'in the image', 'installed here'), (*rows, total))}"


def _store(engine: Engine, image: str) -> str:
    parts = weight.parts(engine, image)
    rows = [(part, *map(_megabytes, sizes)) for part, sizes in parts.items()]
    total = ("all", *(_megabytes(sum(sizes)) for sizes in zip(*parts.values(), strict=True)))
    return f"## What the runtime's environment holds\n\n{table.table(('', 'bytes', 'of them .pyc'), (*rows, total))}"


def build(bench: Bench, rounds: int) -> Told:
    """`invoke build` after each change, and without any cache."""
    warm = rebuild.rebuilds(bench, rounds, _say)
    cold = [_cold(bench, number) for number in range(rounds)]
    done = {f"changed: {what}": builds for what, builds in warm.items()} | {"no cache at all": cold}
    ours = rebuild.median(warm[rebuild.STEP]).ours
    verdict = Verdict(
        f"of ours in `invoke build`, changed: {rebuild.STEP}", f"{OURS_LIMIT} s", f"{ours:.2f} s", ours <= OURS_LIMIT
    )
    head = ("elements", "whole", "of it `docker build`", "of it ours", "ours, lowest - highest")
    figures = table.table(head, (_build(what, builds) for what, builds in done.items()))
    return Told((verdict,), f"## `invoke build` ({rounds} rounds, {bench.engine.builder()})\n\n{figures}")


def _cold(bench: Bench, number: int) -> Build:
    _say(f"build: round {number + 1}, no cache")
    return bench.build("elements", "--no-cache")


def _build(what: str, builds: list[Build]) -> tuple[str, ...]:
    middle, ours = rebuild.median(builds), sorted(each.ours for each in builds)
    docker = "not run" if middle.docker is None else f"{middle.docker:.2f} s"
    return (what, f"{middle.seconds:.2f} s", docker, f"{middle.ours:.2f} s", f"{ours[0]:.2f} - {ours[-1]:.2f} s")


def start(bench: Bench, _rounds: int) -> Told:
    """The first byte through the pipe, against the shell in the same image."""
    compared, container = first_byte.prepare(bench, START_ROUNDS)
    measured = measure(compared, container.run, _say)
    return Told(measured.verdicts(), _start(measured))


def _start(measured: Measured) -> str:
    base = measured.comparison.sides[0].name
    rows = [_side(measured, side.name, base) for side in measured.comparison.sides]
    head = ("side", "first byte after", f"/ {base}", "lowest - highest")
    times = f"{measured.comparison.rounds} rounds; docker and others kept {measured.others:.2f} cores busy"
    return f"## {measured.comparison.title} ({times})\n\n{table.table(head, rows)}"


def _side(measured: Measured, side: str, base: str) -> tuple[str, ...]:
    ratios = measured.ratios(side, base)
    ratio = f"{measured.ratio(side, base):.2f}x"
    return (side, f"{measured.seconds(side):.3f} s", ratio, f"{ratios[0]:.2f} - {ratios[-1]:.2f}")


def others(bench: Bench, rounds: int) -> Told:
    """Images that others would make for elements, built in turns with ours."""
    elements = bench.directory("elements")
    places = {rival: rival.write(bench.root / "rivals" / rival.name, elements) for rival in RIVALS}
    seconds: dict[str, list[float]] = {title: [] for title in (ELEMENTS, *(rival.title for rival in RIVALS))}
    images = {rival.title: rival.image for rival in RIVALS}
    for number in range(rounds):
        _say(f"others: round {number + 1} of {rounds}")
        ours = bench.build("elements", "--no-cache")
        images[ELEMENTS] = ours.image
        seconds[ELEMENTS].append(ours.seconds)
        for rival, directory in places.items():
            seconds[rival.title].append(bench.engine.build(rival.image, directory))
    rows = [(title, bench.engine.over_base(images[title]), each) for title, each in seconds.items()]
    return Told((), _others(rows, f"{rounds} rounds, {bench.engine.builder()}"))


def _others(rows: list[tuple[str, int, list[float]]], times: str) -> str:
    least, fastest = rows[0][1], statistics.median(rows[0][2])
    lines = [
        (title, _megabytes(each), f"{each / least:.1f}x", f"{middle:.1f} s", f"{middle / fastest:.1f}x", _range(taken))
        for title, each, taken in rows
        for middle in (statistics.median(taken),)
    ]
    head = ("elements, as an image of", "over the base", "/ handoff", "built in", "/ handoff", "lowest - highest")
    return f"## Other images, without any cache ({times})\n\n{table.table(head, lines)}"


def _range(taken: list[float]) -> str:
    return f"{min(taken):.1f} - {max(taken):.1f} s"


def _megabytes(size: int) -> str:
    """As docker tells sizes, so fine that a few KB are seen."""
    return f"{size / 1e6:.2f} MB"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


PARTS: dict[str, Callable[[Bench, int], Told]] = {"size": size, "build": build, "start": start, "others": others}

if __name__ == "__main__":
    main(arguments().parse_args())
