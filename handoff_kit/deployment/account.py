"""What there is of a project in an account, before anything is planned: a few calls, none of which changes anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit import resource_names
from handoff_kit.aws.buckets import bucket_exists
from handoff_kit.aws.ecr import image_digest
from handoff_kit.aws.params import find_replaceable_params
from handoff_kit.deployment.move import survey
from handoff_kit.remote import files
from handoff_kit.remote.errors import AWSError

if TYPE_CHECKING:
    from handoff_kit.aws.params import DamagedParams, StoredParams
    from handoff_kit.aws.target import Target
    from handoff_kit.deployment.move import MoveData
    from handoff_kit.deployment.wanted import Wanted
    from handoff_runtime.aws.transfer import Plan

__all__ = ["Account", "read"]


@dataclass(frozen=True)
class Account:
    """An account as a project finds it: whether its image is pushed, its stored params, how its files differ.

    `data` is what is to be copied from another bucket; None where the project stays in its own.
    """

    id: str
    region: str
    pushed: bool
    params: StoredParams | DamagedParams | None
    files: Plan
    data: MoveData | None = None

    def uri(self, repository: str) -> str:
        """What docker calls a repository of this account."""
        return resource_names.repository_uri(repository, self.id, self.region)


def read(wanted: Wanted, stack: Target, account: str, used: str = "") -> Account:
    """Four calls, and a further one for each thousand files that are stored; `used` is the bucket deployed with.

    Where that is the stack's bucket, nobody looks whether it is there.
    """
    there = used == stack.bucket or _has_bucket(wanted, stack, account)
    pushed = image_digest(stack.clients, resource_names.repository(stack.name), wanted.tag) is not None
    stored = find_replaceable_params(stack)
    plan = files.compare(stack, wanted.place) if there else files.first(wanted.place)
    data = survey(stack, used, there=there) if used not in ("", stack.bucket) else None
    return Account(account, stack.clients.region, pushed, stored, plan, data)


def _has_bucket(wanted: Wanted, stack: Target, account: str) -> bool:
    """Whether the project's bucket is there; one of the user's own choice must be."""
    found = bucket_exists(stack.clients, stack.bucket, account)
    if not found and stack.bucket != resource_names.bucket(wanted.environment, account, stack.clients.region):
        message = f"bucket {stack.bucket}: not found, expected the one that deploy.bucket or S3_BUCKET_NAME names"
        raise AWSError(message, f"make it: aws s3 mb s3://{stack.bucket}; or leave it out, for a shared one is made")
    return found
