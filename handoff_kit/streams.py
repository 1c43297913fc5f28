"""Our own stdout and stderr, once nobody reads them any more: that is no reason to end with a traceback."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["give_up"]


def give_up(stream: TextIO) -> None:
    """Let what is written from now on, and what is still held, go nowhere; Python would end with 120 for it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
