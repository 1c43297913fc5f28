"""Every error a user can cause, one class a kind; each carries the exit code it ends the program with."""

from __future__ import annotations


class HandoffError(Exception):
    """A mistake that can be told in one line, with a hint that mends it."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        lines = [f"error: {self.message}"]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class UsageError(HandoffError):
    """The command line or the environment asks for what does not exist (sysexits.h EX_USAGE)."""

    exit_code = 64


class PipelineError(HandoffError):
    """The pipeline document is not one we can run (sysexits.h EX_CONFIG)."""

    exit_code = 78


class StoreError(HandoffError):
    """Params, files or state cannot be read or kept (sysexits.h EX_UNAVAILABLE)."""

    exit_code = 69


class BusyError(HandoffError):
    """Another run of the project is under way (sysexits.h EX_TEMPFAIL)."""

    exit_code = 75


class StartError(HandoffError):
    """A stage's command is not there (127) or not executable (126), as POSIX shells tell it."""

    def __init__(self, stage: str, exit_code: int, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.stage = stage
        self.exit_code = exit_code
