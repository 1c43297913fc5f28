"""A comparison: sides that do the same, run in turns, and the targets their medians are held against."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import machine
from side import Sample, Side, SideError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Target:
    """What `side` may take: `ratio` times the wall clock of `against`, or `extra` seconds more than it."""

    side: str
    against: str
    ratio: float | None = None
    extra: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What is compared; the first side is what the others are told in multiples of."""

    name: str
    title: str
    sides: tuple[Side, ...]
    rounds: int
    targets: tuple[Target, ...] = ()
    answer: str | None = None
    warm_up: bool = True


@dataclass(frozen=True)
class Verdict:
    """One target, and what was measured against it."""

    what: str
    allowed: str
    measured: str
    met: bool


@dataclass(frozen=True)
class Measured:
    """A comparison with the samples of each side, round by round, and the cores that others kept busy meanwhile."""

    comparison: Comparison
    samples: Mapping[str, Sequence[Sample]]
    others: float

    def seconds(self, side: str) -> float:
        """The median wall clock of a side."""
        return statistics.median(sample.seconds for sample in self.samples[side])

    def cpu_seconds(self, side: str) -> float:
        """The median CPU time of a side."""
        return statistics.median(sample.cpu_seconds for sample in self.samples[side])

    def ratio(self, side: str, against: str) -> float:
        """Median against median."""
        return self.seconds(side) / self.seconds(against)

    def ratios(self, side: str, against: str) -> Sequence[float]:
        """The ratio within each round, lowest first."""
        pairs = zip(self.samples[side], self.samples[against], strict=True)
        return sorted(one.seconds / other.seconds for one, other in pairs)

    def verdict(self, target: Target) -> Verdict:
        """Whether a target is met."""
        what = f"{self.comparison.title}: {target.side}"
        if target.ratio is not None:
            ratio = self.ratio(target.side, target.against)
            return Verdict(what, f"{target.ratio:.2f}x of {target.against}", f"{ratio:.2f}x", ratio <= target.ratio)
        allowed = target.extra or 0.0
        extra = self.seconds(target.side) - self.seconds(target.against)
        return Verdict(
            what, f"{allowed * 1000:.0f} ms over {target.against}", f"{extra * 1000:.0f} ms", extra <= allowed
        )

    def verdicts(self) -> tuple[Verdict, ...]:
        """Every target of the comparison."""
        return tuple(self.verdict(target) for target in self.comparison.targets)


def measure(comparison: Comparison, run: Callable[[Side], Sample], say: Callable[[str], None]) -> Measured:
    """Run every side in every round, beginning with another one each time; an unmeasured round goes first."""
    begun, used = time.perf_counter(), machine.others()
    samples: dict[str, list[Sample]] = {side.name: [] for side in comparison.sides}
    for number in range(-1 if comparison.warm_up else 0, comparison.rounds):
        say(f"{comparison.name}: {f'round {number + 1} of {comparison.rounds}' if number >= 0 else 'warm-up'}")
        for side in _turned(comparison.sides, max(number, 0)):
            sample = run(side)
            _check(comparison, side, sample)
            if number >= 0:
                samples[side.name].append(sample)
    others = (machine.others() - used) / (time.perf_counter() - begun)
    return Measured(comparison, samples, max(0.0, others))


def _turned(sides: tuple[Side, ...], number: int) -> tuple[Side, ...]:
    first = number % len(sides)
    return sides[first:] + sides[:first]


def _check(comparison: Comparison, side: Side, sample: Sample) -> None:
    """A side that is fast and wrong is not fast."""
    if comparison.answer is not None and sample.answer != comparison.answer:
        raise SideError(f"{side.name}: {sample.answer!r} found, {comparison.answer!r} expected")
