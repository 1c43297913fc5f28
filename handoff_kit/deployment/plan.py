"""The steps from an account as it is to a project deployed in it; pure. None hands a result to a later one.

The stack of the task comes before params and files: where it cannot be changed, all three stay as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handoff_kit import resource_names
from handoff_kit.aws.params import ParamsPush, plan_push
from handoff_kit.deployment.move import MoveData
from handoff_kit.image import build as building
from handoff_kit.image import push as pushing
from handoff_kit.remote.change import Change
from handoff_kit.steps import BucketThere, ChangeStack, ImageTag, RemoveStack, Step, WriteFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from handoff_kit.aws.target import Target
    from handoff_kit.deployment.account import Account
    from handoff_kit.deployment.wanted import Shared, Wanted
    from handoff_kit.image.builder import Builder
    from handoff_runtime.aws.transfer import Plan

__all__ = ["CloudStep", "Files", "Packing", "plan", "plan_shared"]


@dataclass(frozen=True)
class Files:
    """The files of a project that shall be in the bucket."""

    plan: Plan


@dataclass(frozen=True)
class Packing:
    """What it takes to make the image and bring it to ECR: who builds, what is there, and how one signs in.

    `login` is empty with --dry: nobody signs in for what is only told.
    """

    builder: Builder
    there: Mapping[str, Any] | None
    revision: str
    settings: tuple[str, ...]
    login: str = field(default="", repr=False)


CloudStep = Step | Change | ChangeStack | RemoveStack | Files | ParamsPush | MoveData


def plan_shared(shared: Shared, wanted: Wanted, stack: Target, account: str, *, at_once: bool) -> tuple[CloudStep, ...]:
    """The steps that make the shared stack what it shall be.

    A body that is too long for a request goes by the bucket, which this very stack makes: the first time it is
    made without what the projects add to it.
    """
    bodies = (shared.text,) if at_once else (shared.bare, shared.text)
    return tuple(step for body in bodies for step in _shared(shared, wanted, body, stack, account))


def _shared(shared: Shared, wanted: Wanted, body: str, stack: Target, account: str) -> tuple[CloudStep, ...]:
    name, file = resource_names.shared(shared.environment), wanted.place.build / "shared.yml"
    kept = {"KeptBucket": BucketThere(stack.bucket, account, name)}
    return (WriteFile(file, body), ChangeStack(name, file, body, kept, shared.tags, _again(stack), stack.bucket))


def plan(
    wanted: Wanted, account: Account, packing: Packing | None, stack: Target, *, prune: bool = False
) -> tuple[CloudStep, ...]:
    """The steps of one project; `packing` is None where the image is in ECR already.

    Stored config files that are absent locally stay, unless `prune` is set.
    """
    return (
        *_registry(wanted, stack),
        *(_image(wanted, account, packing, stack) if packing else ()),
        *((account.data,) if account.data else ()),
        *_task(wanted, account, stack),
        *_params(wanted, account, stack, prune=prune),
        Files(account.files),
    )


def _params(wanted: Wanted, account: Account, stack: Target, *, prune: bool) -> tuple[CloudStep, ...]:
    advanced = wanted.loaded.params.tier == "advanced"
    push = plan_push(stack, wanted.document, account.params, advanced=advanced, prune=prune)
    return (push,) if push.change or push.kept else ()


def _registry(wanted: Wanted, stack: Target) -> tuple[CloudStep, ...]:
    file, name = wanted.place.build / "registry.yml", resource_names.registry(stack.name)
    return (
        WriteFile(file, wanted.registry),
        ChangeStack(name, file, wanted.registry, {}, wanted.tags, _again(stack), stack.bucket),
    )


def _image(wanted: Wanted, account: Account, packing: Packing, stack: Target) -> tuple[CloudStep, ...]:
    made, builder = wanted.source, packing.builder
    platform = None if made.platform == builder.platform else made.platform
    build = building.plan_build(
        made,
        builder,
        packing.there,
        reference=made.reference,
        platform=wanted.loaded.image.platform or platform,
        revision=packing.revision,
        settings=packing.settings,
        no_cache=False,
    )
    uri = account.uri(resource_names.repository(stack.name))
    push = pushing.plan_push(builder, made.reference, f"{uri}:{wanted.tag}", wanted.place, _again(stack))
    return (*build, pushing.plan_login(builder, uri.partition("/")[0], packing.login, wanted.place), *push)


def _task(wanted: Wanted, account: Account, stack: Target) -> tuple[CloudStep, ...]:
    file, repository = wanted.place.build / "task.yml", resource_names.repository(stack.name)
    image = ImageTag(repository, wanted.tag, account.uri(repository))
    parameters: dict[str, str | ImageTag] = {"Image": image, "Source": wanted.tag, "Bucket": stack.bucket}
    source = account.data.source if account.data else ""
    return (
        WriteFile(file, wanted.task),
        ChangeStack(stack.name, file, wanted.task, parameters, wanted.tags, _again(stack), stack.bucket, source),
    )


def _again(stack: Target) -> str:
    return f"invoke deploy {stack.options}"
