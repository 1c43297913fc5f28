"""The state in S3: shown, and replaced only where it still is what one has seen (compare-and-swap)."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_kit.errors import ProjectError
from handoff_kit.remote.errors import AWSError, told
from handoff_kit.steps import Change, Race
from handoff_kit.text import count, stamp, table
from handoff_runtime import keys
from handoff_runtime.aws import digest, lease
from handoff_runtime.aws.clients import S3

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from handoff_kit.names import ProjectPlace
    from handoff_kit.remote.stack import Stack

__all__ = [
    "State",
    "after_clear",
    "check",
    "checked_version",
    "draft",
    "find",
    "get",
    "history",
    "holder",
    "none_there",
    "plan_clear",
    "plan_put",
    "plan_restore",
    "question",
    "shown",
    "text_of",
    "under_way",
]

HEAD = ("VERSION", "STORED", "BYTES", "WHAT")
UNVERSIONED = "null"
NO_KEY = ("NoSuchKey",)  # a bucket that is not there answers 404 as well, and is another mistake
NO_VERSION = (*NO_KEY, "NoSuchVersion", "InvalidArgument", "MethodNotAllowed", "405")  # the last: it was cleared then
SINGER = "singer"
EMPTY = b"{}\n"


@dataclass(frozen=True)
class State:
    """One version of the state: its content, and what tells it from the others."""

    content: bytes
    etag: str
    version: str
    stored: str


def find(stack: Stack, version: str = "") -> State | None:
    """The state as it is, or one version of it; None where there is none."""
    asked = {"VersionId": version} if version else {}
    codes = NO_VERSION if version else NO_KEY
    answer = stack.call_unless(codes, S3, "get_object", Bucket=stack.bucket, Key=keys.state(stack.name), **asked)
    if answer is None:
        return None
    body = answer["Body"].read()
    return State(body, answer["ETag"], answer.get("VersionId", UNVERSIONED), stamp(answer["LastModified"]))


def get(stack: Stack, version: str = "") -> State:
    """The same; an error where there is none."""
    if found := find(stack, version):
        return found
    raise AWSError(f"{shown(stack)}: no version {version} found", _versions(stack)) if version else none_there(stack)


def none_there(stack: Stack) -> AWSError:
    """No state is stored."""
    return AWSError(f"{shown(stack)}: no state found", f"a run leaves one; earlier ones: {_versions(stack)}")


def shown(stack: Stack) -> str:
    """The state as the aws command line would name it."""
    return stack.shown(keys.state(stack.name))


def _versions(stack: Stack) -> str:
    return f"invoke state.history {stack.options}"


def history(stack: Stack) -> str:
    """Every version there is, the newest first; nothing where there is none."""
    rows = [_row(found) for found in _all_versions(stack)]
    return table(HEAD, rows, right=("BYTES",)) if rows else ""


def _all_versions(stack: Stack) -> list[Mapping[str, Any]]:
    """Versions and marks of deletions, as S3 lists them: the newest first."""
    key = keys.state(stack.name)
    pages = stack.pages(S3, "list_object_versions", Bucket=stack.bucket, Prefix=key)
    both = (version for page in pages for kind in ("Versions", "DeleteMarkers") for version in page.get(kind, ()))
    versions = [version for version in both if version["Key"] == key]
    return sorted(versions, key=lambda version: (version["LastModified"], version["IsLatest"]), reverse=True)


def _row(found: Mapping[str, Any]) -> tuple[str, ...]:
    what = "cleared" if "ETag" not in found else "current" if found["IsLatest"] else "earlier"
    return found["VersionId"], stamp(found["LastModified"]), count(found.get("Size")), what


def checked_version(stack: Stack, version: str) -> str:
    """The version that was named."""
    if version:
        return version
    raise ProjectError("no version is named, expected --version VERSION", f"{_versions(stack)} tells which there are")


def draft(place: ProjectPlace) -> Path:
    """The file in which a state is edited; it stays when it cannot be stored."""
    return place.build / "state.edited"


def text_of(seen: State | None) -> bytes:
    """What to begin an edit with."""
    return seen.content if seen else EMPTY


def check(text: bytes, mode: str, where: str, again: str) -> None:
    """Refuse what a run could not go on from: nothing at all, or for a Singer tap what is no JSON object."""
    if not text.strip():
        raise ProjectError(f"{where}: found nothing, expected a state", "to have none: invoke state.clear")
    if mode == SINGER and (wrong := _wrong(text)):
        raise ProjectError(f"{where}: found {wrong}, expected a JSON object (state: singer)", f"mend it, then: {again}")


def _wrong(text: bytes) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"no JSON ({error})"
    return "" if isinstance(found, dict) else f"JSON of another kind ({type(found).__name__})"


def plan_put(stack: Stack, content: bytes, seen: State | None, what: str, again: str = "") -> tuple[Change, ...]:
    """The call that stores a state in place of the one that was seen, or of none; `again` is how to repeat it."""
    if seen and seen.content == content:
        return ()
    condition = {"IfMatch": seen.etag} if seen else {"IfNoneMatch": "*"}
    checks = {
        "ContentMD5": b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        "Metadata": {digest.SHA256: hashlib.sha256(content).hexdigest()},
    }
    request = {"Bucket": stack.bucket, "Key": keys.state(stack.name), "Body": content, **checks, **condition}
    return (Change(f"{what} ({len(content):,} bytes)", S3, "put_object", request, _race(stack, again)),)


def plan_restore(stack: Stack, version: State, seen: State | None) -> tuple[Change, ...]:
    """The call that stores an earlier version as the newest."""
    return plan_put(
        stack, version.content, seen, f"store version {version.version} of {version.stored} as {shown(stack)}"
    )


def plan_clear(stack: Stack, seen: State) -> tuple[Change, ...]:
    """The call that takes the state away; a bucket with versions keeps it."""
    request = {"Bucket": stack.bucket, "Key": keys.state(stack.name), "IfMatch": seen.etag}
    return (Change(f"remove {shown(stack)} ({len(seen.content):,} bytes)", S3, "delete_object", request, _race(stack)),)


def question(stack: Stack, seen: State) -> str:
    """What to ask before the state is taken away."""
    kept = "" if seen.version != UNVERSIONED else ", of which this bucket keeps no version"
    return f"remove the state of project {stack.project} ({len(seen.content):,} bytes{kept})"


def after_clear(stack: Stack, seen: State) -> str:
    """How to have it back, where that can be."""
    if seen.version == UNVERSIONED:
        return f"invoke run-local {stack.options}"
    return f"invoke state.restore --version {seen.version} {stack.options}"


def _race(stack: Stack, again: str = "") -> Race:
    message = f"{shown(stack)}: changed since it was read, probably by a run; nothing was replaced"
    then = f", then: {again}" if again else ""
    return Race(message, f"see what is there now: invoke state.show {stack.options}{then}")


def under_way(stack: Stack) -> str | None:
    """The run that holds the project's lock, if one goes on: what is changed now it will not overwrite, but fail."""
    try:
        return holder(stack)
    except AWSError:  # whoever may not look at the lock may still have the state
        return None


def holder(stack: Stack) -> str | None:
    """The same, for who must know it."""
    with told():
        found = lease.look(stack.clients, stack.bucket, stack.name)
    return None if found is None or lease.free(found) else str(found.claim.get("run_id", "?"))
