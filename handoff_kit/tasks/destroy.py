"""What was deployed, taken out of AWS again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke.tasks import task

from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import conclude, say, told

if TYPE_CHECKING:
    from invoke.context import Context

    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.deploy_settings import Deploy


@task(
    auto_shortflags=False,
    help={
        "project": "name of a project, also of one that is no longer under projects/; default: as elsewhere",
        "shared": "what the projects of the environment share, where none of them is deployed any more",
        "data": "remove data too: files, artifacts, state, history and params; default: they stay",
        "environment": flags.ENVIRONMENT,
        "yes": flags.YES,
    },
)
@told
def destroy(
    c: Context,
    project: str = "",
    shared: bool = False,
    data: bool = False,
    environment: str = "",
    yes: bool = False,
) -> None:
    """Remove a project from AWS: schedules, task, log, images. Tells what goes, what stays, and asks."""
    from handoff_kit.errors import ProjectError

    if shared and project:
        raise ProjectError("--shared: found together with --project, expected one of them", "leave out --project")
    if shared:
        _shared(c, flags.environment(environment), data=data, yes=yes)
    else:
        _project(c, project, flags.environment(environment), data=data, yes=yes)


def _project(c: Context, project: str, environment: str, *, data: bool, yes: bool) -> None:
    from handoff_kit.destruction.project import destroy as remove
    from handoff_kit.remote import connection, names

    place, deploy = _meant(c, project)
    own = deploy.bucket if deploy else None
    stack = connection.connect(place, environment, os.environ, say, own=own)
    cluster = (deploy.cluster if deploy else None) or names.cluster(environment)
    if deploy is None:
        say(f"note: there is no {place.shown} here; going by names alone")
    done = remove(stack, cluster, data=data, dry=c.config.run.dry, yes=yes, say=say)
    conclude(c, range(done), f"invoke deploy {stack.options}")


def _shared(c: Context, environment: str, *, data: bool, yes: bool) -> None:
    from handoff_kit.destruction.shared import Asked
    from handoff_kit.destruction.shared import destroy as remove
    from handoff_kit.remote import connection

    clients = connection.sign_in(os.environ, say)
    asked = Asked(environment, connection.account(clients), data)
    done = remove(clients, asked, dry=c.config.run.dry, yes=yes, say=say)
    conclude(c, range(done), "invoke deploy --project NAME")


def _meant(c: Context, project: str) -> tuple[ProjectPlace, Deploy | None]:
    """The project that is meant, and where it says that it runs; one whose files are gone can be destroyed too."""
    from handoff_kit import names
    from handoff_kit.project import load as projects

    if project and names.checked(project) not in names.known(flags.root(c)):
        return names.ProjectPlace(project, flags.root(c)), None
    place = flags.place(c, project)
    return place, projects.load(place.file, place.shown).deploy
