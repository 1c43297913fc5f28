"""Waits between two tries or two looks. Tests divide them by HANDOFF_TEST_SPEED; limits of time stay as they are."""

from __future__ import annotations

import os
import time


def shortened(seconds: float) -> float:
    """So many seconds, or what the tests make of them."""
    return seconds / float(os.environ.get("HANDOFF_TEST_SPEED") or 1)


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(shortened(seconds))
