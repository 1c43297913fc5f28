"""jinja2 for the templates of this project, with errors that name the template and its line."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
)

from handoff_kit.errors import RenderError

FOLDER = "templates"
IN_MEMORY = "<template>"
"""The file name that jinja2 gives a template which it did not read from a file."""


def render_template(root: Path, name: str, values: Mapping[str, Any]) -> str:
    """Render a template of templates/; RenderError names the template and its line."""
    try:
        return _environment(root).get_template(name).render(values)
    except Exception as error:  # noqa: BLE001  # a template is a program, which can raise anything
        template, line = error_location(error)
        where = f"{FOLDER}/{template or name}{f':{line}' if line else ''}"
        hint = f"see what was changed: git diff -- {FOLDER}/{name}"
        if isinstance(error, TemplateNotFound):
            hint = f"restore it: git checkout -- {FOLDER}"
        raise RenderError(f"{where}: {error_reason(error)}", hint) from None


@lru_cache(maxsize=8)
def _environment(root: Path) -> Environment:
    """The environment of a root; it caches compiled templates until their files change."""
    loader = FileSystemLoader(root / FOLDER)
    return new_environment(loader, trim=True)


def new_environment(loader: BaseLoader, *, trim: bool = False) -> Environment:
    """`trim` removes lines that hold only a block; `tojson` writes plain JSON, where jinja2's escapes HTML."""
    environment = Environment(  # noqa: S701  # no HTML
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=trim,
        lstrip_blocks=trim,
        keep_trailing_newline=trim,
    )
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment


def error_location(error: Exception) -> tuple[str, int]:
    """The name and line of the template that raised an error; empty and 0 if none was rendered yet.

    The name of a template without a file is IN_MEMORY, or in a syntax error its name in the loader.
    """
    if isinstance(error, TemplateSyntaxError):
        return error.name or "", error.lineno
    frames = traceback.extract_tb(error.__traceback__)  # jinja2 writes a template's own lines into the traceback
    lines = [frame for frame in frames if frame.filename.endswith((".j2", IN_MEMORY))]
    return (lines[-1].filename.rpartition("/")[2], lines[-1].lineno or 0) if lines else ("", 0)


def error_reason(error: Exception) -> str:
    """The reason of an error in a template, in a phrase."""
    if isinstance(error, TemplateSyntaxError):
        return error.message or "found an invalid template"
    if isinstance(error, TemplateNotFound):
        return f"found no template {error.name}"
    if isinstance(error, OSError):
        return f"{error.strerror}, expected a readable template"
    if isinstance(error, UnicodeDecodeError):
        return "found bytes that are not UTF-8, expected a template"
    return str(error) or type(error).__name__
