"""Stages that are none, and a pipeline without any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.faults.fault import Fault, label
from handoff_kit.faults.keys import misspelt
from handoff_kit.faults.outline import mapping
from handoff_kit.forms import COLLECTOR_STATS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.faults.outline import Outline
    from handoff_kit.source import Data, Trail

_SMALLEST = 'write it like this: commands: [{command: echo, args: "hello"}]'


def incomplete(outline: Outline) -> Iterator[Fault]:
    """Stages without anything to run, with two things to run, or with args for what takes none."""
    known = outline.keys.stage
    for trail, stage in outline.stages():
        if "command" in stage and "shell" in stage:
            hint = "keep shell for a line with pipes or redirections, command for one program"
            yield Fault((*trail, "shell"), "found both `command` and `shell`, expected one of them", hint, on_key=True)
        elif "shell" in stage and "args" in stage:
            message = "found `args` beside `shell`, which takes none"
            yield Fault((*trail, "args"), message, "write them into the shell line", on_key=True)
        elif not {"command", "shell"} & stage.keys() and not misspelt(stage, known, "command", "shell"):
            yield _headless(trail, stage, known)
        elif stage.get("command") == COLLECTOR_STATS and stage.get("args"):
            message = f"`{COLLECTOR_STATS}` is built in and takes no args"
            yield Fault((*trail, "args"), message, "take the line out", on_key=True)


def pipeline(outline: Outline) -> Iterator[Fault]:
    """A file without stages."""
    data = mapping(outline.source.data)
    if "commands" not in data and not misspelt(data, outline.keys.project, "commands"):
        yield Fault((), "there is no `commands`, expected the stages of the pipeline", _SMALLEST)
    elif data.get("commands") == []:
        yield Fault(("commands",), "`commands` is an empty list, expected at least one stage", _SMALLEST)


def _headless(trail: Trail, stage: dict[str, Data], known: tuple[str, ...]) -> Fault:
    message = f"{label(trail)} has neither `command` nor `shell`, expected one of them"
    if trail[1] and stage.keys() and stage.keys() <= set(known):
        hint = f"the dash begins a new stage; write `{next(iter(stage))}:` without it, under the command above"
        return Fault(trail, message, hint)
    return Fault(trail, message, "write it like this: - command: cat")
