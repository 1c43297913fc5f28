"""Tag what a project stored before, so that the bucket's lifecycle rules keep it as `keep` says."""

from __future__ import annotations

from handoff_kit.aws.params import NO_PARAMETER, DamagedParams, StoredParams, find_params
from handoff_kit.aws.state import lock_holder
from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.errors import AWSError
from handoff_kit.steps import TagVersions
from handoff_runtime import s3_keys
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.session import S3
from handoff_runtime.errors import HandoffError
from handoff_runtime.retention import Keep, object_tag

GONE = ("NoSuchVersion", "NoSuchKey", "404", "MethodNotAllowed")
WORKERS = 24
PAGES_PER_MESSAGE = 10


def plan_tagging(target: Target, keep: Keep, stored: StoredParams | DamagedParams | None) -> TagVersions | None:
    """The step that tags what is stored; None where nothing is, or the stored params say that it has these tags."""
    tagged = stored.params.pipeline.keep if isinstance(stored, StoredParams) else None
    if tagged == keep:
        return None
    request = {"Bucket": target.bucket, "Prefix": f"{target.name}/"}
    versions = sum(len(page.get("Versions", ())) for page in target.pages(S3, "list_object_versions", **request))
    return TagVersions(target.bucket, f"{target.name}/", versions, keep) if versions else None


def tag_versions(step: TagVersions, target: Target, say: Say) -> None:
    """Tag every version, in an order that can be repeated after an interruption.

    AWSError at the end where a run of an image that knows no tags is in progress, whose objects would have none.
    """

    def tag(version: dict[str, str]) -> None:
        if not (found := object_tag(version["Key"], step.keep)):
            raise AssertionError(f"{version['Key']} is below no stack")
        key, value = found
        place = {"Bucket": step.bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
        target.call(S3, "put_object_tagging", allow=GONE, **place, Tagging={"TagSet": [{"Key": key, "Value": value}]})

    run, done = _run_without_tags(target), 0
    pages = target.pages(S3, "list_object_versions", Bucket=step.bucket, Prefix=step.prefix)
    for number, page in enumerate(pages, 1):
        done += sum(1 for _ in map_concurrently(tag, page.get("Versions", ()), WORKERS))
        if number % PAGES_PER_MESSAGE == 0:
            say(f"tagged {done:,} of {step.versions:,}")
    if run:
        message = f"project {target.project}: run {run} is in progress, of an image that tags nothing it stores"
        raise AWSError(message, f"when it is over, tag that too: invoke deploy {target.options}")


def _run_without_tags(target: Target) -> str | None:
    """The run in progress, if its lock has no tag: the heartbeats of an image that knows tags renew it with one."""
    if not (run := lock_holder(target)):
        return None
    answer = target.call(S3, "get_object_tagging", allow=GONE, Bucket=target.bucket, Key=s3_keys.lease(target.name))
    return run if answer and not answer["TagSet"] else None


def use_stored_keep(target: Target) -> None:
    """Have what is stored for a project tagged as its runs do it; by default where its params cannot be read."""
    try:
        stored = find_params(target, absent=(*NO_PARAMETER, "AccessDeniedException"))
    except HandoffError:
        return
    if stored:
        target.session.set_keep(target.name, stored.params.pipeline.keep)
