"""How large a task is: numbers that Fargate has, and pairs of cpu and memory that go together."""

from __future__ import annotations

import re
from math import ceil
from typing import TYPE_CHECKING

from handoff_kit.fargate.sizes import CPUS, MEMORIES, memories, size_told, sizes_told
from handoff_kit.faults.fault import Fault, told
from handoff_kit.forms import MAX_STORAGE, MIN_STORAGE, as_cpu, as_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from handoff_kit.faults.outline import Outline
    from handoff_kit.source import Trail

_GB = 1024
_VCPU = 1024
_MOST_VCPUS = 16
_CPUS = f"{', '.join(map(str, CPUS[:-1]))} or {CPUS[-1]}"
SHAPES: dict[str, tuple[tuple[str, str], ...]] = {
    "cpu": ((_CPUS, "write it like this: cpu: 256; 1024 are one vCPU"),),
    "memory": (("a size that Fargate has, in MiB or GB", "write it like this: memory: 2GB"),),
    "storage": ((f"a number of GiB, {MIN_STORAGE} to {MAX_STORAGE}", "write it like this: storage: 50"),),
}
_AMOUNT = re.compile(r"([0-9]{0,9}\.?[0-9]{1,9})\s*([a-z]*)")
_OF_VCPUS = ("vcpu", "vcpus", "cpu", "cpus", "core", "cores")
_UNITS = {
    **dict.fromkeys(("k", "kb", "kib"), 1 / _GB),
    **dict.fromkeys(("m", "mb", "mib"), 1),
    **dict.fromkeys(("g", "gb", "gib"), _GB),
    **dict.fromkeys(("t", "tb", "tib"), _GB * _GB),
}


def rewritten(trail: Trail, found: str) -> str | None:
    """How a text would be right that stands where a size belongs."""
    amount = _AMOUNT.fullmatch(found.strip().lower())
    if not amount:
        return None
    number, unit = float(amount[1]), amount[2]
    if trail == ("deploy", "cpu"):
        return _cpu(number, unit)
    return _storage(number, unit) if trail == ("deploy", "storage") else None


def pairs(outline: Outline) -> Iterator[Fault]:
    """Memory that does not go with the cpu."""
    deploy = outline.deploy()
    cpu, memory = as_cpu(deploy.get("cpu", str(CPUS[0]))), deploy.get("memory")
    if not isinstance(memory, str):
        return
    possible = memories(cpu) if isinstance(cpu, int) else MEMORIES
    if as_memory(memory) not in possible:
        beside = f"what goes with cpu {cpu}" + ("" if "cpu" in deploy else ", the default")
        expected = f"{beside}: {sizes_told(possible)}" if isinstance(cpu, int) else SHAPES["memory"][0][0]
        message = f"`memory` is {told(memory)}, expected {expected}"
        yield Fault(("deploy", "memory"), message, _memory(memory, possible))


def _cpu(number: float, unit: str) -> str | None:
    if unit in _OF_VCPUS or (not unit and number <= _MOST_VCPUS):
        return f"did you mean `{_nearest(number * _VCPU, CPUS)}`? 1024 are one vCPU"
    units = number * _VCPU / 1000 if unit == "m" else number
    return f"did you mean `{_nearest(units, CPUS)}`?" if unit in {"", "m", "unit", "units"} else None


def _memory(text: str, possible: Sequence[int]) -> str:
    amount = _AMOUNT.fullmatch(text.strip().lower())
    if not amount or (amount[2] and amount[2] not in _UNITS):
        return SHAPES["memory"][0][1]
    in_gb = not amount[2] and float(amount[1]) < _GB / 8
    wanted = float(amount[1]) * (_GB if in_gb else _UNITS.get(amount[2], 1))
    meant = _nearest(wanted, possible)
    if meant == wanted:
        return f"did you mean `{size_told(meant)}`?"
    cpu = next((units for units in CPUS if wanted in memories(units)), None)
    other = f"; or, for {size_told(int(wanted))}, cpu: {cpu}" if cpu else ""
    return f"the nearest is `{size_told(meant)}`{other}"


def _storage(number: float, unit: str) -> str | None:
    wanted = number * _UNITS[unit] / _GB if unit in _UNITS else number
    if unit not in {"", *_UNITS}:
        return None
    if wanted > MAX_STORAGE:
        return f"the most is {MAX_STORAGE}; what is larger has its place in the bucket"
    if wanted < MIN_STORAGE:
        return f"the least is {MIN_STORAGE}, which costs nothing"
    return f"did you mean `{ceil(wanted)}`?"


def _nearest(wanted: float, sizes: Sequence[int]) -> int:
    """The one that is nearest; of two, the larger."""
    return min(sizes, key=lambda size: (abs(size - wanted), -size))
