"""What would run, as a person would type it: the stages joined by `|`, secrets starred."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping

from handoff_runtime import masking, placeholders, record
from handoff_runtime.annotations import Any
from handoff_runtime.masking import Mask
from handoff_runtime.params import Params
from handoff_runtime.pipeline import Pipeline


def render_commands(params: Params, data: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """The pipeline of these params with its placeholders filled, one stage a line."""
    scheduled_at = placeholders.scheduled_at(data, time.time())
    pipeline = placeholders.fill_pipeline(params.pipeline, data, "RUN_ID", scheduled_at)
    return render_lines(pipeline, masking.mask_for_run(params, pipeline, environ, data))


def render_lines(pipeline: Pipeline, hidden: Mask) -> str:
    """One stage a line, each but the last ending in ` |`."""
    shown: list[str] = []
    for stage in pipeline.stages:
        words = [hidden.mask_text(word) for word in record.display_words(stage)]
        envs = [f"{name}={shlex.quote(hidden.mask_text(value))}" for name, value in stage.envs.items()]
        if stage.venv and "/" not in words[0]:
            words[0] = f"{stage.venv}/bin/{words[0]}"
        shown.append(" ".join([*envs, *map(shlex.quote, words)]))
    return " |\n".join(shown) + "\n"
