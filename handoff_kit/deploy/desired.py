"""The desired state, from project files alone: templates, image source, params document. No AWS calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws.ecs.cluster import needs_shared_stack
from handoff_kit.deploy import templates
from handoff_kit.errors import HandoffError, ProjectError
from handoff_kit.image.build import TAG_LENGTH, ImageSource, image_source
from handoff_kit.paths import ProjectPaths, project_names
from handoff_kit.project import name_limits, params_document
from handoff_kit.project.load import load_project
from handoff_kit.project.model import Project
from handoff_kit.project.retention import on_ladder
from handoff_runtime.retention import Keep


@dataclass(frozen=True)
class DesiredProject:
    """A local project, rendered for an environment."""

    paths: ProjectPaths
    project: Project
    environment: str
    stack_name: str
    image_source: ImageSource
    registry_template: str = field(repr=False)
    params_document: Mapping[str, Any] = field(repr=False)
    needs_shared: bool = True

    @property
    def image_tag(self) -> str:
        """The beginning of the digest of the image source."""
        return self.image_source.digest[:TAG_LENGTH]

    def task_template(self, document: Mapping[str, Any]) -> str:
        """The template of the task stack, whose role may read what a params document refers to."""
        names = (self.paths.name, self.project, self.stack_name, self.environment)
        references = params_document.document_references(document)
        return templates.render_task_template(self.paths.root, *names, references=references)

    @property
    def keep(self) -> Keep:
        """How long the bucket keeps what the project stores."""
        return on_ladder(self.project.keep)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the project's own stacks."""
        return {**self.project.deploy.tags, **resource_names.owner_tags(self.paths.name, self.environment)}


@dataclass(frozen=True)
class DesiredShared:
    """The shared stack of an environment, of which no project is a part."""

    environment: str
    template: str = field(repr=False)
    own_tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def tags(self) -> dict[str, str]:
        """The tags that the shared stack gets, beside those it has."""
        return {**self.own_tags, "handoff:environment": self.environment}


def desired_projects(
    project_paths: Sequence[ProjectPaths], environment: str, environ: Mapping[str, str]
) -> tuple[tuple[DesiredProject, ...], dict[str, HandoffError]]:
    """Load, validate and render these projects; those that have errors are left out, and named with them."""
    if resource_names.stack_from_environment(environ) and len(project_paths) > 1:
        message = f"{resource_names.STACK_VARIABLE}: found together with --all, which has a stack for each project"
        raise ProjectError(message, f"unset {resource_names.STACK_VARIABLE}")
    desired, errors = list[DesiredProject](), dict[str, HandoffError]()
    for paths in project_paths:
        try:
            desired.append(desired_project(paths, environment, environ))
        except HandoffError as error:  # noqa: PERF203  # the others can be deployed
            errors[paths.name] = error
    return tuple(desired), errors


def desired_project(paths: ProjectPaths, environment: str, environ: Mapping[str, str]) -> DesiredProject:
    """Load, validate and render a project; ProjectFileError with the problems of its file."""
    project = load_project(paths.file, paths.display_path)
    name_limits.check_names(paths, environment, project, project_names(paths.root))
    if project.image.store != "aws":
        found = f"found image: {{store: {project.image.store}}}"
        message = f"{paths.display_path}: {found}, expected aws: runs on Fargate need it"
        raise ProjectError(message, "take `store` out of the keys of `image`")
    params_document.check_functions(paths)
    stack = resource_names.stack_from_environment(environ) or resource_names.stack_name(paths.name, environment)
    desired = DesiredProject(
        paths,
        project,
        environment,
        stack,
        image_source(paths, project, project.deploy.platform),
        templates.render_registry_template(paths.root, paths.name, stack, environment),
        params_document.params_document(paths, project, environment),
        needs_shared_stack(project, bucket=bool(resource_names.bucket_from_environment(environ))),
    )
    desired.task_template(desired.params_document)  # whose errors come before anything is called
    return desired


def desired_shared(root: Path, environment: str) -> DesiredShared:
    """The shared stack of an environment."""
    return DesiredShared(environment, templates.render_shared_template(root, environment))
