"""The state in S3: read it and its versions, and replace it by compare-and-swap."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError, ProjectError, translate_store_errors
from handoff_kit.paths import ProjectPaths
from handoff_kit.steps import ApiCall, Conflict
from handoff_kit.text import count, table, timestamp
from handoff_runtime import s3_keys
from handoff_runtime.aws import checksum, lease
from handoff_runtime.aws.session import S3

HEAD = ("VERSION", "STORED", "BYTES", "WHAT")
UNVERSIONED = "null"
NO_KEY = ("NoSuchKey",)  # not 404, which a missing bucket answers too
NO_VERSION = (*NO_KEY, "NoSuchVersion", "InvalidArgument", "MethodNotAllowed", "405")  # 405: a delete marker
SINGER = "singer"
EMPTY_STATE = b"{}\n"


@dataclass(frozen=True)
class State:
    """One version of the state; `stored` is when, as text."""

    content: bytes
    etag: str
    version: str
    stored: str


def find_state(stack: Target, version: str = "") -> State | None:
    """The current state, or one version of it; None where there is none."""
    request = {"Bucket": stack.bucket, "Key": s3_keys.state(stack.name), **({"VersionId": version} if version else {})}
    answer = stack.call_unless(NO_VERSION if version else NO_KEY, S3, "get_object", **request)
    if answer is None:
        return None
    body = answer["Body"].read()
    return State(body, answer["ETag"], answer.get("VersionId", UNVERSIONED), timestamp(answer["LastModified"]))


def get_state(stack: Target, version: str = "") -> State:
    """The current state, or one version of it; AWSError where there is none."""
    if found := find_state(stack, version):
        return found
    raise (
        AWSError(f"{state_url(stack)}: no version {version} found", _versions(stack))
        if version
        else no_state_error(stack)
    )


def no_state_error(stack: Target) -> AWSError:
    """The error where no state is stored."""
    return AWSError(f"{state_url(stack)}: no state found", f"a run leaves one; earlier ones: {_versions(stack)}")


def state_url(stack: Target) -> str:
    """s3://BUCKET/KEY of the state."""
    return stack.shown(s3_keys.state(stack.name))


def _versions(stack: Target) -> str:
    return f"invoke state.history {stack.options}"


def state_history(stack: Target) -> str:
    """A table of the versions and delete markers, the newest first; empty where there is none."""
    key = s3_keys.state(stack.name)
    pages = stack.pages(S3, "list_object_versions", Bucket=stack.bucket, Prefix=key)
    both = (version for page in pages for kind in ("Versions", "DeleteMarkers") for version in page.get(kind, ()))
    versions = [version for version in both if version["Key"] == key]
    versions.sort(key=lambda version: (version["LastModified"], version["IsLatest"]), reverse=True)
    rows = [_row(version) for version in versions]
    return table(HEAD, rows, right=("BYTES",)) if rows else ""


def _row(version: Mapping[str, Any]) -> tuple[str, ...]:
    what = "cleared" if "ETag" not in version else "current" if version["IsLatest"] else "earlier"
    return version["VersionId"], timestamp(version["LastModified"]), count(version.get("Size")), what


def require_version(stack: Target, version: str) -> str:
    """--version, which is required."""
    if version:
        return version
    raise ProjectError("--version: missing, expected the id of a version", f"see which there are: {_versions(stack)}")


def draft_path(paths: ProjectPaths) -> Path:
    """The file in which a state is edited; it remains where the state cannot be stored."""
    return paths.build / "state.edited"


def text_to_edit(seen: State | None) -> bytes:
    """The text to edit."""
    return seen.content if seen else EMPTY_STATE


def check_state(text: bytes, mode: str, where: str, again: str) -> None:
    """Refuse a state that a run could not read: an empty one, or for `state: singer` one that is no JSON object."""
    if not text.strip():
        raise ProjectError(f"{where}: found nothing, expected a state", "to delete the state: invoke state.clear")
    if mode != SINGER:
        return
    try:
        value = json.loads(text)
        wrong = "" if isinstance(value, dict) else f"JSON of another kind ({type(value).__name__})"
    except (ValueError, RecursionError) as error:
        wrong = f"no JSON ({error})"
    if wrong:
        hint = f"correct it, then: {again}"
        raise ProjectError(f"{where}: found {wrong}, expected a JSON object (state: singer)", hint)


def plan_put_state(
    stack: Target, content: bytes, seen: State | None, what: str, again: str = ""
) -> tuple[ApiCall, ...]:
    """The call that replaces the state `seen`, or creates one; `again` is the command to run after a conflict."""
    if seen and seen.content == content:
        return ()
    condition = {"IfMatch": seen.etag} if seen else {"IfNoneMatch": "*"}
    checks = {
        "ContentMD5": b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        "Metadata": {checksum.SHA256: hashlib.sha256(content).hexdigest()},
    }
    request = {"Bucket": stack.bucket, "Key": s3_keys.state(stack.name), "Body": content, **checks, **condition}
    return (ApiCall(f"{what} ({len(content):,} bytes)", S3, "put_object", request, _conflict(stack, again)),)


def plan_restore_state(stack: Target, version: State, seen: State | None) -> tuple[ApiCall, ...]:
    """The call that stores an earlier version as the newest."""
    return plan_put_state(
        stack, version.content, seen, f"store version {version.version} of {version.stored} as {state_url(stack)}"
    )


def plan_clear_state(stack: Target, seen: State) -> tuple[ApiCall, ...]:
    """The call that deletes the state; a bucket with versions keeps it."""
    request = {"Bucket": stack.bucket, "Key": s3_keys.state(stack.name), "IfMatch": seen.etag}
    return (
        ApiCall(
            f"delete {state_url(stack)} ({len(seen.content):,} bytes)", S3, "delete_object", request, _conflict(stack)
        ),
    )


def question_before_clear(stack: Target, seen: State) -> str:
    """The question before the state is deleted."""
    kept = "" if seen.version != UNVERSIONED else ", of which this bucket keeps no version"
    return f"delete the state of project {stack.project} ({len(seen.content):,} bytes{kept})"


def command_after_clear(stack: Target, seen: State) -> str:
    """The next command: restore the state where the bucket has versions, else run."""
    if seen.version == UNVERSIONED:
        return f"invoke run-local {stack.options}"
    return f"invoke state.restore --version {seen.version} {stack.options}"


def _conflict(stack: Target, again: str = "") -> Conflict:
    message = f"{state_url(stack)}: changed since it was read, probably by a run; nothing was replaced"
    then = f", then: {again}" if again else ""
    return Conflict(message, f"see what is there now: invoke state.show {stack.options}{then}")


def run_in_progress(stack: Target) -> str | None:
    """The id of the run in progress, which fails at its end where the state was changed; None also where unknown."""
    try:
        return lock_holder(stack)
    except AWSError:  # the permission to read the lock may be missing
        return None


def lock_holder(stack: Target) -> str | None:
    """The id of the run that holds the lock of the project; AWSError where the lock cannot be read."""
    with translate_store_errors():
        found = lease.read_lease(stack.clients, stack.bucket, stack.name)
    return None if found is None or lease.is_free(found) else str(found.claim.get("run_id", "?"))
