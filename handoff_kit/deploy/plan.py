"""The steps from the current to the desired state of a project. Pure; no step uses the result of an earlier one.

The task stack comes before params and files: if its update fails, all three stay unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws import files
from handoff_kit.aws.cloudformation.diff import diff_stack
from handoff_kit.aws.cloudformation.stack import STABLE_STATUSES
from handoff_kit.aws.params import plan_push
from handoff_kit.aws.target import Target
from handoff_kit.deploy.current import CurrentState
from handoff_kit.deploy.desired import DesiredProject, DesiredShared
from handoff_kit.deploy.schedule_project import DesiredSchedules, plan_schedules
from handoff_kit.deploy.schedule_template import deployed_schedules
from handoff_kit.image.build import plan_build
from handoff_kit.image.builder import Builder
from handoff_kit.image.push import plan_image_push, plan_login
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.steps import DeployStack, ExistingBucket, ImageTag, StackOutput, Step, WriteFile


@dataclass(frozen=True)
class ImageBuild:
    """How to build and push an image: `existing` is the builder's image of this name, `settings` are index settings.

    `password` of the registry is empty with --dry.
    """

    builder: Builder
    existing: Mapping[str, Any] | None
    revision: str
    settings: tuple[str, ...]
    password: str = field(default="", repr=False)


def plan_shared(
    shared: DesiredShared, desired: DesiredProject, target: Target, account: str, *, at_once: bool
) -> tuple[Step, ...]:
    """The steps that create or update the shared stack.

    A template that is too long for a request goes by the bucket, which this stack creates: then the stack is first
    created without what the projects add to it.
    """
    name, file = resource_names.shared_stack(shared.environment), desired.paths.build / "shared.yml"
    kept = {"KeptBucket": ExistingBucket(target.bucket, account, name)}
    texts = (shared.template,) if at_once else (shared.template_without_projects, shared.template)
    stacks = [DeployStack(name, file, text, kept, shared.tags, deploy_command(target), target.bucket) for text in texts]
    return tuple(step for stack in stacks for step in (WriteFile(file, stack.template), stack))


def plan_project(
    desired: DesiredProject, current: CurrentState, build: ImageBuild | None, target: Target, *, prune: bool = False
) -> tuple[Step, ...]:
    """The steps of one project; `build` is None if the image is already pushed. The schedules come last.

    Stored config files that are absent locally stay, unless `prune` is set.
    """
    command, tags, directory = deploy_command(target), desired.tags, desired.paths.build
    name = resource_names.registry_stack(target.name)
    file, template = directory / "registry.yml", desired.registry_template
    registry = (WriteFile(file, template), DeployStack(name, file, template, {}, tags, command, target.bucket))

    repository = resource_names.repository(target.name)
    uri = resource_names.repository_uri(repository, current.account, current.region)
    digest, tag = current.image_digest, desired.image_tag
    image = f"{uri}@{digest}" if digest else ImageTag(repository, tag, uri)
    parameters = {
        "Image": image,
        "Source": tag,
        "Bucket": target.bucket,
        **shared_network(desired.project.deploy, desired.environment),
    }
    moved_from = current.move.source if current.move else ""
    file, template = directory / "task.yml", desired.task_template
    stack = DeployStack(target.name, file, template, parameters, tags, command, target.bucket, moved_from)

    advanced = desired.project.params.tier == "advanced"
    push = plan_push(target, desired.params_document, current.params, advanced=advanced, prune=prune)
    return (
        *registry,
        *(_plan_image(desired, build, uri, target) if build else ()),
        *((current.move,) if current.move else ()),
        *(WriteFile(file, template), stack),
        *((push,) if push.change or push.kept else ()),
        *files.plan_files_push(target, current.files),
        *_plan_schedule_update(desired, current, target),
    )


def _plan_schedule_update(
    desired: DesiredProject, current: CurrentState, target: Target
) -> tuple[WriteFile | DeployStack, ...]:
    """The steps that bring deployed schedules up to date; none where no schedule is deployed.

    Deployed schedules that the project file lacks stay: `invoke schedule` created them by its options.
    """
    stack, schedules = current.schedule_stack, desired.project.schedules
    deployed = deployed_schedules(stack) if stack else None
    if stack is None or not (schedules or deployed):
        return ()
    names = {schedule.name for schedule in schedules}
    merged = (*schedules, *(schedule for schedule in deployed or () if schedule.name not in names))
    written, step = plan_schedules(
        DesiredSchedules(desired.paths, desired.project, merged, deploy_command(target)), target
    )
    is_up_to_date = stack.status in STABLE_STATUSES and not diff_stack(stack, step, {})
    return () if is_up_to_date else (written, step)


def shared_network(deploy: Deploy, environment: str) -> dict[str, StackOutput]:
    """The parameters of the task stack that the shared stack has the values of."""
    shared = resource_names.shared_stack(environment)
    own = {"Subnets": deploy.subnets, "SecurityGroups": deploy.security_groups or deploy.vpc}
    outputs = {"Subnets": "Subnets", "SecurityGroups": "SecurityGroup"}
    return {name: StackOutput(shared, outputs[name]) for name, found in own.items() if not found}


def deploy_command(target: Target) -> str:
    """The command that repeats the deployment."""
    return f"invoke deploy {target.options}"


def _plan_image(desired: DesiredProject, build: ImageBuild, uri: str, target: Target) -> tuple[Step, ...]:
    """Build the image where it does not exist, sign in, push."""
    source, builder = desired.image_source, build.builder
    platform = None if source.platform == builder.platform else source.platform
    steps = plan_build(
        source,
        builder,
        build.existing,
        reference=source.reference,
        platform=desired.project.image.platform or platform,
        revision=build.revision,
        settings=build.settings,
        no_cache=False,
    )
    name, command = f"{uri}:{desired.image_tag}", deploy_command(target)
    return (
        *steps,
        plan_login(builder, uri.partition("/")[0], build.password, desired.paths),
        *plan_image_push(builder, source.reference, name, desired.paths, command),
    )
