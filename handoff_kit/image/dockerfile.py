"""The Dockerfile of a project: our Dockerfile.j2, or the project's own one that extends it, filled."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader

from handoff_kit import jinja
from handoff_kit.errors import RenderError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.model import Project
from handoff_kit.venvs import indexes, locks

NAME = "Dockerfile.j2"
OWN = "the project's own"
# Services that the runtime calls: its store, and for runs on this machine the sign-in.
SERVICES = ("s3", "secretsmanager", "signin", "ssm", "sso", "sso-oidc", "sts")
# Package indexes are settings of the machine: the builder stages get them, the image does not. With their defaults.
INDEX_SETTINGS = {**dict.fromkeys((*indexes.PIP.values(), *indexes.UV), ""), indexes.UV_STRATEGY: "first-index"}
_APT_GET = (
    'apt-get update && apt-get install --yes --no-install-recommends "$@"'
    " && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log"
)


def render_dockerfile(paths: ProjectPaths, project: Project) -> str:
    """The Dockerfile of a project; RenderError names the template and its line."""
    venvs = [
        {
            "name": venv.name,
            "directory": venv.directory,
            "options": list(locks.hash_options(venv.requirements)),
            "paths": list(filter(None, map(locks.local_path, venv.requirements))),  # of the project, to be installed
        }
        for venv in project.venvs
    ]
    try:
        kit_version = version("handoff-kit")
    except PackageNotFoundError:
        kit_version = "unknown"
    values = {
        "project": paths.name,
        "version": kit_version,
        "image": project.image,
        "services": sorted({*SERVICES, *project.image.services}),
        "venvs": venvs,
        "index_settings": INDEX_SETTINGS,
        # The packages are arguments of the shell's line, never part of it
        "apt_get": lambda packages: ["sh", "-c", _APT_GET, "apt-get", *packages],
    }
    own_template = paths.directory / NAME
    try:
        templates = {OWN: own_template.read_text(encoding="utf-8")} if own_template.is_file() else {}
        environment = jinja.new_environment(ChoiceLoader([DictLoader(templates), FileSystemLoader(paths.root)]))
        text = environment.get_template(OWN if templates else NAME).render(values)
    except Exception as error:  # noqa: BLE001  # a template is a program: which can raise anything
        name, line = jinja.error_location(error)
        is_own = name in (OWN, jinja.IN_MEMORY) or (not name and own_template.is_file())
        where = f"projects/{paths.name}/{NAME}" if is_own else name or NAME
        message = f"{where}{f':{line}' if line else ''}: {jinja.error_reason(error)}"
        raise RenderError(message, "docs/concepts/images.md lists the blocks and values") from None
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
