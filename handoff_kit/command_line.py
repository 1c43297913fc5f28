"""The command line before invoke acts on it: what it would not understand is told with a hint, and exit 2."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING

from invoke.exceptions import ParseError
from invoke.main import program
from invoke.parser import Parser

from handoff_kit import names
from handoff_kit.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from invoke.collection import Collection

_UNKNOWN = re.compile(r"No idea what '(.+)' is!")
_VALUELESS = re.compile(r"Flag <Argument: ([\w-]+).*> needed value")


def given() -> Sequence[str]:
    """The words after invoke's own flags; none where it is not invoke that loads us, or only completes a line."""
    core = getattr(program, "core", None)
    return () if core is None or program.args.complete.value else tuple(core.unparsed)


def check(words: Sequence[str], tasks: Collection, root: Path) -> None:
    """Read the words as invoke will; a ProjectError tells what it will not understand."""
    try:
        contexts = deepcopy(tasks).to_contexts()  # which takes the tasks' help away from them
        Parser(contexts=contexts, initial=program.initial_context).parse_argv(list(words))
    except ParseError as error:
        raise _told(error, tuple(tasks.task_names), names.known(root)) from None


def _told(error: ParseError, tasks: Sequence[str], projects: Sequence[str]) -> ProjectError:
    text = str(error.args[0])
    task = (error.context and error.context.name) or ""
    flags = tuple(error.context.flags) if error.context and task else ()
    if found := _VALUELESS.match(text):
        return ProjectError(f"--{found[1]}: found no value, expected one", f"invoke {task} --help".replace("  ", " "))
    if not (found := _UNKNOWN.match(text)):
        return ProjectError(f"command line: {text}", "invoke --list shows the tasks")
    return _unknown(found[1], task, flags, tasks, projects)


def _unknown(word: str, task: str, flags: Sequence[str], tasks: Sequence[str], projects: Sequence[str]) -> ProjectError:
    if word.startswith("-"):
        meant = names.nearest(word, [flag for flag in flags if flag.startswith("--")])
        hint = f"did you mean: {meant}" if meant else f"see: invoke {task} --help" if task else "see: invoke --help"
        return ProjectError(f"{task or 'command line'}: found {word!r}, expected a flag that exists", hint)
    if task and (project := names.nearest(word, projects)) and not names.nearest(word, tasks):
        message = f"{task}: found {word!r}, expected flags only"
        return ProjectError(message, f"did you mean: invoke {task} --project {project}")
    meant = names.nearest(word, tasks)
    hint = f"did you mean: invoke {meant}" if meant else "invoke --list shows the tasks"
    return ProjectError(f"command line: found {word!r}, expected a task", hint)
