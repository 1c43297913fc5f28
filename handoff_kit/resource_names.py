"""Names of the resources in AWS, by project and environment, and the environment variables that replace them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from handoff_kit.errors import ProjectError
from handoff_runtime.aws.partition import partition_of

DEFAULT_ENVIRONMENT = "dev"
CONTAINER = "handoff"
"""The name of the container of a task, also in its log stream and in overrides."""
BUCKET_MARK = "handoff:stack"
"""The tag of a shared bucket that names the stack that created it; it is retained with the bucket."""
TEMPLATES = ".templates"
"""The prefix of templates in a bucket that are too long for a request."""

STACK_VARIABLE = "STACK_NAME"
BUCKET_VARIABLES = ("S3_BUCKET_NAME", "S3_BUCKET")
OWNER_VARIABLE = "S3_BUCKET_OWNER"
_STACK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ACCOUNT = re.compile(r"[0-9]{12}")
_STACK_EXPECTED = "letters, digits, _, . and -, beginning with a letter or digit, at most 128 characters"
_BUCKET_EXPECTED = "the name of a bucket: 3 to 63 lower-case letters, digits, . and -"


@dataclass(frozen=True)
class NamedBucket:
    """A bucket that a variable or a project file names; `source` is for messages."""

    name: str
    source: str


def owner_tags(project: str, environment: str) -> dict[str, str]:
    """The tags that mark a stack as that of a project and environment."""
    return {"handoff:project": project, "handoff:environment": environment}


def stack_name(project: str, environment: str) -> str:
    """The task stack of a project, the prefix of all its names and keys. CloudFormation allows no underscore."""
    return f"{shared_stack(environment)}-{project.replace('_', '-')}"


def shared_stack(environment: str) -> str:
    """The stack that the projects of an environment share."""
    return f"handoff-{environment}"


cluster = topic = shared_stack
"""The ECS cluster of an environment, and the SNS topic of its alarms."""


def registry_stack(stack: str) -> str:
    """The stack of a project's image repository."""
    return f"{stack}-registry"


def schedule_stack(stack: str) -> str:
    """The stack of a project's schedules."""
    return f"{stack}-schedule"


def repository(stack: str) -> str:
    """A project's image repository; ECR allows lower case and single separators."""
    return re.sub(r"[._-]+", "-", stack.lower()).strip("-")


def repository_uri(repository: str, account: str, region: str) -> str:
    """The URI of a repository for docker."""
    return f"{account}.dkr.ecr.{region}.{partition_of(region).domain}/{repository}"


def family(stack: str) -> str:
    """The family of a project's task definitions; without a revision it means the newest active one."""
    return stack


schedule_group = family
"""The group of a project's schedules in EventBridge Scheduler."""


def state_machine(stack: str) -> str:
    """The state machine that every run goes through. A schedule stack of handoff 0.1 has one named like the stack."""
    return f"{stack}-run"


def alert_machine(stack: str) -> str:
    """The state machine that notifies people."""
    return f"{stack}-alert"


def expect_machine(stack: str) -> str:
    """The state machine that notices that no run has succeeded in time."""
    return f"{stack}-expect"


def alert_topic(stack: str) -> str:
    """The SNS topic of the mail addresses in `alerts`."""
    return f"{stack}-alerts"


alert_connection = alert_topic
"""The EventBridge connection of the webhooks in `alerts`."""


def alert_webhook(stack: str, digest: str) -> str:
    """The EventBridge API destination of a webhook in `alerts`, by eight digits of its digest."""
    return f"{stack}-{digest}"


def log_group(stack: str) -> str:
    """The log group of a project's tasks."""
    return f"/handoff/{stack}"


def log_prefix() -> str:
    """The prefix of log streams: PREFIX/CONTAINER/TASK-ID, as the awslogs driver names them."""
    return "run"


def state_machine_arn(stack: str) -> str:
    """The ARN of the state machine, as a text for Fn::Sub."""
    place = "${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
    return f"arn:{place}:stateMachine:{state_machine(stack)}"


def role_path(stack: str) -> str:
    """The IAM path of a project's roles, to allow passing them and no others."""
    return f"/handoff/{stack}/"


def dead_letters(stack: str) -> str:
    """The dead-letter queue of a project's schedules."""
    return f"{stack}-missed"


def missed_alarm(stack: str) -> str:
    """The alarm on events that went to the dead-letter queue."""
    return f"{schedule_stack(stack)}-missed"


def lost_alarm(stack: str) -> str:
    """The alarm on events that could not even go there."""
    return f"{schedule_stack(stack)}-lost"


def bucket(environment: str, account: str, region: str) -> str:
    """The bucket that the projects of an environment share; S3 allows lower case only."""
    return f"handoff-{environment}-{account}-{region}".lower()


def stack_from_environment(environ: Mapping[str, str]) -> str | None:
    """The stack that STACK_NAME names, if any."""
    return _read_variable(environ, STACK_VARIABLE, _STACK, _STACK_EXPECTED, f"unset {STACK_VARIABLE}")


def bucket_from_environment(environ: Mapping[str, str]) -> NamedBucket | None:
    """The bucket that S3_BUCKET_NAME names, else S3_BUCKET."""
    variable = next((each for each in BUCKET_VARIABLES if environ.get(each)), "")
    found = environ.get(variable, "")
    corrected = found.removeprefix("s3://").partition("/")[0].lower().replace("_", "-").strip("-.")
    example = corrected if _BUCKET.fullmatch(corrected) else "my-bucket"
    name = _read_variable(environ, variable, _BUCKET, _BUCKET_EXPECTED, f"for example: export {variable}={example}")
    return NamedBucket(name, variable) if name else None


def named_bucket(environ: Mapping[str, str], project_bucket: str | None, file: str) -> NamedBucket | None:
    """The bucket named by a variable, else by `deploy.bucket` of the project file."""
    return bucket_from_environment(environ) or (
        NamedBucket(project_bucket, f"deploy.bucket in {file}") if project_bucket else None
    )


def bucket_owner_from_environment(environ: Mapping[str, str]) -> str | None:
    """The account that S3_BUCKET_OWNER names as the owner of the bucket, if any."""
    hint = f"unset {OWNER_VARIABLE}, for a bucket of your own account"
    return _read_variable(environ, OWNER_VARIABLE, _ACCOUNT, "an account, twelve digits", hint)


def _read_variable(
    environ: Mapping[str, str], variable: str, pattern: re.Pattern[str], expected: str, hint: str
) -> str | None:
    value = environ.get(variable, "")
    if value and not pattern.fullmatch(value):
        raise ProjectError(f"{variable}: found {value!r}, expected {expected}", hint)
    return value or None
