"""What runs left in S3."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.tasks import task

from handoff_kit.tasks import flags
from handoff_kit.tasks.telling import conclude, put, say, told

if TYPE_CHECKING:
    from invoke.context import Context


@task(
    name="get",
    auto_shortflags=False,
    help={
        "project": flags.PROJECT,
        "run": flags.RUN,
        "output": "directory to put them into; default: build/NAME/artifacts/RUN",
        "environment": flags.ENVIRONMENT,
    },
)
@told
def get(c: Context, project: str = "", run: str = "", output: str = "", environment: str = "") -> None:
    """Fetch artifacts from S3 into a directory: of the last run, or of any."""
    from handoff_kit.remote import artifacts as remote
    from handoff_runtime.terminal import safe_name

    place, stack = flags.stack(c, project, environment)
    found = remote.find(stack, run)
    target = Path.cwd() / output if output else remote.directory(place, run)
    shown = shlex.quote(os.path.relpath(target))
    for item in found:
        say(f"{'would ' if c.config.run.dry else ''}fetch {safe_name(item.path)} ({item.size:,} bytes) into {shown}")
    if not found:
        say(f"no artifacts of project {stack.project} in bucket {stack.bucket}")
    elif not c.config.run.dry:
        remote.fetch(stack, run, target)
    conclude(c, found, f"ls {shown}" if found else f"invoke history --remote {stack.options}")


@task(
    name="list",
    auto_shortflags=False,
    help={"project": flags.PROJECT, "run": flags.RUN, "environment": flags.ENVIRONMENT},
)
@told
def list_(c: Context, project: str = "", run: str = "", environment: str = "") -> None:
    """Print the artifacts in S3: path, bytes, when each was stored."""
    from handoff_kit.aws.objects import objects_table
    from handoff_kit.remote import artifacts as remote

    _, stack = flags.stack(c, project, environment)
    found = remote.find(stack, run)
    put(objects_table(found))
    if not found:
        say(f"no artifacts of project {stack.project} in bucket {stack.bucket}")
    chosen = f" --run {run}" if run else ""
    say(f"next: invoke {f'artifacts.get{chosen}' if found else 'history --remote'} {stack.options}")


@task(
    name="clear",
    auto_shortflags=False,
    help={"project": flags.PROJECT, "yes": flags.YES, "environment": flags.ENVIRONMENT},
)
@told
def clear(c: Context, project: str = "", yes: bool = False, environment: str = "") -> None:
    """Remove the last run's artifacts from S3, so that the next run begins without; state and history stay."""
    from handoff_kit.remote import artifacts as remote
    from handoff_kit.remote import consent

    _, stack = flags.stack(c, project, environment)
    found, dry = remote.clearable(stack), c.config.run.dry
    if not found:
        say(f"no artifacts of project {stack.project} in bucket {stack.bucket}")
    elif not dry:
        consent.ask(remote.question(stack, found), f"invoke artifacts.clear {stack.options}", yes=yes)
    remote.clear(stack, found, dry=dry, say=say)
    conclude(c, found, f"invoke artifacts.list {stack.options}")
