"""Load project files: a Project, or an error with all problems of the file."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from handoff_kit.project.model import Project
from handoff_kit.project.problem import ProjectFileError
from handoff_kit.project.validation.rules import find_problems
from handoff_kit.project.yaml_reader import YamlFile, read_yaml


def load_project(path: Path, display_path: str) -> Project:
    """Read and validate a file; ProjectFileError with every problem in it."""
    return validate_project(read_yaml(path, display_path))


def validate_project(source: YamlFile) -> Project:
    """Validate a file that was read; ProjectFileError with every problem in it."""
    if source.data is None:
        raise ProjectFileError(source.problems)
    project, errors = None, []
    try:
        project = Project.model_validate(source.data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    problems = find_problems(source, errors)
    if problems or project is None:
        raise ProjectFileError(problems)
    return project
