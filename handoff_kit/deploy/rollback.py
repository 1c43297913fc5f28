"""Roll a project back: deploy the image and the params of an earlier run together, by the deployed template.

find_release     --to, history, deployments    Release: an image, and a version of the params
read_rollback    Release, registry, params     Rollback: what is deployed; AWSError where that is not possible
plan_rollback    Rollback, CurrentRelease      steps: the task stack, then the params; pure
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from handoff_kit import resource_names
from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_existing
from handoff_kit.aws.cloudformation.wait import INTERRUPTED
from handoff_kit.aws.deployments import deployed_digest, read_deployments, record_deployment
from handoff_kit.aws.ecr import StoredImage, list_images
from handoff_kit.aws.history import (
    HistoryLine,
    HistoryQuery,
    UnknownRunError,
    list_runs,
    stored_history,
    stored_run,
)
from handoff_kit.aws.params import (
    DamagedParams,
    StoredParams,
    compare_params,
    find_params,
    find_replaceable_params,
    plan_restore,
    stored_versions,
)
from handoff_kit.aws.session import DeployedProject
from handoff_kit.aws.target import Target
from handoff_kit.console import Say, confirm
from handoff_kit.deploy.plan import base_of_tag, deploy_command
from handoff_kit.deploy.templates import ungranted_references
from handoff_kit.errors import AWSError, CommandError, HandoffError, ProjectError
from handoff_kit.image.build import ID_LENGTH
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.params_document import document_references, with_keep, with_success_within
from handoff_kit.steps import DeployStack, ParameterSettings, Step
from handoff_runtime.terminal import safe_name

NOT_ROLLED_BACK = "files, state, schedules, keep, success_within, stack template (size, network, permissions, alerts)"


@dataclass(frozen=True)
class Release:
    """An image and a version of the params that ran or were deployed together.

    `origin` names the run or the deployment for messages, `option` is its value of --to.
    """

    image_digest: str
    params_version: int
    origin: str
    option: str


def release_of_run(run: Mapping[str, Any]) -> Release | None:
    """What a run ran with, by its line or record; None of a run without an image, as those on a workstation."""
    digest, version = str(run.get("image_digest") or ""), str(run.get("params_version") or "")
    if not digest.startswith("sha256:") or not version.isdecimal():
        return None
    return Release(digest, int(version), f"run {run['run_id']}", str(run["run_id"]))


@dataclass(frozen=True)
class CurrentRelease:
    """The deployed task stack with its template, and the newest params; `documents` are earlier ones by version."""

    target: Target
    stack: StackDescription
    stored: StoredParams | DamagedParams
    say: Say
    documents: dict[int, dict[str, Any] | None] = field(default_factory=dict, repr=False)

    def read_document(self, version: int) -> dict[str, Any] | None:
        """The params of a version; None if it is gone.

        `keep` and `expect.success_within` are those of the newest one: stored objects are tagged by the one, and the
        deployed template checks the other.
        """
        if version not in self.documents:
            found = find_params(self.target, version)
            document = found.document if found else None
            if document and isinstance(self.stored, StoredParams):
                pipeline = self.stored.params.pipeline
                document = with_keep(document, pipeline.keep)
                document = with_success_within(document, pipeline.expect.success_within)
            self.documents[version] = document
        return self.documents[version]

    def equals(self, release: Release) -> bool:
        """Whether a release is deployed; a rollback stores an earlier document as another version."""
        if release.image_digest != deployed_digest(self.stack) or not isinstance(self.stored, StoredParams):
            return False
        is_newest = release.params_version == self.stored.version
        return is_newest or self.read_document(release.params_version) == self.stored.document

    def newest_other(self, where: Callable[[Release], bool] = lambda _: True) -> Release | None:
        """The release of the newest successful run of another one than the deployed, that the condition allows."""
        return newest_release(self.target, lambda release: where(release) and not self.equals(release), self.say)


@dataclass(frozen=True)
class Rollback:
    """What a rollback deploys: an image that is in the registry, and the `document` of the earlier params."""

    release: Release
    image: StoredImage
    document: Mapping[str, Any] = field(repr=False)
    advanced: bool = False


def roll_back(deployed: DeployedProject, to: str, options: ApplyOptions) -> int:
    """Roll back to the release that `to` names, by default that of the newest successful run of another one.

    Returns how many steps changed something, or would.
    """
    target = deployed.target
    stack = describe_existing(target.session, target.name, template=True) if deployed.stack else None
    stored = find_replaceable_params(target)
    if not stack or not deployed_digest(stack) or stored is None:
        raise AWSError(f"project {target.project}: not deployed, expected one to roll back", deploy_command(target))
    current = CurrentRelease(target, stack, stored, options.say)
    release = find_release(current, to)
    if current.equals(release):
        options.say(f"no changes: image and params of {release.origin} are deployed")
        return 0
    advanced = bool(deployed.project and deployed.project.params.tier == "advanced")
    rollback, command = read_rollback(current, release, advanced=advanced), rollback_command(target, release)
    for line in describe_rollback(rollback, current):
        options.say(line)
    if release.image_digest == deployed_digest(stack) and not options.dry:  # else the stack update asks
        confirm(f"store the params of version {release.params_version} as a new version", command, yes=options.yes)
    if isinstance(stored, StoredParams):
        target.session.set_keep(target.name, stored.params.pipeline.keep)
    try:
        changes = apply(plan_rollback(rollback, current, deployed.paths, command), target, options)
    except KeyboardInterrupt:  # half way, the same command without --to could find the release that was left
        raise CommandError("rollback: interrupted", INTERRUPTED, f"to continue: {command}") from None
    except HandoffError as error:
        if command not in (error.hint or ""):
            error.hint = "; then: ".join(filter(None, (error.hint, command)))
        raise
    if changes and not options.dry:
        record_deployment(target, stack, options.say)
        options.say(f"note: this checkout is not rolled back: the next `{deploy_command(target)}` deploys it again")
    return changes


def rollback_command(target: Target, release: Release) -> str:
    """The command that rolls back to this release, whatever was deployed since."""
    return f"invoke rollback --to {release.option} {target.options}"


def read_rollback(current: CurrentRelease, release: Release, *, advanced: bool) -> Rollback:
    """What to deploy; AWSError where image or params are gone, or name what the deployed role may not read."""
    target = current.target
    images = {image.digest: image for image in list_images(target, resource_names.repository(target.name))}
    if not (image := images.get(release.image_digest)):
        raise _image_error(current, release, images)
    if (document := current.read_document(release.params_version)) is None:
        raise _version_error(current, release)
    if references := ungranted_references(current.stack.template, document_references(document)):
        names = ", ".join(map(str, references))
        message = f"params of {release.origin}: refer to {names}, which the deployed role of the task may not read"
        pull = f"invoke params.pull --force --version {release.params_version} {target.options}"
        grant = f"{pull} && {deploy_command(target)}"
        raise AWSError(message, f"a deployment grants it: {grant}; then: {rollback_command(target, release)}")
    return Rollback(release, image, document, advanced)


def _image_error(current: CurrentRelease, release: Release, images: Mapping[str, StoredImage]) -> AWSError:
    target = current.target
    message = f"image {release.image_digest} of {release.origin}: not in the registry any more"
    if left := current.newest_other(lambda other: other.image_digest in images):
        return AWSError(message, f"the newest other run whose image is there: {rollback_command(target, left)}")
    return AWSError(message, f"no image of another run is left; correct the project, then: {deploy_command(target)}")


def _version_error(current: CurrentRelease, release: Release) -> AWSError:
    target = current.target
    versions = [version["Version"] for version in stored_versions(target)]
    what = f"version {release.params_version}, of {release.origin}"
    message = f"parameter {target.parameter}: {what}, is not kept any more"
    left = f"Parameter Store keeps the last 100, now {versions[0]} to {versions[-1]}"
    return AWSError(message, f"{left}; see which runs there are: invoke history --remote --json {target.options}")


def newest_release(target: Target, where: Callable[[Release], bool], say: Say) -> Release | None:
    """What the newest successful run ran with that the condition allows."""

    def matches(line: HistoryLine) -> bool:
        release = release_of_run(line)
        return is_successful(line) and release is not None and where(release)

    runs = list_runs(stored_history(target, say), HistoryQuery(last=1, where=matches))
    return release_of_run(runs[0]) if runs else None


def is_successful(run: Mapping[str, Any]) -> bool:
    """Whether the pipeline ran to its end; a function of impl.py says nothing of it."""
    return run.get("outcome") == "succeeded" and run.get("command") == "run"


def find_release(current: CurrentRelease, to: str) -> Release:
    """The release that --to names, by default that of the newest successful run of another one."""
    target = current.target
    see = f"see which runs there are: invoke history --remote {target.options}"
    if not to:
        if release := current.newest_other():
            return release
        message = f"project {target.project}: found no successful run of another image or other params"
        raise AWSError(message, see)
    if re.fullmatch("[0-9]{1,9}", to):
        return _find_version(current, int(to))
    try:
        record = stored_run(target, to).record
    except (ProjectError, UnknownRunError):
        expected = "expected the id of a run, e.g. 20270131T060000Z-3fc643, or a version of the params, e.g. 3"
        raise ProjectError(f"--to: found no run {safe_name(to)!r}, {expected}", see) from None
    release, problem = release_of_run(record), ""
    if record["project"] != target.project:
        problem = f"is one of project {safe_name(record['project'])}, expected {target.project}"
    elif not release:
        problem = "has no image and version of params in its record, expected a run on Fargate"
    if not release or problem:
        message = f"--to: run {to} {problem}"
        raise ProjectError(message, see)
    if not is_successful(record):
        current.say(f"note: run {to} was no successful run of the pipeline ({safe_name(record['outcome'])})")
    return release


def _find_version(current: CurrentRelease, version: int) -> Release:
    """The release of the newest deployment with these params; of one that is not recorded, that of a successful run."""
    for each in reversed(read_deployments(current.target, current.say)):
        if each.params_version == version:
            return Release(each.image_digest, version, f"the deployment of {each.deployed_at}", str(version))
    if release := newest_release(current.target, lambda release: release.params_version == version, current.say):
        return release
    message = f"--to: found no deployment and no successful run with version {version} of the params"
    raise ProjectError(message, f"see which versions there are: invoke params.history {current.target.options}")


def plan_rollback(rollback: Rollback, current: CurrentRelease, paths: ProjectPaths, command: str) -> tuple[Step, ...]:
    """The deployed template with the earlier image as its parameters, then the params: the order of a deployment."""
    stack, image, target = current.stack, rollback.image, current.target
    tag, uri = image.tags[-1] if image.tags else "", stack.outputs["Image"].partition("@")[0]
    earlier = {"Image": f"{uri}@{image.digest}", "Source": tag.partition("-")[0], "Base": base_of_tag(tag)}
    parameters = {name: earlier.get(name, value) for name, value in stack.parameters.items()}
    place = (target.name, paths.build / "task.yml", stack.template)
    key = ParameterSettings(stack.outputs.get("KmsKey", ""))
    return (
        DeployStack(*place, parameters, stack.tags, command, target.bucket, made_from=stack.template),
        plan_restore(target, rollback.document, current.stored, advanced=rollback.advanced, parameter=key),
    )


def describe_rollback(rollback: Rollback, current: CurrentRelease) -> Iterator[str]:
    """What is rolled back, as lines: the image, and what changes in the params, by names and never by values."""
    release, stored = rollback.release, current.stored
    image = release.image_digest.removeprefix("sha256:")[:ID_LENGTH]
    yield f"roll back {current.target.name} to {release.origin}: image {image}, params version {release.params_version}"
    if isinstance(stored, StoredParams):
        changes = list(params_changes(stored.document, rollback.document))
        yield "params:" if changes else "params: no changes"
        yield from changes
    else:
        yield f"params: version {stored.version} is damaged, and is replaced"
    yield f"not rolled back: {NOT_ROLLED_BACK}"


def params_changes(stored: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """The keys of the pipeline and the names of config files that are added (+), removed (-) or changed (~)."""
    pipelines = ({**each, "files": ()} for each in (stored, document))
    found = [(each.key, each.stored, each.local) for each in compare_params(*pipelines)]
    before, after = ({file["name"]: file["value"] for file in each.get("files", ())} for each in (stored, document))
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    found += [(f".local/{name}", before.get(name), after.get(name)) for name in names]
    for key, was, will in found:
        yield f"  {'+' if was is None else '-' if will is None else '~'} {safe_name(key)}"
