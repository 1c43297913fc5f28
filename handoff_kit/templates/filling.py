"""Filling a template of templates/, and telling where one is wrong."""

from __future__ import annotations

import json
import traceback
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError

from handoff_kit.errors import RenderError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["FOLDER", "render"]

FOLDER = "templates"


def render(root: Path, name: str, values: Mapping[str, Any]) -> str:
    """A template of the root, filled; RenderError tells where it is wrong."""
    try:
        return _environment(root).get_template(name).render(values)
    except Exception as error:  # noqa: BLE001  # a template is a program: whatever ends it is its author's
        raise RenderError(f"{_where(error, name)}: {_found(error)}", _hint(error, name)) from None


@lru_cache(maxsize=8)
def _environment(root: Path) -> Environment:
    """Made once for a root: it keeps what it has compiled, for as long as the files stay the same."""
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
