"""The sizes a Fargate task can have: for each number of CPU units, the memory in MiB.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

from __future__ import annotations

from collections.abc import Sequence

_GB = 1024
SIZES: dict[int, tuple[int, ...]] = {
    256: (512, 1 * _GB, 2 * _GB),
    512: tuple(range(1 * _GB, 4 * _GB + 1, _GB)),
    1024: tuple(range(2 * _GB, 8 * _GB + 1, _GB)),
    2048: tuple(range(4 * _GB, 16 * _GB + 1, _GB)),
    4096: tuple(range(8 * _GB, 30 * _GB + 1, _GB)),
    8192: tuple(range(16 * _GB, 60 * _GB + 1, 4 * _GB)),
    16384: tuple(range(32 * _GB, 120 * _GB + 1, 8 * _GB)),
}
CPUS = tuple(SIZES)
MEMORIES = tuple(sorted({size for sizes in SIZES.values() for size in sizes}))


def memories_of(cpu: int) -> tuple[int, ...]:
    """The valid memory sizes in MiB for a number of CPU units; empty for an invalid number."""
    return SIZES.get(cpu, ())


def next_larger(cpu: int, memory: int) -> tuple[int, int] | None:
    """The next valid pair with more memory: the same CPU if it has one, else the next; None at the end."""
    for units in CPUS:
        if units >= cpu and (more := next((size for size in memories_of(units) if size > memory), None)):
            return units, more
    return None


def format_sizes(sizes: Sequence[int]) -> str:
    """The sizes as a list, or as a range with its step: 512, 1GB or 2GB; 4GB to 16GB in steps of 1GB."""
    if sizes == memories_of(CPUS[0]):
        return f"{', '.join(map(format_size, sizes[:-1]))} or {format_size(sizes[-1])}"
    return f"{format_size(sizes[0])} to {format_size(sizes[-1])} in steps of {format_size(sizes[1] - sizes[0])}"


def format_size(mebibytes: int) -> str:
    """Memory in the project file's form: 512, or 2GB."""
    return str(mebibytes) if mebibytes % _GB else f"{mebibytes // _GB}GB"
