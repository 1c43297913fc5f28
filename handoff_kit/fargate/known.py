"""What is known of a project while a task of it is told of: what its hints and advice are made from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Known"]


@dataclass(frozen=True)
class Known:
    """The flags that name it, its file, its stack, whether its tasks have an address, seconds they have to stop."""

    options: str
    file: str
    stack: str
    public_ip: bool = True
    stop_timeout: int = 30

    def invoke(self, task: str) -> str:
        """A command for the same project."""
        return f"invoke {task} {self.options}"
