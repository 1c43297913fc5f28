"""The invoke tasks of handoff, for this checkout; see handoff_kit/tasks/."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# invoke switches this off, and pydantic and rich would be compiled again at every start
sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))

from handoff_runtime.utf8 import require_utf8  # noqa: E402

require_utf8()

from handoff_kit.tasks import command_line  # noqa: E402  # after the switch, so that its bytecode is written
from handoff_kit.tasks.collection import create_collection  # noqa: E402
from handoff_kit.tasks.task import exit_on_error  # noqa: E402

ROOT = Path(__file__).resolve().parent

namespace = create_collection(ROOT)
with exit_on_error():
    command_line.check(namespace, ROOT)
