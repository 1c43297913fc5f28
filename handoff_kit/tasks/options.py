"""The values of common flags: project, environment, target, builder, data."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from handoff_kit.console import print_progress
from handoff_kit.errors import ProjectError, translate_runtime_errors

if TYPE_CHECKING:  # these take long to import
    from datetime import datetime

    from handoff_kit.aws.ecs.cluster import ProjectTasks
    from handoff_kit.aws.session import DeployedProject
    from handoff_kit.aws.target import Target
    from handoff_kit.image.builder import Builder
    from handoff_kit.paths import ProjectPaths, UnknownProjectError
    from handoff_kit.project.model import Project

LOG_FORMATS = ("text", "json")
PLATFORMS = ("linux/amd64", "linux/arm64")
LONGEST_ENVIRONMENT = 20
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def utc_now() -> datetime:
    """The current time."""
    from datetime import datetime, timezone

    return datetime.now(timezone.utc)


def project_root(c: Context) -> Path:
    """The directory of tasks.py, which holds projects/."""
    return Path(c.config.root)


def find_project(c: Context, project: str) -> ProjectPaths:
    """The project of --project, HANDOFF_PROJECT or the current directory, else the only one."""
    from handoff_kit import paths

    return paths.find_project(project_root(c), project or None, Path.cwd(), os.environ)


def all_projects(c: Context) -> tuple[ProjectPaths, ...]:
    """Every project under projects/; at least one, else ProjectError."""
    from handoff_kit import paths

    return paths.all_projects(project_root(c))


def load_project(c: Context, project: str) -> tuple[ProjectPaths, Project]:
    """The project and its validated project file."""
    from handoff_kit.project import load

    paths = find_project(c, project)
    return paths, load.load_project(paths.file, paths.display_path)


def load_target(c: Context, project: str, environment: str) -> tuple[ProjectPaths, Project, Target]:
    """The project, its validated project file, and its target: stack, bucket and session in AWS."""
    from handoff_kit.aws.session import target_from_project

    paths, loaded = load_project(c, project)
    name = parse_environment(environment, os.environ)
    target = target_from_project(paths, name, os.environ, print_progress, project_bucket=loaded.deploy.bucket)
    return paths, loaded, target


def find_any_project(c: Context, project: str) -> tuple[ProjectPaths, UnknownProjectError | None]:
    """As `find_project`; of a project that is not in this checkout the error too, for where it is not deployed."""
    from handoff_kit.paths import UnknownProjectError

    try:
        return find_project(c, project), None
    except UnknownProjectError as error:
        return error.paths, error


def find_deployed(c: Context, project: str, environment: str, *, required: bool = True) -> DeployedProject:
    """The project as it is deployed, also one with errors in its project file, or not in this checkout any more.

    Unless it is `required`, one that is neither deployed nor in this checkout has the default names.
    """
    from handoff_kit.aws.session import find_deployed

    paths, unknown = find_any_project(c, project)
    name = parse_environment(environment, os.environ)
    return find_deployed(paths, name, os.environ, print_progress, unknown, required=required)


def find_target(c: Context, project: str, environment: str, *, bucket: bool = True) -> tuple[ProjectPaths, Target]:
    """The project and its target, as it is deployed; without `bucket` nothing is called for one in this checkout."""
    from handoff_kit.aws.session import target_from_project

    paths, unknown = find_any_project(c, project)
    if bucket or unknown:
        deployed = find_deployed(c, project, environment)
        return deployed.paths, deployed.target
    name = parse_environment(environment, os.environ)
    return paths, target_from_project(paths, name, os.environ, print_progress, bucket=False)


def find_tasks(c: Context, project: str, environment: str) -> ProjectTasks:
    """The tasks of the project, as it is deployed."""
    from handoff_kit.aws.ecs.cluster import settings_in_use, tasks_of_project

    deployed = find_deployed(c, project, environment)
    return tasks_of_project(deployed.target, settings_in_use(deployed, print_progress), deployed.stack)


def parse_environment(text: str, environ: Mapping[str, str]) -> str:
    """The name of the environment; ProjectError if it cannot be part of names in AWS."""
    from handoff_kit.resource_names import DEFAULT_ENVIRONMENT

    flag, name = ("--environment", text) if text else ("HANDOFF_ENVIRONMENT", environ.get("HANDOFF_ENVIRONMENT", ""))
    name = name or DEFAULT_ENVIRONMENT
    if _ENVIRONMENT.fullmatch(name) and len(name) <= LONGEST_ENVIRONMENT:
        return name
    rule = f"letters, digits and -, beginning with a letter or digit, at most {LONGEST_ENVIRONMENT} characters"
    raise ProjectError(f"{flag}: found {name!r}, expected {rule}", "for example: --environment dev")


def parse_data(text: str, pairs: Sequence[str]) -> dict[str, Any]:
    """The JSON object of --data, overridden by the NAME=VALUE pairs of --var."""
    from handoff_runtime import placeholders

    with translate_runtime_errors():
        data = placeholders.parse_data(text, "--data")
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not placeholders.NAME.fullmatch(name):
            raise ProjectError(f"--var: found {pair!r}, expected NAME=VALUE", "for example: --var base=JPY")
        data[name] = value
    return data


def parse_tags(pairs: Sequence[str]) -> dict[str, str]:
    """The tags of --shared-tag."""
    tags: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            message = f"--shared-tag: found {pair!r}, expected NAME=VALUE"
            raise ProjectError(message, "for example: --shared-tag cost-center=42")
        tags[name] = value
    return tags


def parse_choice(flag: str, text: str, choices: Sequence[str], hint: str | None = None) -> str | None:
    """The text, or None if it is empty; ProjectError if it is not one of the choices."""
    from handoff_kit.text import did_you_mean

    if not text:
        return None
    if text not in choices:
        suggestion = did_you_mean(text, choices)
        hint = f"did you mean: {flag} {suggestion}" if suggestion else hint or f"for example: {flag} {choices[0]}"
        raise ProjectError(f"{flag}: found {text!r}, expected one of {', '.join(choices)}", hint)
    return text


def parse_platform(text: str) -> str | None:
    """The platform of --platform; None for the default."""
    return parse_choice("--platform", text, PLATFORMS)


def find_builder(text: str) -> Builder:
    """The builder that works; prints a note if it is not the first choice."""
    from handoff_kit.image import builder

    image_builder = builder.find_builder(parse_choice("--builder", text, builder.CHOICES))
    if image_builder.note:
        print_progress(f"note: {image_builder.note}")
    return image_builder


def find_image_builder(text: str) -> Builder:
    """The builder for an image, whose builder stages get the indexes that pip's variables name, for uv too."""
    from handoff_kit.venvs.indexes import pass_indexes_to_uv

    image_builder = find_builder(text)
    pass_indexes_to_uv(os.environ, print_progress)
    return image_builder


def find_image(paths: ProjectPaths, builder: str) -> tuple[Builder, str]:
    """The builder and the project's image, which must be built and up to date."""
    from handoff_kit.image.build import built_image, image_source
    from handoff_kit.project import load

    loaded = load.load_project(paths.file, paths.display_path)
    image_builder = find_builder(builder)
    source = image_source(paths, loaded, loaded.image.platform or image_builder.platform)
    return image_builder, built_image(source, image_builder)


def warn_of_git(paths: ProjectPaths) -> None:
    """Print which of the project's credentials git tracks or would add."""
    from handoff_kit.run import gitignore

    for note in gitignore.private_file_notes(paths):
        print_progress(note)


def warn_of_credentials(paths: ProjectPaths, loaded: Project) -> None:
    """Print which files stay out of the image because they are credentials."""
    from handoff_kit.image.checks import credential_problems

    for problem in credential_problems(paths, loaded):
        print_progress(f"note: {problem.message}\nhint: {problem.hint}")
