"""What is packaged: render, build, list, push."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from invoke.tasks import task

from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import conclude, do, execute, put, say, told

if TYPE_CHECKING:
    from invoke.context import Context

    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project
    from handoff_kit.steps import Step


@task(
    auto_shortflags=False,
    help={"project": flags.PROJECT, "environment": flags.ENVIRONMENT, "platform": flags.PLATFORM},
)
@told
def render(c: Context, project: str = "", environment: str = "", platform: str = "") -> None:
    """Write what would be sent elsewhere to build/NAME/: image, params and the template of each stack.

    Those are Dockerfile, context/, pipeline.json, shared.yml, registry.yml, task.yml and schedule.yml.
    """
    from handoff_kit.image import build as building
    from handoff_kit.project import load as projects
    from handoff_kit.project import params_document as documents
    from handoff_kit.steps import WriteFile

    place = flags.place(c, project)
    loaded = projects.load(place.file, place.shown)
    name = flags.environment(environment)
    pipeline = documents.pipeline_of(place, loaded, name)
    made = building.source(place, loaded, flags.platform(platform) or loaded.image.platform or "")
    steps = (
        WriteFile(place.build / "pipeline.json", documents.to_json(pipeline)),
        *_stacks(place, loaded, name),
        *building.plan_render(made),
    )
    flags.warn_of_credentials(place, loaded)
    do(c, steps, f"invoke build --project {place.name}")


def _stacks(place: ProjectPlace, loaded: Project, environment: str) -> tuple[Step, ...]:
    """The templates of the project's stacks, and of what it shares."""
    from handoff_kit import templates
    from handoff_kit.deploy.schedule_template import render_schedule_template
    from handoff_kit.remote import names
    from handoff_kit.steps import RemoveTree, WriteFile

    stack = names.given_stack(os.environ) or names.stack(place.name, environment)
    texts = {
        "shared": templates.shared(place.root, environment, {place.name: loaded}),
        "registry": templates.registry(place.root, place.name, loaded, stack, environment),
        "task": templates.task(place.root, place.name, loaded, stack, environment),
    }
    if loaded.schedules:
        texts["schedule"] = render_schedule_template(
            place.root, place.name, loaded.schedules, loaded.deploy, stack, environment
        )
    stale = place.build / "schedule.yml"
    gone = (RemoveTree(stale),) if "schedule" not in texts and stale.exists() else ()
    return (*(WriteFile(place.build / f"{kind}.yml", text) for kind, text in texts.items()), *gone)


@task(
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "tag": "name of the image; default: handoff-NAME with a tag that follows from what it is made of",
        "platform": flags.PLATFORM,
        "no-cache": "build every layer anew, also where nothing changed; default: only what changed",
        "builder": flags.BUILDER,
    },
)
@told
def build(
    c: Context, project: str = "", tag: str = "", platform: str = "", no_cache: bool = False, builder: str = ""
) -> None:
    """Build the project's image; nothing where nothing changed. Prints its name, id, size and the seconds it took."""
    from handoff_kit.image import build as building
    from handoff_kit.image import dockerfile, listing
    from handoff_kit.image.revision import revision
    from handoff_kit.project import load as projects

    begun = time.monotonic()
    place = flags.place(c, project)
    loaded = projects.load(place.file, place.shown)
    worker = flags.builder(builder)
    asked = flags.platform(platform) or loaded.image.platform
    made = building.source(place, loaded, asked or worker.platform)
    reference = building.checked(tag) if tag else made.reference
    steps = building.plan_build(
        made,
        worker,
        worker.image(reference),
        reference=reference,
        platform=asked,
        revision=revision(place, worker.ask),
        settings=[name for name in dockerfile.INDEX_SETTINGS if name in os.environ],
        no_cache=no_cache,
    )
    if not steps:
        say(f"{reference} is up to date")
    flags.warn_of_git(place)
    flags.warn_of_credentials(place, loaded)
    execute(c, steps)
    if not c.config.run.dry:
        put(listing.line(worker, reference, time.monotonic() - begun))
    conclude(c, steps, f"invoke run-local --container --project {place.name}")


@task(
    auto_shortflags=False,
    help={
        "project": "list the images of this project alone; default: those of every project",
        "builder": flags.BUILDER,
    },
)
@told
def images(c: Context, project: str = "", builder: str = "") -> None:
    """Print the images there are of projects: name, id, size, age, platform, source revision."""
    from datetime import datetime, timezone

    from handoff_kit import names
    from handoff_kit.image import listing

    found = listing.images(flags.builder(builder), names.checked(project) if project else None)
    if not found:
        say(f"no image of {f'project {project}' if project else 'any project'}")
        say("next: invoke build" + (f" --project {project}" if project else ""))
        return
    put(listing.table(found, datetime.now(timezone.utc)))


@task(
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "repository": "required: where to, as docker takes it, like 127.0.0.1:5000/team/elements",
        "tag": "its tag there; default: the one that follows from what the image is made of",
        "builder": flags.BUILDER,
    },
)
@told
def push(c: Context, project: str = "", repository: str = "", tag: str = "", builder: str = "") -> None:
    """Push the project's image to a registry. Prints its name there, digest, size and the seconds it took."""
    from handoff_kit.image import listing
    from handoff_kit.image import push as pushing

    begun = time.monotonic()
    place, repository = flags.place(c, project), pushing.checked(repository)
    worker, image = flags.image(place, builder)
    target = pushing.named(repository, tag or image.rpartition(":")[2])
    steps = pushing.plan_push(worker, image, target, place)
    execute(c, steps)
    if not c.config.run.dry:
        digest = pushing.pushed(worker, target, place)
        put(listing.line(worker, target, time.monotonic() - begun, digest))
    conclude(c, steps, f"docker run {repository}@DIGEST show_commands --params FILE")
