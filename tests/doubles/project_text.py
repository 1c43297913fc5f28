"""Project files as text: what they load as, and which problems they have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.project.load import validate_project
from handoff_kit.project.problem import ProjectFileError
from handoff_kit.project.yaml_reader import parse_yaml

if TYPE_CHECKING:
    from handoff_kit.project.model import Project

SHOWN = "projects/foo/project.yml"
NO_VALUE = 'write a value, or take the line out; for an empty text write two quotes: ""'


def load_text(text: str) -> Project:
    """A project of one stage, with these lines after it."""
    return validate_project(parse_yaml(f"commands: [{{command: a}}]\n{text}\n", SHOWN))


def problems_of(text: str) -> list[str]:
    """The problems of such a project, each as `LINE:COLUMN: MESSAGE | HINT`."""
    return problems_of_file(f"commands: [{{command: a}}]\n{text}\n")


def problems_of_file(text: str) -> list[str]:
    try:
        validate_project(parse_yaml(text, SHOWN))
    except ProjectFileError as error:
        lines = [str(problem).replace("\nhint: ", " | ") for problem in error.problems]
        return [line.removeprefix(f"error: {SHOWN}:") for line in lines]
    return []


def check_words(text: str) -> None:
    """No problem is described in a library's words."""
    problems = "\n".join(problems_of(text)).lower()
    assert not re.search(r"pydantic|should|validation|tuple|\bdict\b|\bstr\b|project-file\.md", problems), text
