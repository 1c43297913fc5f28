"""Deploy projects. The stages, with their input and output:

    desired.desired_projects   project files, environment     DesiredProject: templates, image source, params
    desired.desired_shared     each DesiredProject            DesiredShared: template of the shared stack
    current.read_current       DesiredProject, Target         CurrentState: image, params, files; AWS is only read
    plan.plan_shared           DesiredShared                  steps (handoff_kit/steps.py) of the shared stack; pure
    plan.plan_project          DesiredProject, CurrentState   steps of one project; pure
    apply.apply                steps, Target, ApplyOptions    AWS changed, or with --dry the steps printed

`invoke deploy` calls the first two, which need no AWS. `deploy_projects` runs the others: the shared stack once, then
each project.
"""

from __future__ import annotations

import base64
import dataclasses
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from handoff_kit import resource_names
from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.aws.buckets import bucket_exists
from handoff_kit.aws.cloudformation.stack import describe_existing
from handoff_kit.aws.cloudformation.template import MAX_BYTES
from handoff_kit.aws.ecr import ECR
from handoff_kit.aws.params import check_params_owner, confirm_push
from handoff_kit.aws.session import deployed_bucket, note_on_bucket, target_by_name
from handoff_kit.aws.target import Target
from handoff_kit.deploy.current import read_current
from handoff_kit.deploy.desired import DesiredProject, DesiredShared
from handoff_kit.deploy.plan import ImageBuild, deploy_command, plan_project, plan_shared
from handoff_kit.errors import ProjectError
from handoff_kit.image import dockerfile
from handoff_kit.image.build import git_revision
from handoff_kit.image.builder import Builder
from handoff_kit.resource_names import NamedBucket
from handoff_kit.steps import StoreParams
from handoff_runtime.aws.session import Session
from handoff_runtime.errors import HandoffError

INTERRUPTED = 128 + signal.SIGINT


@dataclass(frozen=True)
class DeployContext:
    """Session, account and options of a deployment of any number of projects.

    `builder` finds docker or podman; it is called only if an image must be built.
    """

    session: Session
    account: str
    environ: Mapping[str, str]
    builder: Callable[[], Builder]
    options: ApplyOptions
    prune: bool = False
    move_bucket: bool = False

    def target(self, desired: DesiredProject) -> Target:
        """The stack of a project, and its bucket: the named one, else the shared one."""
        named = self.named_bucket(desired)
        bucket = named.name if named else resource_names.bucket(desired.environment, self.account, self.session.region)
        return target_by_name(desired.paths, desired.environment, self.environ, self.session, bucket)

    def named_bucket(self, desired: DesiredProject) -> NamedBucket | None:
        """The bucket named by S3_BUCKET_NAME or by `deploy.bucket`."""
        return resource_names.named_bucket(self.environ, desired.project.deploy.bucket, desired.paths.display_path)


def deploy_projects(projects: Sequence[DesiredProject], shared: DesiredShared, context: DeployContext) -> int:
    """Deploy projects; returns how many steps changed something. A failed project does not stop the others."""
    if resource_names.stack_from_environment(context.environ):
        check_params_owner(context.target(projects[0]))
    if len(projects) == 1:
        target, current_bucket = _choose_bucket(projects[0], context)
        changed = _deploy_shared(projects, shared, context)
        return changed + _deploy_project(projects[0], target, current_bucket, context)
    changed, failed = _deploy_shared(projects, shared, context), list[str]()
    for desired in projects:
        try:
            changed += _deploy_project(desired, *_choose_bucket(desired, context), context)
        except HandoffError as error:  # noqa: PERF203  # the others are still to be deployed
            if error.exit_code == INTERRUPTED:
                raise
            context.options.say(str(error))
            failed.append(desired.paths.name)
    if failed:
        target = context.target(next(desired for desired in projects if desired.paths.name == failed[0]))
        message = f"{len(failed)} of {len(projects)} projects not deployed: {', '.join(failed)}"
        raise HandoffError(message, deploy_command(target))
    return changed


def _choose_bucket(desired: DesiredProject, context: DeployContext) -> tuple[Target, str]:
    """The target of a project, and the bucket it is deployed with (empty before the first deployment).

    Without `move_bucket` a project stays in its bucket; ProjectError if another one is named, since state and history
    would be left behind.
    """
    target, say = context.target(desired), context.options.say
    current = deployed_bucket(describe_existing(target.session, target.name), target)
    if context.move_bucket and current in ("", target.bucket):
        where = f"it is deployed with bucket {current}" if current else "it is not deployed"
        say(f"note: {target.project}: nothing to move, {where}")
    if context.move_bucket or current in ("", target.bucket):
        return target, current
    named = context.named_bucket(desired)
    if message := note_on_bucket(target.project, current, named):
        variable = named.source if named and named.source in resource_names.BUCKET_VARIABLES else ""
        stay = f"unset {variable}" if variable else f"deploy: {{bucket: {current}}}"
        moved = f"{f'{variable}={target.bucket} ' if variable else ''}invoke deploy --move-bucket {target.options}"
        raise ProjectError(message, f"to stay there: {stay}; to move files, artifacts, state and history: {moved}")
    say(f"note: project {target.project} stays in bucket {current}, with which it is deployed")
    say(f"hint: to move it to bucket {target.bucket}: invoke deploy --move-bucket {target.options}")
    return dataclasses.replace(target, bucket=current), current


def _deploy_shared(projects: Sequence[DesiredProject], shared: DesiredShared, context: DeployContext) -> int:
    """Deploy the shared stack, if a project needs it."""
    desired = next((project for project in projects if project.needs_shared), None)
    if desired is None:
        return 0
    session, account = context.session, context.account
    bucket = resource_names.bucket(shared.environment, account, session.region)
    target = dataclasses.replace(context.target(desired), bucket=bucket)
    fits = len(shared.template.encode()) <= MAX_BYTES
    at_once = fits or bucket_exists(session, bucket, account)
    return apply(plan_shared(shared, desired, target, account, at_once=at_once), target, context.options)


def _deploy_project(desired: DesiredProject, target: Target, current_bucket: str, context: DeployContext) -> int:
    options = context.options
    where = f"stack {target.name}, account {context.account}, region {target.session.region}"
    options.say(f"{desired.paths.name}: {where}")
    current = read_current(desired, target, context.account, current_bucket)
    build = None if current.image_digest else _prepare_build(desired, target, context)
    steps = plan_project(desired, current, build, target, prune=context.prune)
    for step in steps:
        if isinstance(step, StoreParams) and not options.dry:  # ask before anything is changed
            confirm_push(step, f"invoke deploy --prune {target.options}", yes=options.yes)
    return apply(steps, target, options)


def _prepare_build(desired: DesiredProject, target: Target, context: DeployContext) -> ImageBuild:
    builder, password = context.builder(), ""
    if not context.options.dry:
        token = target.call(ECR, "get_authorization_token")["authorizationData"][0]["authorizationToken"]
        password = base64.b64decode(token).decode().partition(":")[2]
    return ImageBuild(
        builder,
        builder.image(desired.image_source.reference),
        git_revision(desired.paths, builder.ask),
        tuple(name for name in dockerfile.INDEX_SETTINGS if name in context.environ),
        password,
    )


def next_command(projects: Sequence[DesiredProject], target: Target, *, changed: bool) -> str:
    """`status` if nothing changed; else `schedule` if the project file has schedules, or `run`."""
    if len(projects) > 1:
        return f"invoke status{target.options.removeprefix(f'--project {target.project}')}"
    if not changed:
        return f"invoke status {target.options}"
    return f"invoke {'schedule' if projects[0].project.schedules else 'run'} {target.options}"
