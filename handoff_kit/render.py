"""The pipeline document: what handoff_runtime runs, made from a project."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from handoff_kit.project.patterns import COLLECTOR_STATS
from handoff_runtime import state
from handoff_runtime.pipeline import stage_name
from handoff_runtime.variables import PLACEHOLDER
from handoff_runtime.workspace import STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from handoff_kit.project.model import Project, Stage

FORMAT = 1
_ORIGINAL_SCRIPTS = frozenset({"scripts/python/collector_stats.py", "impl/collector_stats.py"})
_SHELL_SYNTAX = frozenset({"!", "case", "exec", "export", "for", "if", "set", "trap", "until", "while"})
_SHELL_WORD = re.compile(r"[^\s'\"(){}|&;<>`]+")


def pipeline_document(project: Project, name: str, environment: str, has_file: Callable[[str], bool]) -> dict[str, Any]:
    """The document of a project; `has_file` tells whether a path exists inside the project."""
    return {
        "format": FORMAT,
        "project": name,
        "environment": environment,
        "vars": dict(project.vars),
        "envs": dict(project.envs),
        "state": state_mode(project),
        "meter": project.meter,
        "overlap": project.overlap,
        "stages": _stages(project.stages, has_file),
    }


def state_mode(project: Project) -> str:
    """What becomes of the last stage's output: as the project file says, else as its stages need it."""
    return project.state or (state.SINGER if _reader_of_state(project) else state.ALL)


def state_choice(project: Project) -> str:
    """The mode that was chosen where the project file names none, and why; empty where it names one."""
    if project.state:
        return ""
    reader = _reader_of_state(project)
    why = f"stage {_basename(reader)} is given {STATE}" if reader else f"no stage is given {STATE}"
    return f"state: {state_mode(project)}, since {why} and project.yml names no `state`"


def _reader_of_state(project: Project) -> Stage | None:
    """The first stage that is given the state file, placeholders filled with their defaults."""
    return next((stage for stage in project.stages if _is_given_state(stage, project.envs, project.vars)), None)


def _is_given_state(stage: Stage, envs: Mapping[str, str], defaults: Mapping[str, str]) -> bool:
    def filled(text: str) -> str:
        return PLACEHOLDER.sub(lambda match: defaults.get(match[1], match[0]), text)

    words = [stage.shell] if stage.shell is not None else [stage.command or "", *stage.args]
    known = {name: filled(text) for name, text in {**envs, **stage.envs}.items()}
    return state.is_given([filled(word) for word in words], known)


def to_json(document: dict[str, Any]) -> str:
    """A document as text, the same for the same document."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _stages(stages: Iterable[Stage], has_file: Callable[[str], bool]) -> list[dict[str, Any]]:
    taken: list[str] = []
    rendered = []
    for stage in stages:
        builtin = _is_builtin(stage, has_file)
        taken.append(stage_name(COLLECTOR_STATS if builtin else _basename(stage), taken))
        rendered.append({"name": taken[-1], **_action(stage, builtin=builtin), "envs": dict(stage.envs)})
    return rendered


def _action(stage: Stage, *, builtin: bool) -> dict[str, Any]:
    if builtin:
        return {"builtin": COLLECTOR_STATS, "venv": None}
    if stage.shell is not None:
        return {"shell": stage.shell, "venv": stage.venv}
    return {"argv": [stage.command, *stage.args], "venv": stage.venv}


def _is_builtin(stage: Stage, has_file: Callable[[str], bool]) -> bool:
    """Whether collector_stats is meant: by its name, or by a path the original gave it and that is not there."""
    if stage.command is None or stage.args:
        return False
    path = str(PurePosixPath(stage.command))
    return path == COLLECTOR_STATS or (path in _ORIGINAL_SCRIPTS and not has_file(path))


def _basename(stage: Stage) -> str:
    word = stage.command or next((word for word in _SHELL_WORD.findall(stage.shell or "") if "=" not in word), "shell")
    return "shell" if word in _SHELL_SYNTAX else PurePosixPath(word).name or "shell"
