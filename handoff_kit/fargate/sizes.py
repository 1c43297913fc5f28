"""The sizes a Fargate task can have: for each number of CPU units, the memory in MiB.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

from __future__ import annotations

__all__ = ["CPUS", "MEMORIES", "SIZES", "larger", "memories"]

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


def memories(cpu: int) -> tuple[int, ...]:
    """The memory, in MiB, that goes with so many CPU units; nothing where Fargate has no such number."""
    return SIZES.get(cpu, ())


def larger(cpu: int, memory: int) -> tuple[int, int] | None:
    """The next valid pair with more memory: the same CPU if it has one, else the next; None at the end."""
    for units in CPUS:
        if units >= cpu and (more := next((size for size in memories(units) if size > memory), None)):
            return units, more
    return None
