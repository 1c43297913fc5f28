"""The current state of a project in AWS, read before planning; changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from handoff_kit import resource_names
from handoff_kit.aws.buckets import bucket_exists
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_existing
from handoff_kit.aws.files import compare_files
from handoff_kit.aws.move_bucket import plan_move
from handoff_kit.aws.object_tags import plan_tagging
from handoff_kit.aws.params import (
    DamagedParams,
    StoredParams,
    find_replaceable_params,
    plan_parameter_tags,
    stored_key,
)
from handoff_kit.aws.session import deployed_bucket
from handoff_kit.aws.target import Target
from handoff_kit.deploy.desired import DesiredProject
from handoff_kit.errors import AWSError
from handoff_kit.steps import ApiCalls, CopyProjectData, TagVersions
from handoff_runtime.aws.transfer import UploadPlan


@dataclass(frozen=True)
class CurrentState:
    """What a plan depends on; `move` is the data to copy if the project moves from another bucket.

    `schedule_stack` has its template. `tagging` is of stored versions that have other tags than `keep` says, or none;
    `parameter_tags` of the parameter, if its tags are not those of the project. `now` is when it was read.
    """

    account: str
    region: str
    params: StoredParams | DamagedParams | None
    files: UploadPlan
    move: CopyProjectData | None = None
    schedule_stack: StackDescription | None = None
    tagging: TagVersions | None = None
    parameter_tags: ApiCalls | None = None
    is_deployed: bool = True
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))


def read_current(
    desired: DesiredProject, target: Target, account: str, stack: StackDescription | None = None
) -> CurrentState:
    """Three calls, one more for each thousand stored files, one for a KMS key, and two where schedules are deployed.

    Where `keep` changed, one more for each thousand stored versions; a move tags its copies itself. `stack` is the
    deployed task stack.
    """
    current = deployed_bucket(stack, target)
    moves = current not in ("", target.bucket)
    has_bucket = current == target.bucket or bucket_exists(target.session, target.bucket, account)
    if not has_bucket and target.bucket != resource_names.bucket(desired.environment, account, target.session.region):
        message = f"bucket {target.bucket}: not found; deploy.bucket or S3_BUCKET_NAME names it"
        hint = f"create it: aws s3 mb s3://{target.bucket}; or name none, and a shared bucket is created"
        raise AWSError(message, hint)
    stored = find_replaceable_params(target)
    has_key = desired.project.deploy.kms_key or (stack and "KmsKey" in stack.outputs)
    if isinstance(stored, StoredParams) and has_key:
        stored = replace(stored, kms_key=stored_key(target))
    return CurrentState(
        account,
        target.session.region,
        stored,
        compare_files(target, desired.paths, has_bucket=has_bucket),
        plan_move(target, current, bucket_exists=has_bucket) if moves else None,
        describe_existing(target.session, resource_names.schedule_stack(target.name), template=True),
        plan_tagging(target, desired.keep, stored) if has_bucket and not moves else None,
        plan_parameter_tags(target, stack, desired.tags) if stored else None,
        is_deployed=stack is not None,
    )
