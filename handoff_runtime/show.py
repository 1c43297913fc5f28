"""What would run, as a person would type it: the stages joined by `|`, secrets starred."""

from __future__ import annotations

import re
import time

from handoff_runtime import mask, record, variables
from handoff_runtime.mask import Mask
from handoff_runtime.pipeline import Pipeline
from handoff_runtime.store import Params

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


def commands(params: Params, data: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """The pipeline of these params with its placeholders filled, one stage a line."""
    whole = params.pipeline
    due = variables.scheduled_at(data, time.time())
    known = variables.values(data, whole, variables.Run("RUN_ID", whole.project, whole.environment, due))
    pipeline = variables.filled(whole, known)
    return lines(pipeline, mask.of_run(params, pipeline, environ, data))


def lines(pipeline: Pipeline, hidden: Mask) -> str:
    """One stage a line, each but the last ending in ` |`."""
    shown: list[str] = []
    for stage in pipeline.stages:
        words = [hidden.text(word) for word in record.shown(stage)]
        envs = [f"{name}={quoted(hidden.text(value))}" for name, value in stage.envs.items()]
        if stage.venv and "/" not in words[0]:
            words[0] = f"{stage.venv}/bin/{words[0]}"
        shown.append(" ".join([*envs, *map(quoted, words)]))
    return " |\n".join(shown) + "\n"


def quoted(word: str) -> str:
    """The word as a POSIX shell would need it written."""
    return word if _PLAIN.fullmatch(word) else "'" + word.replace("'", "'\"'\"'") + "'"
