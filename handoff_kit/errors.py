"""Every error a user can cause on the workstation side; the base class and its form are the runtime's."""

from __future__ import annotations

from handoff_runtime.errors import HandoffError

__all__ = ["CommandError", "HandoffError", "ImageError", "ProjectError", "RenderError"]


class ProjectError(HandoffError):
    """The project, or how a task was asked for it, is wrong."""

    exit_code = 2


class RenderError(HandoffError):
    """A template cannot be filled (sysexits.h EX_SOFTWARE)."""

    exit_code = 70


class ImageError(HandoffError):
    """An image, or what builds and runs it, is not there or is not what it should be."""


class CommandError(HandoffError):
    """A command we started ended badly; its exit code is ours."""

    def __init__(self, message: str, exit_code: int, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code
