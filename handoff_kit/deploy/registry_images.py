"""The images in a project's registry: when each was deployed, and what runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_existing, is_owned
from handoff_kit.aws.deployments import Deployment, deployed_digest, read_deployments
from handoff_kit.aws.ecr import StoredImage, list_images
from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.tasks import Task, list_running_tasks, task_id
from handoff_kit.console import Say
from handoff_kit.deploy.plan import base_of_tag
from handoff_kit.deploy.schedule_template import NOT_SCHEDULED, deployed_summaries
from handoff_kit.errors import AWSError
from handoff_kit.image.build import ID_LENGTH
from handoff_kit.text import json_lines, plural, size, table, timestamp
from handoff_runtime import s3_keys

COLUMNS = ("PUSHED", "DIGEST", "TAGS", "SIZE", "BASE", "DEPLOYED", "UNTIL", "USED BY")


@dataclass(frozen=True)
class RegistryImage:
    """`since` and `until` are of its last deployment: `until` is empty while it lasts, both where it is not recorded.

    `is_deployed`: the newest task definition names it, with which runs and schedules start. `tasks` are running ones.
    """

    image: StoredImage
    since: str = ""
    until: str = ""
    is_deployed: bool = False
    schedules: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


def read_registry(tasks: ProjectTasks, stack: StackDescription | None, say: Say) -> tuple[RegistryImage, ...]:
    """The tagged images, the newest first; six calls where there are few images and tasks."""
    target = tasks.target
    images = list_images(target, resource_names.repository(target.name))
    if not images:
        say(f"no image in repository {resource_names.repository(target.name)}")
        return ()
    deployments = read_deployments(target, say)
    if not deployments:
        say(f"note: {target.url(s3_keys.deployments(target.name))}: no deployment is recorded; the next one is")
    running: Sequence[Task] = ()
    try:
        running = list_running_tasks(tasks) if deployed_digest(stack) else ()
    except AWSError as error:
        say(f"note: running tasks are not shown: {error.message}")
    schedules = describe_existing(target.session, resource_names.schedule_stack(target.name)) if stack else None
    names: tuple[str, ...] = ()
    if schedules and stack and schedules.status not in NOT_SCHEDULED and is_owned(schedules, stack.tags):
        names = tuple(entry.name for entry in deployed_summaries(schedules))
    return tuple(compare_images(images, deployments, deployed_digest(stack), names, running))


def compare_images(
    images: Iterable[StoredImage],
    deployments: Sequence[Deployment],
    deployed: str,
    schedules: tuple[str, ...],
    tasks: Iterable[Task],
) -> Iterable[RegistryImage]:
    """What is known of each image; `deployed` is the digest in the newest task definition."""
    blocks = [list(block) for _, block in groupby(deployments, lambda one: one.image_digest)]
    spans: dict[str, tuple[str, str]] = {}
    for block, following in zip_longest(blocks, blocks[1:]):
        spans[block[0].image_digest] = (block[0].deployed_at, following[0].deployed_at if following else "")
    running: dict[str, list[str]] = {}
    for task in tasks:
        for digest in {str(container.get("imageDigest")) for container in task.get("containers", ())}:
            running.setdefault(digest, []).append(task_id(task["taskArn"]))
    for image in images:
        is_deployed = image.digest == deployed
        own_schedules, own_tasks = schedules if is_deployed else (), tuple(running.get(image.digest, ()))
        yield RegistryImage(image, *spans.get(image.digest, ("", "")), is_deployed, own_schedules, own_tasks)


def registry_table(images: Iterable[RegistryImage]) -> str:
    """A line for each image; empty where there is none."""
    rows = []
    for one in images:
        users = (
            "task definition" if one.is_deployed else "",
            plural(len(one.schedules), "schedule") if one.schedules else "",
            plural(len(one.tasks), "running task") if one.tasks else "",
        )
        tags = one.image.tags
        rows.append(
            (
                timestamp(one.image.pushed),
                one.image.digest.removeprefix("sha256:")[:ID_LENGTH],
                ", ".join(tags) or "-",
                size(one.image.bytes),
                base_of_tag(tags[-1]) if tags else "-",
                one.since or "-",
                one.until or "-",
                ", ".join(filter(None, users)) or "-",
            )
        )
    return table(COLUMNS, rows, right=("SIZE",)) if rows else ""


def registry_json(images: Iterable[RegistryImage]) -> str:
    """One JSON object a line."""

    def fields(one: RegistryImage) -> Mapping[str, Any]:
        return {
            "digest": one.image.digest,
            "tags": list(one.image.tags),
            "pushed_at": timestamp(one.image.pushed),
            "bytes": one.image.bytes,
            "base": base_of_tag(one.image.tags[-1]) if one.image.tags else None,
            "deployed_since": one.since or None,
            "deployed_until": one.until or None,
            "deployed": one.is_deployed,
            "schedules": list(one.schedules),
            "tasks": list(one.tasks),
        }

    return json_lines(map(fields, images))
