"""Deploy projects. The stages, with their input and output:

    desired.desired_projects   project files, environment     DesiredProject: templates, image source, params
    desired.desired_shared     environment                    DesiredShared: template of the shared stack
    current.read_current       DesiredProject, Target         CurrentState: params, files, schedules; AWS is only read
    plan.plan_shared           DesiredShared                  steps (handoff_kit/steps.py) of the shared stack; pure
    plan.plan_project          DesiredProject, CurrentState   steps of one project; pure
    apply.apply                steps, Target, ApplyOptions    AWS changed, or with --dry the steps printed

`invoke deploy` calls the first two, which need no AWS. `deploy_projects` prepares each project, which changes nothing:
a missing builder, for example, ends it before a stack is created. Then it deploys the shared stack once, and each
project.
"""

from __future__ import annotations

import base64
import dataclasses
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import TypeVar

from handoff_kit import resource_names
from handoff_kit.apply import ApplyOptions, apply, describe
from handoff_kit.aws.alerts import alert_notes, read_subscribers
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_existing
from handoff_kit.aws.deployments import record_deployment
from handoff_kit.aws.ecr import ECR, PushedImage, newest_image
from handoff_kit.aws.params import check_params_owner, confirm_push, new_references
from handoff_kit.aws.session import deployed_bucket, note_on_bucket, target_by_name
from handoff_kit.aws.target import Target
from handoff_kit.console import confirm
from handoff_kit.deploy.current import read_current
from handoff_kit.deploy.desired import DesiredProject, DesiredShared
from handoff_kit.deploy.plan import (
    ImageBuild,
    deploy_command,
    other_schedules,
    plan_project,
    plan_shared,
    repair_command,
)
from handoff_kit.deploy.repair import (
    StackRepair,
    add_repairs,
    check_repairs,
    find_repairs,
    project_stacks,
    without_missing,
)
from handoff_kit.errors import CommandError, ProjectError
from handoff_kit.image import dockerfile
from handoff_kit.image.build import FAILURES, BaseImage, base_image, git_revision, is_built_on, is_image_current
from handoff_kit.image.builder import Builder
from handoff_kit.resource_names import NamedBucket
from handoff_kit.steps import RunCommand, Step, StoreParams, TagVersions
from handoff_runtime.aws.session import Session
from handoff_runtime.errors import HandoffError

INTERRUPTED = 128 + signal.SIGINT
T = TypeVar("T")


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
    rebuild: bool = False
    repair: bool = False

    def target(self, desired: DesiredProject) -> Target:
        """The stack of a project, and its bucket: the named one, else the shared one."""
        named = self.named_bucket(desired)
        bucket = named.name if named else resource_names.bucket(desired.environment, self.account, self.session.region)
        return target_by_name(desired.paths, desired.environment, self.environ, self.session, bucket)

    def named_bucket(self, desired: DesiredProject) -> NamedBucket | None:
        """The bucket named by S3_BUCKET_NAME or by `deploy.bucket`."""
        return resource_names.named_bucket(self.environ, desired.project.deploy.bucket, desired.paths.display_path)


@dataclass(frozen=True)
class PreparedProject:
    """A project that can be deployed; its image is pushed already, or is built by a builder.

    `stack` is the deployed task stack.
    """

    desired: DesiredProject
    target: Target
    stack: StackDescription | None
    image: PushedImage | Builder


def deploy_projects(
    projects: Sequence[DesiredProject], shared: DesiredShared, context: DeployContext, broken: Sequence[str] = ()
) -> int:
    """Deploy projects; returns how many steps changed something. A failed project does not stop the others.

    `broken` names those whose files have errors; HandoffError at the end for them and for those that failed.
    """
    if resource_names.stack_from_environment(context.environ):
        check_params_owner(context.target(projects[0]))
    if len(projects) == 1 and not broken:
        prepared = _prepare(projects[0], context)
        return _deploy_shared(projects, shared, context) + _deploy_project(prepared, context)
    failed = list(broken)

    def attempt(desired: DesiredProject, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except HandoffError as error:
            if error.exit_code == INTERRUPTED:
                raise
            context.options.say(str(error))
            failed.append(desired.paths.name)
            return None

    ready = [found for each in projects if (found := attempt(each, partial(_prepare, each, context)))]
    changed = _deploy_shared([prepared.desired for prepared in ready], shared, context)
    for prepared in ready:
        changed += attempt(prepared.desired, partial(_deploy_project, prepared, context)) or 0
    if failed:
        paths = dataclasses.replace(projects[0].paths, name=failed[0])
        target = target_by_name(paths, shared.environment, context.environ, context.session, "")
        message = f"{len(failed)} of {len(projects) + len(broken)} projects not deployed: {', '.join(failed)}"
        raise HandoffError(message, deploy_command(target))
    return changed


def _prepare(desired: DesiredProject, context: DeployContext) -> PreparedProject:
    """Choose the bucket, and find docker or podman if the image must be built."""
    target, stack = _choose_bucket(desired, context)
    pushed = None
    if not context.rebuild:
        pushed = newest_image(target, resource_names.repository(target.name), desired.image_tag)
    return PreparedProject(desired, target, stack, pushed or context.builder())


def _choose_bucket(desired: DesiredProject, context: DeployContext) -> tuple[Target, StackDescription | None]:
    """The target of a project with its bucket, and its deployed task stack.

    Without `move_bucket` a project stays in its bucket; ProjectError if another one is named, since state and history
    would be left behind.
    """
    target, say = context.target(desired), context.options.say
    stack = describe_existing(target.session, target.name)
    current = deployed_bucket(stack, target)
    if context.move_bucket and current in ("", target.bucket):
        where = f"it is deployed with bucket {current}" if current else "it is not deployed"
        say(f"note: {target.project}: nothing to move, {where}")
    if context.move_bucket or current in ("", target.bucket):
        return target, stack
    named = context.named_bucket(desired)
    if message := note_on_bucket(target.project, current, named):
        variable = named.source if named and named.source in resource_names.BUCKET_VARIABLES else ""
        stay = f"unset {variable}" if variable else f"deploy: {{bucket: {current}}}"
        moved = f"{f'{variable}={target.bucket} ' if variable else ''}invoke deploy --move-bucket {target.options}"
        raise ProjectError(message, f"to stay there: {stay}; to move files, artifacts, state and history: {moved}")
    say(f"note: project {target.project} stays in bucket {current}, with which it is deployed")
    say(f"hint: to move it to bucket {target.bucket}: invoke deploy --move-bucket {target.options}")
    return dataclasses.replace(target, bucket=current), stack


def _deploy_shared(projects: Sequence[DesiredProject], shared: DesiredShared, context: DeployContext) -> int:
    """Deploy the shared stack, if a project needs it. Its template is the same for all projects.

    It is created with the tags that these projects agree on.
    """
    desired = next((project for project in projects if project.needs_shared), None)
    if desired is None:
        if projects and shared.own_tags:
            context.options.say("note: --shared-tag has no effect: no project of this deployment uses the shared stack")
        return 0
    session, account = context.session, context.account
    bucket = resource_names.bucket(shared.environment, account, session.region)
    target = dataclasses.replace(context.target(desired), bucket=bucket)
    steps = plan_shared(shared, desired, target, account, common_tags(projects))
    name = resource_names.shared_stack(shared.environment)
    repairs = _find_repairs((name,), target, context, own=False)
    return _apply_repaired(steps, repairs, target, context)


def common_tags(projects: Sequence[DesiredProject]) -> dict[str, str]:
    """The tags in which all projects that need the shared stack agree: it is created with them."""
    tags = [project.project.deploy.tags.items() for project in projects if project.needs_shared]
    return dict(item for item in tags[0] if all(item in others for others in tags))


def _deploy_project(prepared: PreparedProject, context: DeployContext) -> int:
    desired, target, options = prepared.desired, prepared.target, context.options
    where = f"stack {target.name}, account {context.account}, region {target.session.region}"
    options.say(f"{desired.paths.name}: {where}")
    target.session.set_keep(target.name, desired.keep)
    repairs = _find_repairs(project_stacks(target), target, context)
    current = read_current(desired, target, context.account, prepared.stack)
    current = dataclasses.replace(current, schedule_stack=without_missing(current.schedule_stack, repairs))
    for name in (schedule.name for schedule in other_schedules(desired, current)):
        options.say(f"note: schedule {name} is deployed, but not in {desired.paths.display_path}: it stays")
        options.say(f"hint: to delete it: invoke unschedule --name {name} {target.options}")
    image = prepared.image
    chosen = image if isinstance(image, PushedImage) else _prepare_build(image, desired, target, context)
    steps = plan_project(desired, current, chosen, target, prune=context.prune)
    documents = [step.document for step in steps if isinstance(step, StoreParams)]
    if documents and (references := new_references(documents[-1], current.params)):
        options.say(f"note: the role of the task is granted to read {references}")
    for step in () if options.dry else steps:
        if isinstance(step, StoreParams):  # ask before anything is changed
            confirm_push(step, f"invoke deploy --prune {target.options}", yes=options.yes)
        elif isinstance(step, TagVersions):
            options.say("note: once stored versions have these tags, S3 deletes those that are older than `keep` says")
            confirm(describe(step)[0], deploy_command(target), yes=options.yes)
    changes = _apply_repaired(steps, repairs, target, context)
    if changes and not options.dry:
        record_deployment(target, prepared.stack, options.say)
        found = read_subscribers(target, describe_existing(target.session, target.name))
        for note in alert_notes(found, desired.paths.display_path) if found else ():
            options.say(note)
    return changes


def _find_repairs(
    names: Sequence[str], target: Target, context: DeployContext, *, own: bool = True
) -> dict[str, StackRepair]:
    """The repairs of these stacks with --repair, and a line for each resource that is gone."""
    repairs = find_repairs(names, target, repair_command(target), own=own) if context.repair else {}
    for repair in repairs.values():
        for note in repair.notes:
            context.options.say(note)
    return repairs


def _apply_repaired(
    steps: Sequence[Step], repairs: Mapping[str, StackRepair], target: Target, context: DeployContext
) -> int:
    if not context.repair:
        return apply(steps, target, context.options)
    command = repair_command(target)
    changed = apply(add_repairs(steps, repairs, command, target.bucket), target, context.options)
    if not context.options.dry:
        check_repairs(repairs, target, command, context.options.say)
    return changed


def _prepare_build(builder: Builder, desired: DesiredProject, target: Target, context: DeployContext) -> ImageBuild:
    source, password = desired.image_source, ""
    existing = builder.image(source.reference)
    base = None
    if context.rebuild or not is_image_current(existing, source):
        base = pull_base(builder, desired, context)
    if not context.options.dry:
        token = target.call(ECR, "get_authorization_token")["authorizationData"][0]["authorizationToken"]
        password = base64.b64decode(token).decode().partition(":")[2]
    return ImageBuild(
        builder,
        existing,
        git_revision(desired.paths, builder.ask),
        tuple(name for name in dockerfile.INDEX_SETTINGS if name in context.environ),
        password,
        base,
        datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ") if context.rebuild else "",
    )


def pull_base(builder: Builder, desired: DesiredProject, context: DeployContext) -> BaseImage | None:
    """The newest base, or the one that is here where its registry does not answer and no rebuild is requested."""
    source, base = desired.image_source, desired.project.image.base
    here = base_image(source, base, builder)
    if not is_built_on(source, base) or (here and not here.is_in_registry):
        return here
    platform = () if source.platform == builder.platform else ("--platform", source.platform)
    pull = RunCommand((builder.kind, "pull", "--quiet", *platform, base), desired.paths.root, f"pull {base}", FAILURES)
    try:
        apply((pull,), None, context.options)
    except CommandError as error:
        if context.rebuild:
            raise
        context.options.say(f"note: {error.message}; building with what is here")
    return base_image(source, base, builder)


def next_command(projects: Sequence[DesiredProject], target: Target, *, changed: bool) -> str:
    """`status` if nothing changed; else `schedule` if the project file has schedules and none is deployed, or `run`."""
    if len(projects) > 1:
        return f"invoke status{target.options.removeprefix(f'--project {target.project}')}"
    if not changed:
        return f"invoke status {target.options}"
    stack = resource_names.schedule_stack(target.name)
    schedules = projects[0].project.schedules and not describe_existing(target.session, stack)
    return f"invoke {'schedule' if schedules else 'run'} {target.options}"
