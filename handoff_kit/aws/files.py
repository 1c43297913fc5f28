"""The files of a project: those here against those in S3."""

from __future__ import annotations

from handoff_kit.aws.objects import place_below, table_below
from handoff_kit.aws.target import Target
from handoff_kit.errors import translate_store_errors
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.params_document import LEFT_OUT
from handoff_kit.steps import DeleteObjects, UploadFiles
from handoff_runtime import s3_keys
from handoff_runtime.aws import transfer
from handoff_runtime.aws.transfer import LocalFile, UploadPlan
from handoff_runtime.terminal import safe_name

DIRECTORY = "files"
MOST_NAMES = 5  # in a note


def compare_files(stack: Target, paths: ProjectPaths) -> UploadPlan:
    """The local files against those stored."""
    local, notes = _local(paths)
    with translate_store_errors():
        return transfer.plan(stack.clients, local, place_below(stack, s3_keys.files(stack.name)))._replace(notes=notes)


def plan_first_upload(paths: ProjectPaths) -> UploadPlan:
    """All local files are to be uploaded, since there is no bucket yet to compare them with."""
    local, notes = _local(paths)
    return UploadPlan(tuple(local), (), (), notes)


def _local(paths: ProjectPaths) -> tuple[list[LocalFile], tuple[str, ...]]:
    """The local files, and notes of the links that lead out of their directory."""
    notes: list[str] = []
    with translate_store_errors():
        found = list(transfer.list_files(str(paths.directory / DIRECTORY), notes.append))
    return [file for file in found if file.path.rpartition("/")[2] not in LEFT_OUT], tuple(notes)


def plan_files_push(stack: Target, plan: UploadPlan, *, prune: bool = False) -> tuple[UploadFiles | DeleteObjects, ...]:
    """The steps that upload what differs, and with `prune` delete stored files that are not here."""
    notes = plan.notes if prune or not plan.gone else (*plan.notes, *_stored_only(stack, plan))
    upload = UploadFiles(stack.bucket, s3_keys.files(stack.name), plan.send, notes)
    deletion = DeleteObjects(stack.bucket, tuple(item.key for item in plan.gone))
    return (upload, deletion) if prune else (upload,)


def _stored_only(stack: Target, plan: UploadPlan) -> tuple[str, str]:
    count = len(plan.gone)
    names = ", ".join(safe_name(item.path) for item in plan.gone[:MOST_NAMES])
    more = f" and {count - MOST_NAMES} more" if count > MOST_NAMES else ""
    what = f"{count} stored file{'s are' if count > 1 else ' is'} not here any more"
    return f"note: {what}: {names}{more}", f"hint: to delete them: invoke files.push --prune {stack.options}"


def no_upload_note(plan: UploadPlan, paths: ProjectPaths) -> str:
    """Why there was nothing to upload."""
    if not plan.same:
        return f"no files: projects/{paths.name}/{DIRECTORY}/ does not exist or is empty"
    return f"{len(plan.same)} file{'s' if len(plan.same) > 1 else ''} up to date"


def files_table(stack: Target) -> str:
    """The stored files: path, bytes, when each was stored."""
    return table_below(stack, s3_keys.files(stack.name))
