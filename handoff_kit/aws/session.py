"""The session of a command, and the place of a project in AWS by options, variables and the project file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_existing
from handoff_kit.aws.params import check_params_owner
from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.errors import translate_store_errors
from handoff_kit.paths import ProjectPaths
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


# the ways to the place of a project; a later one reads it from the outputs of the deployed stack


def target_from_project(
    paths: ProjectPaths,
    environment: str,
    environ: Mapping[str, str],
    say: Say,
    *,
    bucket: bool = True,
    own: str | None = None,
) -> Target:
    """The place of a local project in AWS; a STACK_NAME that belongs to another project is refused.

    The bucket is the one the project is deployed with. Before it is deployed S3_BUCKET_NAME decides, then `own`, the
    bucket that the project file names. Without `bucket` nothing is called.
    """
    named = resource_names.named_bucket(environ, own, paths.display_path)
    session = open_session(environ, say)
    target = target_by_name(paths, environment, environ, session, "")
    if not bucket:
        return target
    used = deployed_bucket(describe_existing(session, target.name), target)
    if used and (note := note_on_bucket(target.project, used, named)):
        say(f"note: {note}; {used} is used")
    name = used or (named.name if named else resource_names.bucket(environment, account_of(session), session.region))
    target = replace(target, bucket=name)
    if resource_names.stack_from_environment(environ):
        check_params_owner(target)
    return target


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
