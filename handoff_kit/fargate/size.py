"""The size of one run by `--cpu` and `--memory`, where it differs from the project's."""

from __future__ import annotations

from dataclasses import dataclass

from handoff_kit.errors import ProjectError
from handoff_kit.fargate.sizes import CPUS, memories, sizes_told
from handoff_kit.forms import mebibytes


@dataclass(frozen=True)
class Size:
    """CPU units, and memory in MiB."""

    cpu: int
    memory: int

    @property
    def told(self) -> str:
        """For messages."""
        return f"{self.cpu} CPU units, {self.memory:,} MiB"


def chosen(cpu: str, memory: str, own: Size) -> Size | None:
    """The size of the options, the missing one as `own` has it; None where both are missing."""
    if not cpu and not memory:
        return None
    size = Size(_parse_cpu(cpu) if cpu else own.cpu, _parse_memory(memory) if memory else own.memory)
    if size.memory in memories(size.cpu):
        return size
    given = " and ".join(f"--{name} {text}" for name, text in (("cpu", cpu), ("memory", memory)) if text)
    valid = sizes_told(memories(size.cpu))
    message = f"{given}: found {size.told}, expected a memory for {size.cpu} CPU units: {valid}"
    raise ProjectError(message, f"for example: {_nearest(size, keep_memory=bool(memory) and not cpu)}")


def _parse_cpu(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) in CPUS:
        return int(text)
    known = ", ".join(map(str, CPUS))
    raise ProjectError(f"--cpu: found {text!r}, expected one of {known} (1024 are one vCPU)", "for example: --cpu 1024")


def _parse_memory(text: str) -> int:
    if number := mebibytes(text):
        return number
    raise ProjectError(f"--memory: found {text!r}, expected MiB, or GB like 2GB", "for example: --memory 2GB")


def _nearest(size: Size, *, keep_memory: bool) -> str:
    """A valid size with that memory, else with that CPU and the next larger memory."""
    cpu = next((cpu for cpu in CPUS if size.memory in memories(cpu)), None)
    if keep_memory and cpu:
        return f"--cpu {cpu} --memory {size.memory}"
    valid = memories(size.cpu)
    return f"--cpu {size.cpu} --memory {next((one for one in valid if one >= size.memory), valid[-1])}"
