"""Deploying projects, from the first call to the last: the shared stack once, then each project by itself."""

from __future__ import annotations

import dataclasses
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit import resource_names
from handoff_kit.aws.buckets import bucket_exists
from handoff_kit.aws.cloudformation.stack import describe_existing
from handoff_kit.aws.cloudformation.template import MAX_BYTES
from handoff_kit.aws.params import ParamsPush, check_params_owner, confirm_push
from handoff_kit.aws.session import deployed_bucket, note_on_bucket, target_by_name
from handoff_kit.deployment import account as accounts
from handoff_kit.deployment.execute import execute
from handoff_kit.deployment.packing import packing
from handoff_kit.deployment.plan import plan, plan_shared
from handoff_kit.errors import HandoffError, ProjectError
from handoff_kit.resource_names import BUCKET_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handoff_kit.aws.target import Target
    from handoff_kit.deployment.execute import Manner
    from handoff_kit.deployment.plan import CloudStep
    from handoff_kit.deployment.wanted import Shared, Wanted
    from handoff_kit.image.builder import Builder
    from handoff_kit.resource_names import NamedBucket
    from handoff_runtime.aws.clients import Clients

__all__ = ["Deployment", "NotDeployedError", "after", "deploy"]

INTERRUPTED = 128 + signal.SIGINT


class NotDeployedError(HandoffError):
    """Some of several projects could not be deployed; why was told when each failed."""


@dataclass(frozen=True)
class Deployment:
    """What several projects have in common while they are deployed; a builder is looked for when one is needed."""

    clients: Clients
    account: str
    environ: Mapping[str, str]
    builder: Callable[[], Builder]
    manner: Manner
    prune: bool = False
    move_bucket: bool = False

    def stack(self, wanted: Wanted) -> Target:
        """A project's stack with the bucket that is named, else the shared one."""
        derived = resource_names.bucket(wanted.environment, self.account, self.clients.region)
        named = self.named(wanted)
        bucket = named.name if named else derived
        return target_by_name(wanted.place, wanted.environment, self.environ, self.clients, bucket)

    def named(self, wanted: Wanted) -> NamedBucket | None:
        """The bucket that a variable or the project file names."""
        return resource_names.named_bucket(self.environ, wanted.loaded.deploy.bucket, wanted.place.shown)


@dataclass(frozen=True)
class ProjectDeployment:
    """A project, the stack to deploy it as, and the bucket it is deployed with; empty where it is not deployed."""

    wanted: Wanted
    stack: Target
    used: str


def deploy(every: Sequence[Wanted], shared: Shared, deployment: Deployment) -> int:
    """Deploy them; how many steps changed something. One that fails does not keep the others from it."""
    _check_whose(every, deployment)
    if len(every) == 1:
        target = _target(every[0], deployment)
        return _share(every, shared, deployment) + _deploy(target, deployment)
    changed = _share(every, shared, deployment)
    done = [_tried(wanted, deployment) for wanted in every]
    if failed := [wanted.place.name for wanted, one in zip(every, done, strict=True) if one is None]:
        raise _not_all(failed, len(every), deployment.stack(every[0]))
    return changed + sum(filter(None, done))


def _check_whose(every: Sequence[Wanted], deployment: Deployment) -> None:
    """Refuse a STACK_NAME of another project, before anything is done."""
    if resource_names.given_stack(deployment.environ):
        check_params_owner(deployment.stack(every[0]))


def _target(wanted: Wanted, deployment: Deployment) -> ProjectDeployment:
    """Where to deploy a project: with the bucket it is deployed with, unless its data are to be moved.

    ProjectError where another bucket is named: state and history would stay behind.
    """
    stack, say = deployment.stack(wanted), deployment.manner.say
    used = deployed_bucket(describe_existing(stack.clients, stack.name), stack)
    if deployment.move_bucket and used in ("", stack.bucket):
        where = f"it is deployed with bucket {used}" if used else "it is not deployed"
        say(f"note: {stack.project}: nothing to move, {where}")
    if deployment.move_bucket or used in ("", stack.bucket):
        return ProjectDeployment(wanted, stack, used)
    if message := note_on_bucket(stack.project, used, named := deployment.named(wanted)):
        variable = named.source if named and named.source in BUCKET_VARIABLES else ""
        stay = f"unset {variable}" if variable else f"deploy: {{bucket: {used}}}"
        moved = f"{f'{variable}={stack.bucket} ' if variable else ''}invoke deploy --move-bucket {stack.options}"
        raise ProjectError(message, f"to stay there: {stay}; to move files, artifacts, state and history: {moved}")
    say(f"note: project {stack.project} stays in bucket {used}, with which it is deployed")
    say(f"hint: to move it to bucket {stack.bucket}: invoke deploy --move-bucket {stack.options}")
    return ProjectDeployment(wanted, dataclasses.replace(stack, bucket=used), used)


def _tried(wanted: Wanted, deployment: Deployment) -> int | None:
    """The same of one among several; None where it failed, and was told."""
    try:
        return _deploy(_target(wanted, deployment), deployment)
    except HandoffError as error:
        if error.exit_code == INTERRUPTED:
            raise
        deployment.manner.say(str(error))
        return None


def _share(every: Sequence[Wanted], shared: Shared, deployment: Deployment) -> int:
    """The shared stack, where any of the projects takes something of it."""
    wanted = next((one for one in every if one.needs_shared), None)
    if wanted is None:
        return 0
    clients, account = deployment.clients, deployment.account
    bucket = resource_names.bucket(shared.environment, account, clients.region)
    stack = dataclasses.replace(deployment.stack(wanted), bucket=bucket)
    fits = len(shared.text.encode()) <= MAX_BYTES
    steps = plan_shared(shared, wanted, stack, account, at_once=fits or bucket_exists(clients, bucket, account))
    return execute(steps, stack, deployment.manner)


def _deploy(target: ProjectDeployment, deployment: Deployment) -> int:
    wanted, stack, manner = target.wanted, target.stack, deployment.manner
    manner.say(f"{wanted.place.name}: stack {stack.name}, account {deployment.account}, region {stack.clients.region}")
    account = accounts.read(wanted, stack, deployment.account, target.used)
    packed = None
    if not account.pushed:
        packed = packing(wanted, deployment.builder(), stack, deployment.environ, dry=manner.dry)
    steps = plan(wanted, account, packed, stack, prune=deployment.prune)
    _confirm(steps, stack, manner)
    return execute(steps, stack, manner)


def _confirm(steps: Sequence[CloudStep], stack: Target, manner: Manner) -> None:
    """Ask before config files are removed, while nothing is changed yet."""
    for step in steps:
        if isinstance(step, ParamsPush) and not manner.dry:
            confirm_push(step, f"invoke deploy --prune {stack.options}", yes=manner.yes)


def after(every: Sequence[Wanted], stack: Target, *, changed: bool) -> str:
    """The next useful command: look where nothing changed, put in force the schedules of the file, or run it."""
    if len(every) > 1:
        return f"invoke status{stack.options.removeprefix(f'--project {stack.project}')}"
    if not changed:
        return f"invoke status {stack.options}"
    return f"invoke {'schedule' if every[0].loaded.schedules else 'run'} {stack.options}"


def _not_all(failed: Sequence[str], of: int, stack: Target) -> NotDeployedError:
    options = stack.options.replace(f"--project {stack.project}", f"--project {failed[0]}")
    return NotDeployedError(
        f"{len(failed)} of {of} projects not deployed: {', '.join(failed)}", f"invoke deploy {options}"
    )
