"""Tasks for files and artifacts in S3: files.push, files.list, artifacts.get, artifacts.list, artifacts.clear."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from invoke.context import Context

from handoff_kit.console import confirm, print_output, print_progress
from handoff_kit.tasks import options
from handoff_kit.tasks.task import apply, command, finish

RUN = "Id of a run as `invoke history --remote` prints it, e.g. 20270131T060000Z-3fc643, or current for the last run; "


@command(
    "push", help={"prune": "Delete stored files that are not in files/; default: keep them, and print their names"}
)
def push_files(c: Context, project: str = "", prune: bool = False, environment: str = "") -> None:
    """Upload the changed files of the project's files/ to S3."""
    from handoff_kit.aws import files
    from handoff_kit.aws.object_tags import use_stored_keep

    paths, _, target = options.load_target(c, project, environment)
    plan = files.compare_files(target, paths)
    use_stored_keep(target)
    changes = apply(c, files.plan_files_push(target, plan, prune=prune), target)
    if not changes:
        print_progress(files.no_upload_note(plan, paths))
    finish(c, changes, f"invoke files.list {target.options}")


@command("list", operates=True)
def list_files(c: Context, project: str = "", environment: str = "") -> None:
    """Print the project's files in S3: path, bytes, time stored."""
    from handoff_kit.aws import files

    paths, target = options.find_target(c, project, environment)
    table = files.files_table(target)
    print_output(table)
    if not table:
        print_progress(f"no files of project {target.project} in bucket {target.bucket}")
    print_progress(f"next: invoke {'files.push' if paths.file.exists() else 'status'} {target.options}")


@command(
    "get",
    operates=True,
    help={
        "output": "Directory to write to, e.g. /tmp/artifacts; default: build/NAME/artifacts/RUN",
        "run": f"{RUN}default: current",
    },
)
def get_artifacts(c: Context, project: str = "", run: str = "", output: str = "", environment: str = "") -> None:
    """Download the artifacts of a run from S3 into a directory."""
    from handoff_kit.aws import artifacts
    from handoff_runtime.terminal import safe_name

    paths, target = options.find_target(c, project, environment)
    objects = artifacts.find_artifacts(target, run)
    directory = Path.cwd() / output if output else artifacts.download_directory(paths, run)
    display_path = shlex.quote(os.path.relpath(directory))
    for item in objects:
        verb = "would fetch" if c.config.run.dry else "fetch"
        print_progress(f"{verb} {safe_name(item.path)} ({item.size:,} bytes) into {display_path}")
    if not objects:
        print_progress(f"no artifacts of project {target.project} in bucket {target.bucket}")
    elif not c.config.run.dry:
        artifacts.download_artifacts(target, run, directory)
    finish(c, len(objects), f"ls {display_path}" if objects else f"invoke history --remote {target.options}")


@command("list", operates=True, help={"run": f"{RUN}default: current"})
def list_artifacts(c: Context, project: str = "", run: str = "", environment: str = "") -> None:
    """Print the artifacts of a run in S3: path, bytes, time stored."""
    from handoff_kit.aws import artifacts
    from handoff_kit.aws.buckets import objects_table

    _, target = options.find_target(c, project, environment)
    objects = artifacts.find_artifacts(target, run)
    print_output(objects_table(objects))
    if not objects:
        print_progress(f"no artifacts of project {target.project} in bucket {target.bucket}")
    chosen = f" --run {run}" if run else ""
    print_progress(f"next: invoke {f'artifacts.get{chosen}' if objects else 'history --remote'} {target.options}")


@command("clear", operates=True)
def clear_artifacts(c: Context, project: str = "", yes: bool = False, environment: str = "") -> None:
    """Delete the last run's artifacts from S3; state and history are kept."""
    from handoff_kit.aws import artifacts

    _, target = options.find_target(c, project, environment)
    objects = artifacts.current_artifacts(target)
    if not objects:
        print_progress(f"no artifacts of project {target.project} in bucket {target.bucket}")
    elif not c.config.run.dry:
        confirm(artifacts.deletion_question(target, objects), f"invoke artifacts.clear {target.options}", yes=yes)
    changes = apply(c, [artifacts.plan_clear(target, objects)], target)
    finish(c, changes, f"invoke artifacts.list {target.options}")
