"""What several tasks are asked for: how their flags are told in --help, and what they mean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_kit.tasks.telling import say

if TYPE_CHECKING:
    from invoke.context import Context

    from handoff_kit.image.builder import Builder
    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project
    from handoff_kit.remote.stack import Stack

PROJECT = (
    "name of a directory under projects/; may be left out inside one, with HANDOFF_PROJECT set, or with one project"
)
ENVIRONMENT = "dev, prod, ...; default: HANDOFF_ENVIRONMENT, else dev"
DATA = """JSON object of values for placeholders, like '{"start_at": "2026-01-01"}'; default: {}"""
VAR = "one value for a placeholder, as NAME=VALUE; may be given many times; goes before --data"
PLATFORM = "linux/amd64 or linux/arm64; default: the project's, else the builder's own"
BUILDER = "docker, podman or auto (default): docker where it works, else podman"
METER = "rows, bytes or off: what to count between stages; default: the project's"
RUN = "id of a run, as invoke history tells it, or current (default): what the last run left"
NO_STATE = "run without reading or storing state: a stage that is given it sees {}; default: with the stored state"
YES = "do not ask; needed where there is no terminal to ask on"
PRUNE = "remove stored config files that are not in .local, after a question; default: they stay"
REMOTE = "the runs in AWS; default: those on this machine"


def root(c: Context) -> Path:
    """The directory of tasks.py, in which projects/ lies."""
    return Path(c.config.root)


def place(c: Context, project: str) -> ProjectPlace:
    """The project that is meant."""
    from handoff_kit import names

    return names.find(root(c), project or None, Path.cwd(), os.environ)


def places(c: Context, project: str, *, every: bool) -> tuple[ProjectPlace, ...]:
    """The project that is meant, or every one there is."""
    from handoff_kit import names
    from handoff_kit.errors import ProjectError

    if every and project:
        raise ProjectError("--all: found together with --project, expected one of them", "leave out --project")
    if not every:
        return (place(c, project),)
    found = tuple(names.ProjectPlace(name, root(c)) for name in names.known(root(c)))
    if not found:
        raise ProjectError("projects: found no project, expected at least one", "make it: invoke new --project NAME")
    return found


def environment(text: str) -> str:
    """The environment that is meant."""
    from handoff_kit import given

    return given.environment(text, os.environ)


def builder(text: str) -> Builder:
    """The builder that works; a note where it is not the first choice."""
    from handoff_kit import given
    from handoff_kit.image import builder as builders

    found = builders.find(given.choice("--builder", text, builders.CHOICES))
    if found.note:
        say(f"note: {found.note}")
    return found


def platform(text: str) -> str | None:
    """The platform, if one was given."""
    from handoff_kit import given

    return given.choice("--platform", text, given.PLATFORMS)


def image(where: ProjectPlace, chosen: str) -> tuple[Builder, str]:
    """The project's image, built from it as it is now."""
    from handoff_kit.image import build as building
    from handoff_kit.project import load as projects

    loaded = projects.load(where.file, where.shown)
    worker = builder(chosen)
    made = building.source(where, loaded, loaded.image.platform or worker.platform)
    return worker, building.existing(made, worker)


def warn_of_git(where: ProjectPlace) -> None:
    """Say what git tracks or would take of the project's credentials."""
    from handoff_kit import gitignore

    for note in gitignore.notes(where):
        say(note)


def warn_of_credentials(where: ProjectPlace, loaded: Project) -> None:
    """Say which files stay out of the image because they are credentials."""
    from handoff_kit.image import obstacles

    for found in obstacles.credentials(where, loaded):
        say(f"note: {found.message}\nhint: {found.hint}")


def stack(c: Context, project: str, text: str, *, bucket: bool = True) -> tuple[ProjectPlace, Stack]:
    """A project, and where it lies in AWS."""
    from handoff_kit.project import load as projects
    from handoff_kit.remote import connection

    where = place(c, project)
    own = projects.load(where.file, where.shown).deploy.bucket if bucket else None
    return where, connection.connect(where, environment(text), os.environ, say, bucket=bucket, own=own)
