"""What hints and advice about a project's tasks are made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """`options` are the flags that name the project, `file` is its project file, `stop_timeout` in seconds."""

    options: str
    file: str
    stack: str
    public_ip: bool = True
    stop_timeout: int = 30

    def invoke(self, task: str) -> str:
        """An invoke command for the project."""
        return f"invoke {task} {self.options}"
