"""Figures as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from comparison import Measured, Verdict


def targets(verdicts: Iterable[Verdict]) -> str:
    """Every target with what was measured."""
    rows = [(each.what, each.allowed, each.measured, "met" if each.met else "**missed**") for each in verdicts]
    return table(("what", "at most", "measured", ""), rows)


def sides(measured: Measured) -> str:
    """Every side of a comparison; the ratio's range is that within single rounds."""
    base = measured.comparison.sides[0].name
    rows = [_side(measured, side.name, base) for side in measured.comparison.sides]
    times = f"{measured.comparison.rounds} rounds; others kept {measured.others:.2f} cores busy"
    head = ("side", "wall", "CPU", "cores busy", f"wall / {base}", "lowest - highest")
    return f"### {measured.comparison.title} ({times})\n\n{table(head, rows)}"


def _side(measured: Measured, side: str, base: str) -> tuple[str, ...]:
    wall, cpu = measured.seconds(side), measured.cpu_seconds(side)
    ratios = measured.ratios(side, base)
    figures = (f"{wall:.3f} s", f"{cpu:.3f} s", f"{cpu / wall:.2f}", f"{measured.ratio(side, base):.2f}x")
    return (side, *figures, f"{ratios[0]:.2f} - {ratios[-1]:.2f}")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under a head."""
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
