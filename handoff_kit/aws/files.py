"""The files of a project: those here against those in S3."""

from __future__ import annotations

from handoff_kit.aws.buckets import list_objects, objects_table
from handoff_kit.aws.target import Target
from handoff_kit.errors import translate_store_errors
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.params_document import is_left_out
from handoff_kit.steps import DeleteObjects, UploadFiles
from handoff_kit.text import join_first
from handoff_runtime import s3_keys
from handoff_runtime.aws import transfer
from handoff_runtime.aws.transfer import Place, UploadPlan
from handoff_runtime.terminal import safe_name

DIRECTORY = "files"
MOST_NAMES = 5  # in a note


def compare_files(target: Target, paths: ProjectPaths, *, has_bucket: bool = True) -> UploadPlan:
    """The local files against those stored, and notes of links that lead out of their directory.

    Before there is a bucket, all local files are to be uploaded.
    """
    notes: list[str] = []
    with translate_store_errors():
        found = transfer.list_files(str(paths.directory / DIRECTORY), notes.append)
        local = [file for file in found if not is_left_out(file.path.rpartition("/")[2])]
        plan = UploadPlan(tuple(local), (), ())
        if has_bucket:
            plan = transfer.plan(target.session, local, Place(target.bucket, s3_keys.files(target.name)))
    return plan._replace(notes=tuple(notes))


def plan_files_push(
    target: Target, plan: UploadPlan, *, prune: bool = False
) -> tuple[UploadFiles | DeleteObjects, ...]:
    """The steps that upload what differs, and with `prune` delete stored files that are not here."""
    prefix, notes, count = s3_keys.files(target.name), plan.notes, len(plan.gone)
    if prune:
        deletion = DeleteObjects(target.bucket, tuple(item.key for item in plan.gone))
        return UploadFiles(target.bucket, prefix, plan.send, notes), deletion
    if plan.gone:
        names = join_first([safe_name(item.path) for item in plan.gone], MOST_NAMES)
        note = f"note: {count} stored file{'s are' if count > 1 else ' is'} not here any more: {names}"
        notes = (*notes, note, f"hint: to delete them: invoke files.push --prune {target.options}")
    return (UploadFiles(target.bucket, prefix, plan.send, notes),)


def no_upload_note(plan: UploadPlan, paths: ProjectPaths) -> str:
    if not plan.same:
        return f"no files: projects/{paths.name}/{DIRECTORY}/ does not exist or is empty"
    return f"{len(plan.same)} file{'s' if len(plan.same) > 1 else ''} up to date"


def files_table(target: Target) -> str:
    """The stored files: path, bytes, when each was stored."""
    return objects_table(list_objects(target, s3_keys.files(target.name)))
