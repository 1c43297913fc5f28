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
_SHORT = re.compile("-[A-Za-z]")
_DRY = "--dry"  # invoke's own, which the tasks heed
_NO_GUESSES = ("--force", "--prune", "--reveal", "--yes")
"""Flags that overwrite, delete, reveal or skip a question: none is pasted by mistake."""


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
        raise _explain(error, core.unparsed, tuple(tasks.task_names), project_names(root)) from None


def _explain(error: ParseError, words: Sequence[str], tasks: Sequence[str], projects: Sequence[str]) -> ProjectError:
    text = str(error.args[0])
    task = (error.context and error.context.name) or ""
    flags = tuple(error.context.flags) if error.context and task else ()
    # -e, -f and -p are invoke's own, which it takes in place of a task's
    short = next((word for word in words if _SHORT.fullmatch(word) and task and word not in flags), "")
    if match := _VALUELESS.match(text):
        if short and f"--{match[1]}" not in flags:
            return _unknown_flag(task, short, flags)
        return ProjectError(f"--{match[1]} needs a value", f"invoke {task} --help".replace("  ", " "))
    if not (match := _UNKNOWN.match(text)):
        return ProjectError(f"command line: {text}", "invoke --list shows the tasks")
    word = match[1]
    if word.startswith("-"):
        return _unknown_flag(task, word, flags)
    if flag := next((flag for flag in flags if f"{flag}={word}" in words), ""):
        return ProjectError(f"{task}: {flag} takes no value, found {word!r}", f"write it alone: {flag}")
    return _unknown_word(task, word, tasks, projects) or (
        _unknown_flag(task, short, flags)
        if short
        else ProjectError(f"unknown task {word!r}", "invoke --list shows the tasks")
    )


def _unknown_word(task: str, word: str, tasks: Sequence[str], projects: Sequence[str]) -> ProjectError | None:
    """The error for a word that is probably a task or a project; None for another."""
    if suggestion := did_you_mean(word, tasks):
        return ProjectError(f"unknown task {word!r}", f"did you mean: invoke {suggestion}")
    if task and (project := did_you_mean(word, projects)):
        return ProjectError(f"{task}: unexpected {word!r}", f"did you mean: invoke {task} --project {project}")
    return None


def _unknown_flag(task: str, word: str, flags: Sequence[str]) -> ProjectError:
    choices = [flag for flag in (*flags, _DRY) if flag.startswith("--") and flag not in _NO_GUESSES]
    suggestion = did_you_mean(word, choices)
    hint = f"did you mean: {suggestion}" if suggestion else " ".join(filter(None, ("see: invoke", task, "--help")))
    return ProjectError(f"{task or 'command line'}: unknown flag {word}", hint)
