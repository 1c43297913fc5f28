"""The invoke tasks of handoff, for this checkout; each is in handoff_kit/tasks/, in the file of its noun."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# invoke switches this off, which would have all of pydantic and rich compiled anew at every start.
sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))

from handoff_kit import command_line, tasks  # noqa: E402  # compiled once, like all that follows
from handoff_kit.tasks.telling import told  # noqa: E402

ROOT = Path(__file__).resolve().parent


@told
def _understand() -> None:
    if words := command_line.given():
        command_line.check(words, namespace, ROOT)


namespace = tasks.collection(ROOT)
_understand()
