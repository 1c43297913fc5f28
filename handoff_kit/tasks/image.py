"""Tasks for images: render, build, images, push."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from handoff_kit.console import print_data, print_output, print_progress
from handoff_kit.errors import ProjectError
from handoff_kit.tasks import options
from handoff_kit.tasks.task import apply, command, finish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff_kit.paths import ProjectPaths
    from handoff_kit.project.model import Project
    from handoff_kit.steps import Step


@command()
def render(c: Context, project: str = "", environment: str = "", platform: str = "") -> None:
    """Write Dockerfile, build context, params and stack templates to build/NAME/.

    Those are Dockerfile, context/, pipeline.json, shared.yml, registry.yml, task.yml and schedule.yml.
    """
    from handoff_kit.image.build import image_source, plan_render
    from handoff_kit.project.params_document import params_document, to_json
    from handoff_kit.steps import WriteFile

    paths, loaded = options.load_project(c, project)
    name = options.parse_environment(environment, os.environ)
    document = params_document(paths, loaded, name)
    source = image_source(paths, loaded, options.parse_platform(platform) or loaded.image.platform or "")
    steps = (
        WriteFile(paths.build / "pipeline.json", to_json(document["pipeline"])),
        *_plan_templates(paths, loaded, document, name),
        *plan_render(source),
    )
    options.warn_of_credentials(paths, loaded)
    apply(c, steps)
    finish(c, len(steps), f"invoke build --project {paths.name}")


def _plan_templates(
    paths: ProjectPaths, loaded: Project, document: Mapping[str, Any], environment: str
) -> tuple[Step, ...]:
    from handoff_kit import resource_names
    from handoff_kit.deploy import templates
    from handoff_kit.deploy.schedule_template import render_schedule_template
    from handoff_kit.project.params_document import document_references
    from handoff_kit.steps import RemoveTree, WriteFile

    stack = resource_names.stack_from_environment(os.environ) or resource_names.stack_name(paths.name, environment)
    texts = {
        "shared": templates.render_shared_template(paths.root, environment),
        "registry": templates.render_registry_template(paths.root, paths.name, stack, environment),
        "task": templates.render_task_template(
            paths.root, paths.name, loaded, stack, environment, references=document_references(document)
        ),
    }
    if loaded.schedules:
        texts["schedule"] = render_schedule_template(
            paths.root, paths.name, loaded.schedules, loaded.deploy, stack, environment
        )
    stale = paths.build / "schedule.yml"
    gone = (RemoveTree(stale),) if "schedule" not in texts and stale.exists() else ()
    return (*(WriteFile(paths.build / f"{kind}.yml", text) for kind, text in texts.items()), *gone)


@command(
    help={
        "no-cache": "Build every layer, changed or not; default: reuse cached layers",
        "tag": "Name of the image, e.g. mine:1; default: handoff-NAME:TAG with a tag computed from its content",
    }
)
def build(
    c: Context, project: str = "", tag: str = "", platform: str = "", no_cache: bool = False, builder: str = ""
) -> None:
    """Build the project's image if it is out of date. Prints its name, id, size and the seconds it took."""
    from handoff_kit.image.build import base_image, check_tag, git_revision, image_line, image_source, plan_build
    from handoff_kit.image.dockerfile import INDEX_SETTINGS

    started = time.monotonic()
    paths, loaded = options.load_project(c, project)
    image_builder = options.find_image_builder(builder)
    chosen = options.parse_platform(platform) or loaded.image.platform
    source = image_source(paths, loaded, chosen or image_builder.platform)
    reference = check_tag(tag) if tag else source.reference
    steps = plan_build(
        source,
        image_builder,
        image_builder.image(reference),
        reference=reference,
        platform=chosen,
        revision=git_revision(paths, image_builder.ask),
        settings=[name for name in INDEX_SETTINGS if name in os.environ],
        no_cache=no_cache,
        base=base_image(source, loaded.image.base, image_builder),
    )
    if not steps:
        print_progress(f"{reference} is up to date")
    options.warn_of_git(paths)
    options.warn_of_credentials(paths, loaded)
    apply(c, steps)
    if not c.config.run.dry:
        print_output(image_line(image_builder, reference, time.monotonic() - started))
    finish(c, len(steps), f"invoke run-local --container --project {paths.name}")


@command(
    help={
        "environment": "With --remote: environment to use, e.g. prod; default: HANDOFF_ENVIRONMENT, else dev",
        "json": "With --remote: print JSON, one object per line; default: a table",
        "project": "Name of the only project to list, e.g. word-count; default: every project, with --remote "
        "HANDOFF_PROJECT, else the project of the current directory, else the only project",
        "remote": "List the images in the project's registry in AWS: tags, digest, when deployed, what runs it; "
        "default: the images of this machine",
    }
)
def images(
    c: Context, project: str = "", remote: bool = False, environment: str = "", json: bool = False, builder: str = ""
) -> None:
    """Print the images of projects: name, id, size, age, platform, source revision; --remote those in the registry."""
    for flag, is_given in (("--environment", environment), ("--json", json)):
        if is_given and not remote:
            raise ProjectError(f"{flag} needs --remote", "add --remote")
    if remote and builder:
        raise ProjectError("--remote and --builder exclude each other", "leave out --builder")
    if remote:
        _list_registry(c, project, environment, json=json)
        return
    from handoff_kit.image.build import images_table, list_images
    from handoff_kit.paths import check_project_name

    existing = list_images(options.find_builder(builder), check_project_name(project) if project else None)
    if not existing:
        print_progress(f"no image of {f'project {project}' if project else 'any project'}")
        print_progress("next: invoke build" + (f" --project {project}" if project else ""))
        return
    print_output(images_table(existing, options.utc_now()))


def _list_registry(c: Context, project: str, environment: str, *, json: bool) -> None:
    from handoff_kit.aws.ecs.cluster import settings_in_use, tasks_of_project
    from handoff_kit.deploy.registry_images import read_registry, registry_json, registry_table

    deployed = options.find_deployed(c, project, environment)
    tasks = tasks_of_project(deployed.target, settings_in_use(deployed, print_progress), deployed.stack)
    found = read_registry(tasks, deployed.stack, print_progress)
    print_data(registry_json(found)) if json else print_output(registry_table(found))
    task = "rollback" if len(found) > 1 else "status" if found else "deploy"
    print_progress(f"next: invoke {task} {deployed.target.options}")


@command(
    help={
        "repository": "Repository to push to, as docker takes it, e.g. 127.0.0.1:5000/team/elements; required",
        "tag": "Tag of the pushed image, e.g. v1; default: the tag computed from its content",
    }
)
def push(c: Context, project: str = "", repository: str = "", tag: str = "", builder: str = "") -> None:
    """Push the project's image to a registry. Prints its name there, digest, size and the seconds it took."""
    from handoff_kit.image.build import image_line
    from handoff_kit.image.push import check_repository, plan_image_push, pushed_digest, registry_reference

    started = time.monotonic()
    paths, repository = options.find_project(c, project), check_repository(repository)
    image_builder, image = options.find_image(paths, builder)
    target = registry_reference(repository, tag or image.rpartition(":")[2])
    steps = plan_image_push(image_builder, image, target, paths)
    apply(c, steps)
    if not c.config.run.dry:
        digest = pushed_digest(image_builder, target, paths)
        print_output(image_line(image_builder, target, time.monotonic() - started, digest))
    finish(c, len(steps), f"docker run {repository}@DIGEST show_commands --params FILE")
