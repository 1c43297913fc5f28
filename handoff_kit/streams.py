"""Our own stdout and stderr: whether a person looks at them, and what to do once nobody reads them any more."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

__all__ = ["can_refresh", "give_up"]

DUMB = ("", "dumb", "unknown")


def can_refresh(environ: Mapping[str, str]) -> bool:
    """Whether a terminal can refresh in place, and a person looks at it."""
    in_ci = environ.get("CI", "").lower() not in ("", "0", "false")
    return not in_ci and environ.get("TERM", "").lower() not in DUMB


def give_up(stream: TextIO) -> None:
    """Let what is written from now on, and what is still held, go nowhere.

    Nobody reads it, which is no reason to end with a traceback, nor with 120 as Python would.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
