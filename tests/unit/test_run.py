"""How a failed stage is told, with and without a kill for memory meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handoff_runtime.memory import Memory
from handoff_runtime.outcome import Ending
from handoff_runtime.run import _death

if TYPE_CHECKING:
    from pathlib import Path

FOR_MEMORY = "was killed for memory: the limit of 64 MiB was reached"


@pytest.mark.parametrize(
    ("status", "exit_code", "kills", "words"),
    [
        pytest.param(-9, 137, 1, FOR_MEMORY, id="killed"),
        pytest.param(137, 137, 1, FOR_MEMORY, id="a shell tells that what it ran was killed"),
        pytest.param(-9, 137, 0, "was ended by SIGKILL (out of memory?)", id="killed by somebody"),
        pytest.param(137, 137, 0, "ended with exit 137", id="what a shell ran was killed by somebody"),
        pytest.param(1, 1, 1, "ended with exit 1", id="failed while another was killed"),
        pytest.param(-15, 143, 1, "was ended by SIGTERM", id="another signal"),
    ],
)
def test_a_failed_stage_is_told_in_words(tmp_path: Path, status: int, exit_code: int, kills: int, words: str) -> None:
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(f"{64 << 20}\n")
    (group / "memory.events").write_text("oom_kill 0\n")
    memory = Memory(str(tmp_path))
    (group / "memory.events").write_text(f"oom_kill {kills}\n")
    assert _death(exit_code, Ending(status, 1.0), memory) == words
