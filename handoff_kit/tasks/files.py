"""The files of a project in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.tasks import task

from handoff_kit.console import print_output, print_progress
from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import conclude, told

if TYPE_CHECKING:
    from invoke.context import Context


@task(
    name="push",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "prune": "remove stored files that are not here; default: leave and name them",
        "environment": flags.ENVIRONMENT,
    },
)
@told
def push(c: Context, project: str = "", prune: bool = False, environment: str = "") -> None:
    """Upload what changed of the project's files/ to S3."""
    from handoff_kit.remote import files as remote

    place, stack = flags.stack(c, project, environment)
    plan = remote.compare(stack, place)
    changes = remote.push(stack, plan, prune=prune, dry=c.config.run.dry, say=print_progress)
    if not changes:
        print_progress(remote.up_to_date(plan, place))
    conclude(c, [*plan.send, *(plan.gone if prune else ())], f"invoke files.list {stack.options}")


@task(name="list", auto_shortflags=False, help={"project": flags.PROJECT, "environment": flags.ENVIRONMENT})
@told
def list_(c: Context, project: str = "", environment: str = "") -> None:
    """Print the project's files in S3: path, bytes, when each was stored."""
    from handoff_kit.remote import files as remote

    _, stack = flags.stack(c, project, environment)
    found = remote.table_of(stack)
    print_output(found)
    if not found:
        print_progress(f"no files of project {stack.project} in bucket {stack.bucket}")
    print_progress(f"next: invoke files.push {stack.options}")
