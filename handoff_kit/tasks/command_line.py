"""Unknown tasks and flags, reported with a hint and exit code 2 before invoke parses the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.main import program
from invoke.parser import Parser

from handoff_kit.errors import ProjectError
from handoff_kit.paths import project_names
from handoff_kit.text import did_you_mean

_UNKNOWN = re.compile(r"No idea what '(.+)' is!")
_VALUELESS = re.compile(r"Flag <Argument: ([\w-]+).*> needed value")


def check(tasks: Collection, root: Path) -> None:
    """Parse the words after invoke's own flags as invoke will; raise ProjectError where it cannot.

    Does nothing if another program than invoke imports the tasks, or for shell completion.
    """
    core = getattr(program, "core", None)
    if core is None or program.args.complete.value or not core.unparsed:
        return
    try:
        contexts = deepcopy(tasks).to_contexts()  # which takes the help away from the tasks
        Parser(contexts=contexts, initial=program.initial_context).parse_argv(list(core.unparsed))
    except ParseError as error:
        raise _explain(error, tuple(tasks.task_names), project_names(root)) from None


def _explain(error: ParseError, tasks: Sequence[str], projects: Sequence[str]) -> ProjectError:
    text = str(error.args[0])
    task = (error.context and error.context.name) or ""
    if match := _VALUELESS.match(text):
        return ProjectError(f"--{match[1]} needs a value", f"invoke {task} --help".replace("  ", " "))
    if not (match := _UNKNOWN.match(text)):
        return ProjectError(f"command line: {text}", "invoke --list shows the tasks")
    word = match[1]
    if word.startswith("-"):
        flags = error.context.flags if error.context and task else ()
        suggestion = did_you_mean(word, [flag for flag in flags if flag.startswith("--")])
        hint = f"did you mean: {suggestion}" if suggestion else " ".join(filter(None, ("see: invoke", task, "--help")))
        return ProjectError(f"{task or 'command line'}: unknown flag {word}", hint)
    suggestion = did_you_mean(word, tasks)
    if task and not suggestion and (project := did_you_mean(word, projects)):
        return ProjectError(f"{task}: unexpected {word!r}", f"did you mean: invoke {task} --project {project}")
    hint = f"did you mean: invoke {suggestion}" if suggestion else "invoke --list shows the tasks"
    return ProjectError(f"unknown task {word!r}", hint)
