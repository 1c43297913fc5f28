"""Our own stdout and stderr: what reaches them, whether a person looks at them, what to do once nobody reads them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from handoff_runtime.terminal import safe_bytes, safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

__all__ = ["can_refresh", "give_up", "pass_on", "prompt"]

STDERR = 2
DUMB = ("", "dumb", "unknown")


def can_refresh(environ: Mapping[str, str]) -> bool:
    """Whether a terminal can refresh in place, and a person looks at it."""
    in_ci = environ.get("CI", "").lower() not in ("", "0", "false")
    return not in_ci and environ.get("TERM", "").lower() not in DUMB


def prompt(text: str, shown: TextIO | None = None) -> None:
    """Write a question to stderr; the cursor stays behind it."""
    shown = shown or sys.stderr
    shown.write(safe_text(text))
    shown.flush()


def pass_on(data: bytes) -> None:
    """Write what another program wrote to stderr."""
    os.write(STDERR, safe_bytes(data))


def give_up(stream: TextIO) -> None:
    """Let what is written from now on, and what is still held, go nowhere.

    Nobody reads it, which is no reason to end with a traceback, nor with 120 as Python would.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
