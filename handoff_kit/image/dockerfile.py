"""The Dockerfile of a project: our Dockerfile.j2, or the project's own one that extends it, filled."""

from __future__ import annotations

import json
import re
import traceback
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from jinja2 import (
    ChoiceLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
)

from handoff_kit.errors import RenderError
from handoff_kit.venvs import locks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project, Venv

__all__ = ["INDEX_SETTINGS", "NAME", "render"]

NAME = "Dockerfile.j2"
OWN = "the project's own"
IN_MEMORY = "<template>"  # what jinja2 calls a file that it did not read itself
_TEMPLATES = (".j2", IN_MEMORY)
# What the runtime needs of AWS: its store, and how one signs in here (a container on AWS has its role).
SERVICES = ("s3", "secretsmanager", "signin", "ssm", "sso", "sso-oidc", "sts")
# Where packages come from is a setting of the machine: the builder stages see it, the image does not.
INDEX_SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL")
_APT_GET = (
    'apt-get update && apt-get install --yes --no-install-recommends "$@"'
    " && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log"
)


@dataclass(frozen=True)
class BuiltVenv:
    """A virtual environment as the builder makes it; `paths` are directories of the project that it installs."""

    name: str
    directory: str
    options: list[str]
    paths: list[str]


def render(place: ProjectPlace, project: Project) -> str:
    """The Dockerfile; RenderError tells where a template is wrong."""
    own = place.directory / NAME
    values = _values(place, project)
    try:
        template = _environment(place.root, own).get_template(OWN if own.is_file() else NAME)
        text = template.render(values)
    except Exception as error:  # noqa: BLE001  # a template is a program: whatever ends it is its author's
        raise _wrong(place, own, error) from None
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _environment(root: Path, own: Path) -> Environment:
    owned = {OWN: own.read_text(encoding="utf-8")} if own.is_file() else {}
    loader = ChoiceLoader([DictLoader(owned), FileSystemLoader(root)])
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=False)  # noqa: S701  # no HTML
    environment.filters["tojson"] = _to_json
    return environment


def _to_json(value: object) -> str:
    """JSON for Docker; jinja2's own filter would write it for HTML."""
    return json.dumps(value, ensure_ascii=False)


def _values(place: ProjectPlace, project: Project) -> dict[str, Any]:
    return {
        "project": place.name,
        "version": _version(),
        "image": project.image,
        "services": sorted({*SERVICES, *project.image.services}),
        "venvs": [_built(venv) for venv in project.venvs],
        "index_settings": INDEX_SETTINGS,
        "apt_get": _apt_get,
    }


def _apt_get(packages: Sequence[str]) -> list[str]:
    """The packages are arguments of the shell's line, never part of it."""
    return ["sh", "-c", _APT_GET, "apt-get", *packages]


def _built(venv: Venv) -> BuiltVenv:
    hashed = not any(map(locks.is_unhashed, venv.requirements))
    paths = filter(None, map(locks.local_path, venv.requirements))
    return BuiltVenv(venv.name, venv.directory, ["--require-hashes"] if hashed else [], list(paths))


def _version() -> str:
    try:
        return version("handoff-kit")
    except PackageNotFoundError:
        return "unknown"


def _wrong(place: ProjectPlace, own: Path, error: Exception) -> RenderError:
    names = {OWN: f"projects/{place.name}/{NAME}"}
    where = _where(error) or [OWN if own.is_file() else NAME]
    where[0] = names.get(where[0], where[0])
    hint = "docs/image.md tells the blocks and values there are"
    return RenderError(f"{':'.join(where)}: {_found(error)}", hint)


def _where(error: Exception) -> list[str]:
    """The template and its line; where it began to run, jinja2 writes them into the traceback."""
    if isinstance(error, TemplateSyntaxError):
        return [error.name or NAME, str(error.lineno)]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(_TEMPLATES)]
    name = OWN if frames and frames[-1].filename == IN_MEMORY else NAME
    return [name, str(frames[-1].lineno)] if frames else []


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
