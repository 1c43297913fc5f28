"""From the files of a project to a task in AWS."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke.tasks import task

from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import conclude, say, told

if TYPE_CHECKING:
    from invoke.context import Context


@task(
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "all": "every project under projects/",
        "environment": flags.ENVIRONMENT,
        "builder": flags.BUILDER,
        "move-bucket": "copy files, artifacts, state and history to the bucket that S3_BUCKET_NAME "
        "or deploy.bucket names, and deploy with it; default: refuse another bucket",
        "prune": flags.PRUNE,
        "yes": flags.YES,
    },
)
@told
def deploy(
    c: Context,
    project: str = "",
    all: bool = False,  # noqa: A002  # what the flag is called
    environment: str = "",
    builder: str = "",
    move_bucket: bool = False,
    prune: bool = False,
    yes: bool = False,
) -> None:
    """Deploy a project to AWS: stacks, image, params, files. Tells each change of a stack, and asks before it."""
    from handoff_kit.apply import ApplyOptions
    from handoff_kit.deployment import deploy as deployment
    from handoff_kit.deployment.wanted import desired_projects, desired_shared
    from handoff_kit.remote import connection

    name, places = flags.environment(environment), flags.places(c, project, every=all)
    projects = desired_projects(places, name, os.environ)
    shared = desired_shared(projects, name)
    for one in projects:
        flags.warn_of_git(one.place)
        flags.warn_of_credentials(one.place, one.project)
    clients = connection.sign_in(os.environ, say)
    options = ApplyOptions(say, dry=c.config.run.dry, yes=yes)
    account = connection.account(clients)
    context = deployment.DeployContext(
        clients, account, os.environ, lambda: flags.builder(builder), options, prune=prune, move_bucket=move_bucket
    )
    changed = deployment.deploy(projects, shared, context)
    if not changed:
        say("no changes: the deployment is up to date")
    conclude(c, range(changed), deployment.next_command(projects, context.target(projects[0]), changed=bool(changed)))
