"""The steps from the current to the desired state of a project. Pure; no step uses the result of an earlier one.

The task stack comes before params and files: if its update fails, all three stay unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws import files
from handoff_kit.aws.cloudformation.diff import diff_stack
from handoff_kit.aws.cloudformation.stack import STABLE_STATUSES, is_owned
from handoff_kit.aws.ecr import PushedImage
from handoff_kit.aws.params import (
    DEFAULT_KEY,
    DamagedParams,
    StoredParams,
    parameter_settings,
    plan_push,
    plan_push_of_keep,
)
from handoff_kit.aws.target import Target
from handoff_kit.deploy.current import CurrentState
from handoff_kit.deploy.desired import DesiredProject, DesiredShared
from handoff_kit.deploy.schedule_project import DesiredSchedules, check_schedules, made_from, plan_schedules
from handoff_kit.deploy.schedule_template import NOT_SCHEDULED, deployed_schedules
from handoff_kit.image.build import BASE, BaseImage, is_image_current, label_of, plan_build
from handoff_kit.image.builder import Builder
from handoff_kit.image.push import plan_image_push
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.project.params_document import with_keep
from handoff_kit.project.schedule_settings import Schedule
from handoff_kit.steps import (
    ApiCall,
    ApiCalls,
    DeployStack,
    ExistingBucket,
    ImageTag,
    RegistryCredentials,
    StackOutput,
    Step,
    StoreParams,
    WriteFile,
)
from handoff_kit.text import span
from handoff_runtime import s3_keys
from handoff_runtime.alert import expectation
from handoff_runtime.aws.session import S3


@dataclass(frozen=True)
class ImageBuild:
    """How to build and push an image: `existing` is the builder's image of this name, `settings` are index settings.

    `rebuilt_at` is the time of a rebuild from the newest base, and empty otherwise. `password` of the registry is empty
    with --dry.
    """

    builder: Builder
    existing: Mapping[str, Any] | None
    revision: str
    settings: tuple[str, ...]
    password: str = field(default="", repr=False)
    base: BaseImage | None = None
    rebuilt_at: str = ""


def plan_shared(
    shared: DesiredShared, desired: DesiredProject, target: Target, account: str, initial_tags: Mapping[str, str]
) -> tuple[Step, ...]:
    """The steps that create or update the shared stack."""
    name, file = resource_names.shared_stack(shared.environment), desired.paths.build / "shared.yml"
    kept = {"KeptBucket": ExistingBucket(target.bucket, account, name)}
    command, bucket, tags = deploy_command(target), target.bucket, shared.tags
    stack = DeployStack(name, file, shared.template, kept, tags, command, bucket, initial_tags=initial_tags)
    return WriteFile(file, shared.template), stack


def plan_project(
    desired: DesiredProject,
    current: CurrentState,
    image: PushedImage | ImageBuild,
    target: Target,
    *,
    prune: bool = False,
) -> tuple[Step, ...]:
    """The steps of one project; its image is pushed already, or is built. Schedules and tags come last.

    Stored config files that are absent locally stay, unless `prune` is set.
    """
    command, tags, directory = deploy_command(target), desired.tags, desired.paths.build
    name = resource_names.registry_stack(target.name)
    file, template = directory / "registry.yml", desired.registry_template
    registry = (WriteFile(file, template), DeployStack(name, file, template, {}, tags, command, target.bucket))

    repository = resource_names.repository(target.name)
    uri = resource_names.repository_uri(repository, current.account, current.region)
    build = image if isinstance(image, ImageBuild) else None
    tag = _image_tag(desired, image) if isinstance(image, ImageBuild) else image.tag
    parameters = {
        "Image": ImageTag(repository, tag, uri) if isinstance(image, ImageBuild) else f"{uri}@{image.digest}",
        "Source": desired.image_tag,
        "Base": base_of_tag(tag),
        "Bucket": target.bucket,
        **shared_network(desired.project.deploy, desired.environment),
    }
    moved_from = current.move.source if current.move else ""
    push, tagging = _plan_params(desired, current, target, prune=prune)
    pushes = (push,) if push.change or push.kept else ()
    # a role that lost the key could read no params, and the next deployment would not know of the key
    loses_key = not desired.project.deploy.kms_key and key_of(current.params) not in (None, DEFAULT_KEY)
    # the params that runs will read decide what the role may read, stored files of other checkouts included
    file, template = directory / "task.yml", desired.task_template(push.document)
    stack = DeployStack(target.name, file, template, parameters, tags, command, target.bucket, moved_from)
    return (
        *registry,
        *(_plan_image(desired, build, f"{uri}:{tag}", target) if build else ()),
        *((current.move,) if current.move else ()),
        *((current.parameter_tags,) if current.parameter_tags else ()),  # before the stack, whose tags say it is done
        *_plan_expectation(push, current, target),  # before the params, by which the next deployment knows it
        *(pushes if loses_key else ()),
        *(WriteFile(file, template), stack),
        *(() if loses_key else pushes),
        *files.plan_files_push(target, current.files),
        *_plan_schedule_update(desired, current, target),
        *tagging,
    )


def _plan_expectation(push: StoreParams, current: CurrentState, target: Target) -> tuple[ApiCalls, ...]:
    """The step that starts, restarts or ends the wait for a successful run; none where the span stays what it was.

    A project that is deployed again after `destroy` may have an old time.
    """
    within = push.document["pipeline"].get("expect", {}).get("success_within")
    stored = current.params.params.pipeline.expect.success_within if isinstance(current.params, StoredParams) else None
    place = {"Bucket": target.bucket, "Key": s3_keys.expectation(target.name)}
    shown = target.url(place["Key"])
    if within and (within != stored or not current.is_deployed):
        expected = expectation(within, current.now.timestamp())
        description = f"expect a successful run within {span(within)}, by {expected['by']} ({shown})"
        body = json.dumps(expected).encode()
        return (ApiCalls((ApiCall(description, S3, "put_object", {**place, "Body": body}),)),)
    if stored and not within:
        description = f"expect no run any more: delete {shown}"
        return (ApiCalls((ApiCall(description, S3, "delete_object", place),)),)
    return ()


def key_of(stored: StoredParams | DamagedParams | None) -> str | None:
    """The KMS key of stored params; None where it was not looked up."""
    return stored.kms_key if isinstance(stored, StoredParams) else None


def _plan_params(
    desired: DesiredProject, current: CurrentState, target: Target, *, prune: bool
) -> tuple[StoreParams, tuple[Step, ...]]:
    """The push of the params; and where stored versions must be tagged, that and the push of the new `keep`.

    These come last: after an interruption the next deployment plans them again.
    """
    document: Mapping[str, Any] = desired.params_document
    if current.tagging:
        stored = current.params.params.pipeline.keep if isinstance(current.params, StoredParams) else None
        document = with_keep(document, stored)
    advanced = desired.project.params.tier == "advanced"
    parameter = parameter_settings(target, desired.project.deploy)
    push = plan_push(target, document, current.params, advanced=advanced, prune=prune, parameter=parameter)
    return push, (current.tagging, plan_push_of_keep(target, push, desired.keep)) if current.tagging else ()


def _plan_schedule_update(
    desired: DesiredProject, current: CurrentState, target: Target
) -> tuple[WriteFile | DeployStack, ...]:
    """The steps that bring deployed schedules up to date; none where no schedule is deployed.

    Deployed schedules that the project file lacks stay: `invoke schedule` created them by its options. A stack of
    another owner holds none: the task stack of a project NAME-schedule has this name too.
    """
    stack, schedules = current.schedule_stack, desired.project.schedules
    if stack is None or stack.status in NOT_SCHEDULED or not is_owned(stack, desired.tags):
        return ()
    merged = (*schedules, *other_schedules(desired, current))
    if not merged:
        return ()
    check_schedules(schedules, deployed_schedules(stack) or (), current.now)
    deploy, command = desired.project.deploy, deploy_command(target)
    written, step = plan_schedules(DesiredSchedules(desired.paths, deploy, merged, command, made_from(stack)), target)
    is_up_to_date = stack.status in STABLE_STATUSES and not diff_stack(stack, step, {})
    return () if is_up_to_date else (written, step)


def other_schedules(desired: DesiredProject, current: CurrentState) -> tuple[Schedule, ...]:
    """The deployed schedules that the project file lacks."""
    stack, names = current.schedule_stack, {schedule.name for schedule in desired.project.schedules}
    if stack is None or stack.status in NOT_SCHEDULED or not is_owned(stack, desired.tags):
        return ()
    return tuple(schedule for schedule in deployed_schedules(stack) or () if schedule.name not in names)


def shared_network(deploy: Deploy, environment: str) -> dict[str, StackOutput]:
    """The parameters of the task stack that the shared stack has the values of."""
    shared = resource_names.shared_stack(environment)
    own = {"Subnets": deploy.subnets, "SecurityGroups": deploy.security_groups or deploy.vpc}
    outputs = {"Subnets": "Subnets", "SecurityGroups": "SecurityGroup"}
    return {name: StackOutput(shared, outputs[name]) for name, found in own.items() if not found}


def deploy_command(target: Target) -> str:
    """The command that repeats the deployment."""
    return f"invoke deploy {target.options}"


def repair_command(target: Target) -> str:
    """The command that deploys, and repairs what was deleted or changed by hand."""
    return f"invoke deploy --repair {target.options}"


def _image_tag(desired: DesiredProject, build: ImageBuild) -> str:
    """Source, day of the base, time of a rebuild; later deployments of this source find the image by the first part."""
    base = build.base.created if build.base else ""
    if not build.rebuilt_at and is_image_current(build.existing, desired.image_source):
        base = label_of(build.existing or {}, BASE)
    parts = (desired.image_tag, f"base{base.replace('-', '')}" if base else "", build.rebuilt_at)
    return "-".join(filter(None, parts))


def base_of_tag(tag: str) -> str:
    """The day on which the base of an image was created, e.g. 2027-01-31, or `unknown`."""
    match = re.search(r"-base(\d{4})(\d\d)(\d\d)(?:-|$)", tag)
    return "-".join(match.groups()) if match else "unknown"


def _plan_image(desired: DesiredProject, build: ImageBuild, name: str, target: Target) -> tuple[Step, ...]:
    """Build the image where it does not exist, and push it.

    The password of ECR is valid for twelve hours:
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
    """
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
        no_cache=bool(build.rebuilt_at),
        base=build.base,
        pull=bool(build.rebuilt_at) and (build.base is None or build.base.is_in_registry),
    )
    credentials = RegistryCredentials(desired.paths.build, name.partition("/")[0], "AWS", build.password)
    command = deploy_command(target)
    return (*steps, *plan_image_push(builder, source.reference, name, desired.paths, command, credentials=credentials))
