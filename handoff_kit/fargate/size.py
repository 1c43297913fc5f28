"""The size of one run, where it is not to be the project's own: `--cpu` and `--memory`, as one of Fargate's pairs."""

from __future__ import annotations

from dataclasses import dataclass

from handoff_kit.errors import ProjectError
from handoff_kit.project.fargate_sizes import CPUS, memories, sizes_told
from handoff_kit.project.fields import mebibytes

__all__ = ["Size", "chosen"]


@dataclass(frozen=True)
class Size:
    """CPU units, and memory in MiB."""

    cpu: int
    memory: int

    @property
    def told(self) -> str:
        """In words."""
        return f"{self.cpu} CPU units, {self.memory:,} MiB"


def chosen(cpu: str, memory: str, own: Size) -> Size | None:
    """The size that is asked for, what is not given being the project's own; None where neither is given."""
    if not cpu and not memory:
        return None
    asked = Size(_cpu(cpu) if cpu else own.cpu, _memory(memory) if memory else own.memory)
    if asked.memory in memories(asked.cpu):
        return asked
    given = " and ".join(f"--{name} {text}" for name, text in (("cpu", cpu), ("memory", memory)) if text)
    valid = sizes_told(memories(asked.cpu))
    message = f"{given}: found {asked.told}, expected what goes with {asked.cpu} CPU units: {valid}"
    raise ProjectError(message, f"for example: {_nearest(asked, fixed_memory=bool(memory) and not cpu)}")


def _cpu(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) in CPUS:
        return int(text)
    known = ", ".join(map(str, CPUS))
    raise ProjectError(f"--cpu: found {text!r}, expected one of {known} (1024 are one vCPU)", "for example: --cpu 1024")


def _memory(text: str) -> int:
    if number := mebibytes(text):
        return number
    raise ProjectError(f"--memory: found {text!r}, expected MiB, or GB like 2GB", "for example: --memory 2GB")


def _nearest(asked: Size, *, fixed_memory: bool) -> str:
    """A pair that there is: with the memory that was asked for, else with the next one the CPU units go with."""
    with_memory = next((cpu for cpu in CPUS if asked.memory in memories(cpu)), None)
    if fixed_memory and with_memory:
        return f"--cpu {with_memory} --memory {asked.memory}"
    sizes = memories(asked.cpu)
    return f"--cpu {asked.cpu} --memory {next((size for size in sizes if size >= asked.memory), sizes[-1])}"
