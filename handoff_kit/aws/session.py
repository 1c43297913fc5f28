"""The session of a command, and the place of a project in AWS.

target_from_project   by options, variables and the project file: for what deploys
find_deployed         by the deployed stack: for what operates; the project file is only an aid
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import (
    OWNER_TAGS,
    StackDescription,
    check_owner,
    describe_all,
    describe_existing,
)
from handoff_kit.aws.params import check_params_owner, other_owner_error
from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.errors import AWSError, ProjectError, translate_store_errors
from handoff_kit.paths import ProjectPaths, UnknownProjectError
from handoff_kit.project.load import load_project
from handoff_kit.project.model import Project
from handoff_kit.resource_names import NamedBucket
from handoff_runtime.aws.session import Session, connect


def open_session(environ: Mapping[str, str], say: Say) -> Session:
    """A session for the credentials and the region of the environment; nothing is called yet.

    Buckets must belong to the account of the credentials, or to the one that S3_BUCKET_OWNER names.
    """
    with translate_store_errors():
        return connect(environ, say, owner=resource_names.bucket_owner_from_environment(environ))


def account_of(session: Session) -> str:
    """The account of the credentials, twelve digits."""
    with translate_store_errors():
        return session.account()


def describe_location(session: Session) -> str:
    """Account and region, for messages; one call."""
    return f"account {account_of(session)}, region {session.region}"


def target_from_project(
    paths: ProjectPaths,
    environment: str,
    environ: Mapping[str, str],
    say: Say,
    *,
    bucket: bool = True,
    project_bucket: str | None = None,
) -> Target:
    """The place of a local project in AWS; a STACK_NAME that belongs to another project is refused.

    The bucket is the one the project is deployed with. Before it is deployed S3_BUCKET_NAME decides, then
    `project_bucket`, which the project file names. Without `bucket` nothing is called.
    """
    named = resource_names.named_bucket(environ, project_bucket, paths.display_path)
    session = open_session(environ, say)
    target = target_by_name(paths, environment, environ, session, "")
    return _with_bucket(target, describe_existing(session, target.name), named, environ, say) if bucket else target


@dataclass(frozen=True)
class DeployedProject:
    """A project to operate, as it is deployed; `stack` is its task stack, None where it is not deployed.

    `project` is its project file, None where that is missing or has errors.
    """

    paths: ProjectPaths
    target: Target
    stack: StackDescription | None
    project: Project | None


def find_deployed(
    paths: ProjectPaths,
    environment: str,
    environ: Mapping[str, str],
    say: Say,
    unknown: UnknownProjectError | None = None,
    *,
    required: bool = True,
    session: Session | None = None,
    stacks: Iterable[StackDescription] | None = None,
) -> DeployedProject:
    """A project by its deployed stack. Where it is not deployed, its project file decides, and errors in it are raised.

    `stacks` are those of the account where they are known; else one is described.
    `unknown` is the error for a project that is not in this checkout; unless it is `required`, one that is not deployed
    either has the default names.
    """
    project, problem = (None, unknown) if unknown else _read_project(paths)
    named = resource_names.named_bucket(environ, project.deploy.bucket if project else None, paths.display_path)
    session = session or open_session(environ, say)
    target = target_by_name(paths, environment, environ, session, "")
    if stacks is None:
        described = describe_existing(session, target.name)
    else:
        described = next((each for each in stacks if each.name == target.name), None)
    stack = _check_own(target, described, environ, refuse_others=unknown is None)
    if stack is None and problem and (required or not unknown):
        raise UnknownProjectError(paths, deployed_names(session, environment)) if unknown else problem
    if problem:
        bucket = stack.parameters.get("Bucket") if stack else None  # also of a stack whose creation failed
        named = named or (NamedBucket(bucket, f"stack {target.name}") if bucket else None)
        used = f"what stack {target.name} is deployed with" if stack else "the default names of its resources"
        found = f"found no {paths.display_path}" if unknown else f"{paths.display_path} has errors"
        hint = "" if unknown else f"\nhint: see them: invoke check --project {paths.name}"
        say(f"note: {found}; using {used}{hint}")
    return DeployedProject(paths, _with_bucket(target, stack, named, environ, say), stack, project)


def find_all_deployed(root: Path, environment: str, environ: Mapping[str, str], say: Say) -> list[DeployedProject]:
    """Every project of an environment that has a task stack, by one look at all stacks."""
    session = open_session(environ, say)
    stacks = {stack.name: stack for stack in describe_all(session)}
    found = []
    for name in deployed_projects(stacks.values(), environment):
        paths = ProjectPaths(name, root)
        target = target_by_name(paths, environment, {}, session, "")
        stack = stacks.get(target.name)
        if bucket := deployed_bucket(stack, target):
            found.append(DeployedProject(paths, replace(target, bucket=bucket), stack, _read_project(paths)[0]))
    return found


def _check_own(
    target: Target, stack: StackDescription | None, environ: Mapping[str, str], *, refuse_others: bool
) -> StackDescription | None:
    """The task stack of a project; with `refuse_others` an error for a stack of this name of another project."""
    tags = resource_names.owner_tags(target.project, target.environment)
    if stack is None or tags.items() <= stack.tags.items():
        return stack
    owner = stack.tags.get("handoff:project", target.project)
    if resource_names.stack_from_environment(environ) and owner != target.project:
        raise other_owner_error(target, owner)
    if refuse_others and any(name in stack.tags for name in OWNER_TAGS):
        check_owner(stack, tags)
    return None


def _read_project(paths: ProjectPaths) -> tuple[Project | None, ProjectError | None]:
    try:
        return load_project(paths.file, paths.display_path), None
    except ProjectError as error:
        return None, error


def _with_bucket(
    target: Target, stack: StackDescription | None, named: NamedBucket | None, environ: Mapping[str, str], say: Say
) -> Target:
    """The target with the bucket it is deployed with, else the named one, else that of the environment."""
    used = deployed_bucket(stack, target)
    if used and (note := note_on_bucket(target.project, used, named)):
        say(f"note: {note}; {used} is used")
    session = target.session
    if not (bucket := used or (named.name if named else "")):
        bucket = resource_names.bucket(target.environment, account_of(session), session.region)
    target = replace(target, bucket=bucket)
    if resource_names.stack_from_environment(environ):
        check_params_owner(target)
    return target


def deployed_names(session: Session, environment: str) -> tuple[str, ...]:
    """The projects of an environment that are deployed; none where stacks may not be listed."""
    try:
        return deployed_projects(describe_all(session), environment)
    except AWSError:
        return ()


def deployed_projects(stacks: Iterable[StackDescription], environment: str) -> tuple[str, ...]:
    """The names of the projects of an environment that have a stack among these, under its own name, sorted."""
    names = set()
    for stack in stacks:
        project = stack.tags.get("handoff:project", "")
        own = resource_names.stack_name(project, environment)
        own_stacks = (own, resource_names.registry_stack(own), resource_names.schedule_stack(own))
        if project and stack.tags.get("handoff:environment") == environment and stack.name in own_stacks:
            names.add(project)
    return tuple(sorted(names))


def target_by_name(
    paths: ProjectPaths, environment: str, environ: Mapping[str, str], session: Session, bucket: str
) -> Target:
    """The place of a local project by its names; nothing is called."""
    name = resource_names.stack_from_environment(environ) or resource_names.stack_name(paths.name, environment)
    flag = "" if environment == resource_names.DEFAULT_ENVIRONMENT else f" --environment {environment}"
    return Target(paths.name, environment, name, bucket, f"--project {paths.name}{flag}", session)


def deployed_bucket(stack: StackDescription | None, target: Target) -> str:
    """The bucket a project is deployed with; empty where it is not deployed, or the stack is another project's."""
    owner = resource_names.owner_tags(target.project, target.environment)
    return stack.bucket if stack and owner.items() <= stack.tags.items() else ""


def note_on_bucket(project: str, used: str, named: NamedBucket | None) -> str:
    """The note where a variable or the project file names another bucket than the one in use; else empty."""
    if named is None or named.name == used:
        return ""
    return f"project {project} is deployed with bucket {used}; {named.source} says {named.name}"
