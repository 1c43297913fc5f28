"""What would run, as a person would type it: the stages joined by `|`, secrets starred."""

from __future__ import annotations

import re
import time

from handoff_runtime import masking, placeholders, record
from handoff_runtime.masking import Mask
from handoff_runtime.params import Params
from handoff_runtime.pipeline import Pipeline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


def render_commands(params: Params, data: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """The pipeline of these params with its placeholders filled, one stage a line."""
    whole = params.pipeline
    due = placeholders.scheduled_at(data, time.time())
    known = placeholders.known_values(
        data, whole, placeholders.RunNames("RUN_ID", whole.project, whole.environment, due)
    )
    pipeline = placeholders.fill_pipeline(whole, known)
    return render_lines(pipeline, masking.mask_for_run(params, pipeline, environ, data))


def render_lines(pipeline: Pipeline, hidden: Mask) -> str:
    """One stage a line, each but the last ending in ` |`."""
    shown: list[str] = []
    for stage in pipeline.stages:
        words = [hidden.mask_text(word) for word in record.display_words(stage)]
        envs = [f"{name}={quote(hidden.mask_text(value))}" for name, value in stage.envs.items()]
        if stage.venv and "/" not in words[0]:
            words[0] = f"{stage.venv}/bin/{words[0]}"
        shown.append(" ".join([*envs, *map(quote, words)]))
    return " |\n".join(shown) + "\n"


def quote(word: str) -> str:
    """The word as a POSIX shell would need it written."""
    return word if _PLAIN.fullmatch(word) else "'" + word.replace("'", "'\"'\"'") + "'"
