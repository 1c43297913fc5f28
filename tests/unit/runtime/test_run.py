"""How a failed stage is described, with and without a kill for memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handoff_runtime.masking import Mask
from handoff_runtime.params import Params
from handoff_runtime.pipeline import Pipeline, Stage
from handoff_runtime.record import RunStart
from handoff_runtime.run import RunContext, RunRequest, describe_result
from handoff_runtime.supervisor.oom import OomDetector
from handoff_runtime.supervisor.outcome import StageExit
from handoff_runtime.supervisor.supervisor import PipelineResult, StageFigures, SupervisorSettings

if TYPE_CHECKING:
    from pathlib import Path

FOR_MEMORY = "was killed for memory: the limit of 64 MiB was reached"
PIPELINE = Pipeline("sample", "dev", {}, {}, "all", "off", (Stage("tap", ("tap",), "tap", None, {}),))
CONTEXT = RunContext(
    RunRequest("run", {}, None, "text", None),
    Params(PIPELINE, (), {}),
    PIPELINE,
    {},
    SupervisorSettings("off", 30.0),
    RunStart("run-1", "run", "local", 0.0, 0.0, {}, PIPELINE),
    Mask((), ()),
    reads_state=False,
)


@pytest.mark.parametrize(
    ("status", "kills", "words"),
    [
        pytest.param(-9, 1, FOR_MEMORY, id="killed"),
        pytest.param(137, 1, FOR_MEMORY, id="a shell tells that what it ran was killed"),
        pytest.param(-9, 0, "was ended by SIGKILL (out of memory?)", id="killed by somebody"),
        pytest.param(137, 0, "ended with exit 137", id="what a shell ran was killed by somebody"),
        pytest.param(1, 1, "ended with exit 1", id="failed while another was killed"),
        pytest.param(-15, 1, "was ended by SIGTERM", id="another signal"),
    ],
)
def test_a_failed_stage_is_described(tmp_path: Path, status: int, kills: int, words: str) -> None:
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(f"{64 << 20}\n")
    (group / "memory.events").write_text("oom_kill 0\n")
    memory = OomDetector(str(tmp_path))
    (group / "memory.events").write_text(f"oom_kill {kills}\n")
    figures = StageFigures("tap", 0.0, 1.0, StageExit(status, 1.0), None, None, None, None, None)
    ended = describe_result(CONTEXT, PipelineResult((figures,), None), memory)
    assert (ended.culprit, ended.reason) == ("tap", f"stage tap {words}")
