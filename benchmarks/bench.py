"""What every part of the remote benchmark is handed: the servers, room for data, and a way to run a side."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import side
import table
from comparison import Verdict, measure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from comparison import Comparison, Measured
    from remote_account import Account
    from side import Sample, Side

MADE = (".env", ".artifacts")


@dataclass(frozen=True)
class Told:
    """What a part has to tell: its aims, and its figures as Markdown."""

    verdicts: tuple[Verdict, ...]
    figures: str


@dataclass(frozen=True)
class Bench:
    """moto as an account, the installed `aws`, a directory in memory for data and one for the rest, rounds."""

    cloud: Account
    aws: str
    data: Path
    work: Path
    rounds: int

    def runner(
        self, account: Account, found: Callable[[Side, Sample], Sample] | None = None
    ) -> Callable[[Side], Sample]:
        """Runs a side of this account in a directory without what an earlier run made; `found` completes the sample."""

        def run(one: Side) -> Sample:
            for name in MADE:
                shutil.rmtree(one.directory / name, ignore_errors=True)
            sample = side.run(one, account.environ, self.work)
            return found(one, sample) if found else sample

        return run

    def compare(self, compared: Comparison, run: Callable[[Side], Sample]) -> Measured:
        """Measure, and say how far it is."""
        return measure(compared, run, say)


def told(measured: Measured) -> Told:
    """A comparison whose aims are its own."""
    return Told(measured.verdicts(), table.sides(measured))


def joined(*parts: Told) -> Told:
    """Several as one."""
    verdicts = tuple(verdict for part in parts for verdict in part.verdicts)
    return Told(verdicts, "\n\n".join(part.figures for part in parts))


def within(what: str, limit: float, found: float, unit: str) -> Verdict:
    """An aim that is a number."""
    return Verdict(what, f"{limit:g} {unit}", f"{found:.2f} {unit}", found <= limit)


def answered(sample: Sample, answer: object) -> Sample:
    """The same sample with what it found."""
    return replace(sample, answer=str(answer))


def say(text: str) -> None:
    """Progress, which is not the result."""
    print(text, file=sys.stderr, flush=True)
