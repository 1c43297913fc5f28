"""The current state of a project in AWS, read before planning; changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from handoff_kit import resource_names
from handoff_kit.aws.buckets import bucket_exists
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_existing
from handoff_kit.aws.ecr import image_digest
from handoff_kit.aws.files import compare_files
from handoff_kit.aws.move_bucket import plan_move
from handoff_kit.aws.params import DamagedParams, StoredParams, find_replaceable_params
from handoff_kit.aws.target import Target
from handoff_kit.deploy.desired import DesiredProject
from handoff_kit.errors import AWSError
from handoff_kit.steps import CopyProjectData
from handoff_runtime.aws.transfer import UploadPlan


@dataclass(frozen=True)
class CurrentState:
    """What a plan depends on; `image_digest` is None where the image is not pushed yet.

    `move` is the data to copy if the project moves from another bucket. `schedule_stack` has its template.
    """

    account: str
    region: str
    image_digest: str | None
    params: StoredParams | DamagedParams | None
    files: UploadPlan
    move: CopyProjectData | None = None
    schedule_stack: StackDescription | None = None


def read_current(desired: DesiredProject, target: Target, account: str, deployed_bucket: str = "") -> CurrentState:
    """Four calls, one more for each thousand stored files, and two where schedules are deployed.

    `deployed_bucket` is empty before the first deploy.
    """
    moves = deployed_bucket not in ("", target.bucket)
    has_bucket = deployed_bucket == target.bucket or bucket_exists(target.session, target.bucket, account)
    if not has_bucket and target.bucket != resource_names.bucket(desired.environment, account, target.session.region):
        message = f"bucket {target.bucket}: not found; deploy.bucket or S3_BUCKET_NAME names it"
        hint = f"create it: aws s3 mb s3://{target.bucket}; or name none, and a shared bucket is created"
        raise AWSError(message, hint)
    return CurrentState(
        account,
        target.session.region,
        image_digest(target.session, resource_names.repository(target.name), desired.image_tag),
        find_replaceable_params(target),
        compare_files(target, desired.paths, has_bucket=has_bucket),
        plan_move(target, deployed_bucket, bucket_exists=has_bucket) if moves else None,
        describe_existing(target.session, resource_names.schedule_stack(target.name), template=True),
    )
