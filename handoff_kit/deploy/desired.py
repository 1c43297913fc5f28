"""The desired state, from project files alone: templates, image source, params document. No AWS calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws.ecs.cluster import needs_shared_stack
from handoff_kit.deploy import templates
from handoff_kit.errors import ProjectError
from handoff_kit.image.build import TAG_LENGTH, ImageSource, image_source
from handoff_kit.paths import ProjectPaths, project_names
from handoff_kit.project import name_limits, params_document
from handoff_kit.project.load import load_projects
from handoff_kit.project.model import Project


@dataclass(frozen=True)
class DesiredProject:
    """A local project, rendered for an environment."""

    paths: ProjectPaths
    project: Project
    environment: str
    stack_name: str
    image_source: ImageSource
    registry_template: str = field(repr=False)
    task_template: str = field(repr=False)
    params_document: Mapping[str, Any] = field(repr=False)
    needs_shared: bool = True

    @property
    def image_tag(self) -> str:
        """The beginning of the digest of the image source."""
        return self.image_source.digest[:TAG_LENGTH]

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the project's own stacks."""
        return {**self.project.deploy.tags, **resource_names.owner_tags(self.paths.name, self.environment)}


@dataclass(frozen=True)
class DesiredShared:
    """The shared stack of an environment; `template_without_projects` creates it while there is no bucket yet."""

    environment: str
    template: str = field(repr=False)
    template_without_projects: str = field(repr=False)
    own_tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def tags(self) -> dict[str, str]:
        """The tags that the shared stack gets, beside those it has."""
        return {**self.own_tags, "handoff:environment": self.environment}


def desired_projects(
    project_paths: Sequence[ProjectPaths], environment: str, environ: Mapping[str, str]
) -> tuple[DesiredProject, ...]:
    """Load, validate and render these projects; ProjectFileError with the problems of all files."""
    if resource_names.stack_from_environment(environ) and len(project_paths) > 1:
        message = f"{resource_names.STACK_VARIABLE}: found together with --all, which has a stack for each project"
        raise ProjectError(message, f"unset {resource_names.STACK_VARIABLE}")
    loaded, names = load_projects(project_paths), project_names(project_paths[0].root)
    desired = []
    for paths in project_paths:
        project = loaded[paths.name]
        name_limits.check_names(paths, environment, project, names)
        if project.image.store != "aws":
            found = f"found image: {{store: {project.image.store}}}"
            message = f"{paths.display_path}: {found}, expected aws: runs on Fargate need it"
            raise ProjectError(message, "take `store` out of the keys of `image`")
        params_document.check_functions(paths)
        stack = resource_names.stack_from_environment(environ) or resource_names.stack_name(paths.name, environment)
        desired.append(
            DesiredProject(
                paths,
                project,
                environment,
                stack,
                image_source(paths, project, project.deploy.platform),
                templates.render_registry_template(paths.root, paths.name, stack, environment),
                templates.render_task_template(paths.root, paths.name, project, stack, environment),
                params_document.params_document(paths, project, environment),
                needs_shared_stack(project.deploy, bucket=bool(resource_names.bucket_from_environment(environ))),
            )
        )
    return tuple(desired)


def desired_shared(projects: Sequence[DesiredProject], environment: str) -> DesiredShared:
    """The shared stack, whose bucket has rules for every project of the checkout."""
    root = projects[0].paths.root
    template = templates.render_shared_template(
        root, environment, {desired.paths.name: desired.project for desired in projects}
    )
    return DesiredShared(environment, template, templates.render_shared_template(root, environment, projects=False))
