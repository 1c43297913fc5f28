"""The state in S3: read it and its versions, and replace it by compare-and-swap."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError, ProjectError, translate_store_errors
from handoff_kit.paths import ProjectPaths
from handoff_kit.steps import ApiCall
from handoff_kit.text import count, table, timestamp
from handoff_runtime import s3_keys
from handoff_runtime.aws import checksum, lease
from handoff_runtime.aws.session import S3

HEAD = ("VERSION", "STORED", "BYTES", "WHAT")
UNVERSIONED = "null"
NO_KEY = ("NoSuchKey",)  # not 404, which a missing bucket answers too
NO_VERSION = (*NO_KEY, "NoSuchVersion", "InvalidArgument", "MethodNotAllowed", "405")  # 405: a delete marker
SINGER = "singer"


@dataclass(frozen=True)
class State:
    """One version of the state; `stored` is when, as text."""

    content: bytes
    etag: str
    version: str
    stored: str


def find_state(target: Target, version: str = "") -> State | None:
    """The current state, or one version of it; None where there is none."""
    request = {"Bucket": target.bucket, "Key": s3_keys.state(target.name)}
    if version:
        request["VersionId"] = version
    answer = target.call(S3, "get_object", allow=NO_VERSION if version else NO_KEY, **request)
    if answer is None:
        return None
    body = answer["Body"].read()
    return State(body, answer["ETag"], answer.get("VersionId", UNVERSIONED), timestamp(answer["LastModified"]))


def get_state(target: Target, version: str = "") -> State:
    """The current state, or one version of it; AWSError where there is none."""
    if state := find_state(target, version):
        return state
    if not version:
        raise no_state_error(target)
    raise AWSError(f"{state_url(target)}: no version {version} found", _history_command(target))


def no_state_error(target: Target) -> AWSError:
    return AWSError(
        f"{state_url(target)}: no state found", f"a run leaves one; earlier ones: {_history_command(target)}"
    )


def state_url(target: Target) -> str:
    return target.url(s3_keys.state(target.name))


def _history_command(target: Target) -> str:
    return f"invoke state.history {target.options}"


def state_history(target: Target) -> str:
    """A table of the versions and delete markers, the newest first; empty where there is none."""
    key = s3_keys.state(target.name)
    pages = target.pages(S3, "list_object_versions", Bucket=target.bucket, Prefix=key)
    both = (version for page in pages for kind in ("Versions", "DeleteMarkers") for version in page.get(kind, ()))
    versions = [version for version in both if version["Key"] == key]
    versions.sort(key=lambda version: (version["LastModified"], version["IsLatest"]), reverse=True)
    rows = []
    for version in versions:
        what = "cleared" if "ETag" not in version else "current" if version["IsLatest"] else "earlier"
        rows.append((version["VersionId"], timestamp(version["LastModified"]), count(version.get("Size")), what))
    return table(HEAD, rows, right=("BYTES",)) if rows else ""


def require_version(target: Target, version: str) -> str:
    """--version, which is required."""
    if version:
        return version
    raise ProjectError(
        "--version: missing, expected the id of a version", f"see which there are: {_history_command(target)}"
    )


def draft_path(paths: ProjectPaths) -> Path:
    """The file in which a state is edited; it remains where the state cannot be stored."""
    return paths.build / "state.edited"


def text_to_edit(state: State | None) -> bytes:
    return state.content if state else b"{}\n"


def check_state(text: bytes, mode: str, where: str, command: str) -> None:
    """Refuse a state that a run could not read: an empty one, or for `state: singer` one that is no JSON object."""
    if not text.strip():
        raise ProjectError(f"{where}: found nothing, expected a state", "to delete the state: invoke state.clear")
    if mode != SINGER:
        return
    try:
        value = json.loads(text)
        problem = "" if isinstance(value, dict) else f"JSON of another kind ({type(value).__name__})"
    except (ValueError, RecursionError) as error:
        problem = f"no JSON ({error})"
    if problem:
        hint = f"correct it, then: {command}"
        raise ProjectError(f"{where}: found {problem}, expected a JSON object (state: singer)", hint)


def plan_put_state(
    target: Target, content: bytes, replaced: State | None, what: str, command: str = ""
) -> tuple[ApiCall, ...]:
    """The call that replaces the state `replaced`, or creates one; `command` is the command to run after a conflict."""
    if replaced and replaced.content == content:
        return ()
    condition = {"IfMatch": replaced.etag} if replaced else {"IfNoneMatch": "*"}
    checks = {
        "ContentMD5": b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        "Metadata": {checksum.SHA256: hashlib.sha256(content).hexdigest()},
    }
    request = {"Bucket": target.bucket, "Key": s3_keys.state(target.name), "Body": content, **checks, **condition}
    return (ApiCall(f"{what} ({len(content):,} bytes)", S3, "put_object", request, _conflict(target, command)),)


def plan_restore_state(target: Target, version: State, replaced: State | None) -> tuple[ApiCall, ...]:
    """The call that stores an earlier version as the newest."""
    return plan_put_state(
        target, version.content, replaced, f"store version {version.version} of {version.stored} as {state_url(target)}"
    )


def plan_clear_state(target: Target, state: State) -> tuple[ApiCall, ...]:
    """The call that deletes the state; a bucket with versions keeps it."""
    request = {"Bucket": target.bucket, "Key": s3_keys.state(target.name), "IfMatch": state.etag}
    description = f"delete {state_url(target)} ({len(state.content):,} bytes)"
    return (ApiCall(description, S3, "delete_object", request, _conflict(target)),)


def question_before_clear(target: Target, state: State) -> str:
    kept = "" if state.version != UNVERSIONED else ", of which this bucket keeps no version"
    return f"delete the state of project {target.project} ({len(state.content):,} bytes{kept})"


def command_after_clear(target: Target, state: State) -> str:
    """The next command: restore the state where the bucket has versions, else run."""
    if state.version == UNVERSIONED:
        return f"invoke run-local {target.options}"
    return f"invoke state.restore --version {state.version} {target.options}"


def _conflict(target: Target, command: str = "") -> AWSError:
    message = f"{state_url(target)}: changed since it was read, probably by a run; nothing was replaced"
    then = f", then: {command}" if command else ""
    return AWSError(message, f"see what is there now: invoke state.show {target.options}{then}")


def run_in_progress(target: Target) -> str | None:
    """The id of the run in progress, which fails at its end where the state was changed; None also where unknown."""
    try:
        return lock_holder(target)
    except AWSError:  # the permission to read the lock may be missing
        return None


def lock_holder(target: Target) -> str | None:
    """The id of the run that holds the lock of the project; AWSError where the lock cannot be read."""
    with translate_store_errors():
        stored = lease.read_lease(target.session, target.bucket, target.name)
    return None if stored is None or lease.is_free(stored) else str(stored.claim.get("run_id", "?"))
