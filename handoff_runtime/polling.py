"""Waits between two polls or two tries: tests divide them by HANDOFF_TEST_SPEED. Limits of time stay as they are."""

from __future__ import annotations

import os
import time


def interval(seconds: float) -> float:
    """The seconds to wait, divided by HANDOFF_TEST_SPEED."""
    return seconds / float(os.environ.get("HANDOFF_TEST_SPEED") or 1)


def sleep(seconds: float) -> None:
    """Wait between two polls."""
    time.sleep(interval(seconds))
