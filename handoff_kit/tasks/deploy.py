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
    from handoff_kit.aws.session import account_of, open_session
    from handoff_kit.deployment import wanted
    from handoff_kit.deployment.deploy import Deployment, after, deploy
    from handoff_kit.deployment.execute import Manner

    name, places = flags.environment(environment), flags.places(c, project, every=all)
    found = wanted.every(places, name, os.environ)
    shared = wanted.shared(found, name)
    for one in found:
        flags.warn_of_git(one.place)
        flags.warn_of_credentials(one.place, one.loaded)
    clients = open_session(os.environ, say)
    manner = Manner(dry=c.config.run.dry, yes=yes, say=say)
    account = account_of(clients)
    common = Deployment(
        clients, account, os.environ, lambda: flags.builder(builder), manner, prune=prune, move_bucket=move_bucket
    )
    changed = deploy(found, shared, common)
    if not changed:
        say("no changes: everything is deployed as it lies here")
    conclude(c, range(changed), after(found, common.stack(found[0]), changed=bool(changed)))
