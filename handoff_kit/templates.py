"""The CloudFormation templates: the files of templates/, filled with what the project files say.

The same files make the same text, byte for byte: nothing of the machine, the account or the time goes in.
"""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError

from handoff_kit.errors import ProjectError, ProjectFileError, RenderError
from handoff_kit.names import ProjectPlace, known
from handoff_kit.project import load
from handoff_kit.remote import names
from handoff_runtime import keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from handoff_kit.project import Keep, Project
    from handoff_kit.source import Problem

__all__ = ["FOLDER", "MOST_RULES", "Rule", "render", "rules", "shared"]

FOLDER = "templates"
# Amazon S3 User Guide, "Managing the lifecycle of objects": rules of one bucket, of which one is for all projects
MOST_RULES = 1000
_FOR_ALL = 1


@dataclass(frozen=True)
class Rule:
    """A rule of the bucket's lifecycle, for the objects whose keys begin with `prefix`.

    They go `days` after they were written (None: they stay), and an earlier version `replaced_days` after something
    took its place, unless it is among the `newest`.
    """

    name: str
    prefix: str
    days: int | None
    replaced_days: int
    newest: int | None = None


def shared(root: Path, environment: str) -> str:
    """The template of the shared stack of an environment, for all projects under a root."""
    projects = [(name, rules(names.stack(name, environment), loaded.keep)) for name, loaded in _projects(root)]
    _check(projects)
    values = {"environment": environment, "bucket": _bucket(environment), "projects": projects}
    return render(root, "shared.yml.j2", values)


def rules(stack: str, keep: Keep) -> tuple[Rule, ...]:
    """How long the bucket keeps what a project's runs leave there."""
    runs, history = keys.run(stack, "").removesuffix("/"), keys.history(stack)
    return (
        *([Rule(f"{stack}-runs", runs, keep.runs, 1)] if keep.runs else []),
        Rule(f"{stack}-history", history, keep.runs, 1),  # each run writes its day's index anew
        _replaced(stack, keep),
        Rule(f"{stack}-states", keys.state(stack), None, 1, keep.states),
    )


def render(root: Path, name: str, values: Mapping[str, Any]) -> str:
    """A template of the root, filled; RenderError tells where it is wrong."""
    try:
        return _environment(root).get_template(name).render(values)
    except Exception as error:  # noqa: BLE001  # a template is a program: whatever ends it is its author's
        raise RenderError(f"{_where(error, name)}: {_found(error)}", _hint(error, name)) from None


def _replaced(stack: str, keep: Keep) -> Rule:
    """One rule for artifacts, files and the lock, whose names all begin with a dot: a bucket has few rules."""
    if keep.artifacts is None:
        return Rule(f"{stack}-lock", keys.lease(stack), None, 1)  # each heartbeat writes it anew
    return Rule(f"{stack}-replaced", f"{stack}/.", None, keep.artifacts)


def _bucket(environment: str) -> str:
    """What names.bucket says, as Fn::Sub takes it."""
    return f"handoff-{environment.lower()}-${{AWS::AccountId}}-${{AWS::Region}}"


def _projects(root: Path) -> list[tuple[str, Project]]:
    """Every project by name, sorted; ProjectFileError tells the problems of all of them."""
    found = [(name, _loaded(ProjectPlace(name, root))) for name in known(root)]
    if problems := [problem for _, faulty in found if isinstance(faulty, tuple) for problem in faulty]:
        raise ProjectFileError(problems)
    return [(name, loaded) for name, loaded in found if not isinstance(loaded, tuple)]


def _loaded(place: ProjectPlace) -> Project | tuple[Problem, ...]:
    try:
        return load(place.file, place.shown)
    except ProjectFileError as error:
        return error.problems


def _check(projects: Sequence[tuple[str, Sequence[Rule]]]) -> None:
    """S3 would refuse the bucket's lifecycle as a whole."""
    count = _FOR_ALL + sum(len(of_one) for _, of_one in projects)
    if count > MOST_RULES:
        found = f"found {len(projects)} projects, whose bucket needs {count:,} lifecycle rules"
        hint = "move some to another checkout, with an --environment and so a bucket of its own"
        raise ProjectError(f"projects: {found}, expected at most {MOST_RULES:,}", hint)


def _environment(root: Path) -> Environment:
    environment = Environment(  # noqa: S701  # no HTML
        loader=FileSystemLoader(root / FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["tojson"] = _to_json
    return environment


def _to_json(value: object) -> str:
    """JSON, which is YAML too; jinja2's own filter would write it for HTML."""
    return json.dumps(value, ensure_ascii=False)


def _where(error: Exception, name: str) -> str:
    """The template and its line; where it began to run, jinja2 writes them into the traceback."""
    if isinstance(error, TemplateSyntaxError):
        return f"{FOLDER}/{error.name or name}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".j2")]
    line = f":{frames[-1].lineno}" if frames else ""
    return f"{FOLDER}/{frames[-1].filename.rpartition('/')[2] if frames else name}{line}"


def _found(error: Exception) -> str:
    if isinstance(error, TemplateSyntaxError):
        return error.message or "found what is no template"
    if isinstance(error, TemplateNotFound):
        return f"found no template {error.name}"
    if isinstance(error, OSError):
        return f"{error.strerror}, expected a template one can read"
    if isinstance(error, UnicodeDecodeError):
        return "found what is not UTF-8, expected a template"
    return str(error) or type(error).__name__


def _hint(error: Exception, name: str) -> str:
    if isinstance(error, TemplateNotFound):
        return f"bring it back: git checkout -- {FOLDER}"
    return f"see what was changed: git diff -- {FOLDER}/{name}"
