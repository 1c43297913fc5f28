"""The deployments of a project: one line in S3 for each that changed its task stack or its params."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_existing
from handoff_kit.aws.ecr import tag_deployed_image
from handoff_kit.aws.history import parse_lines
from handoff_kit.aws.session import deployed_bucket
from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.errors import translate_store_errors
from handoff_kit.text import timestamp
from handoff_runtime import s3_keys
from handoff_runtime.aws.history import append_line
from handoff_runtime.aws.session import SSM
from handoff_runtime.errors import HandoffError
from handoff_runtime.stored_json import Shape, is_count, is_text


@dataclass(frozen=True)
class Deployment:
    """What was deployed at a time (as `timestamp` writes it), and by whom; `source` and `base` are of the image."""

    deployed_at: str
    by: str
    image_digest: str
    source: str
    base: str
    params_version: int


_FIELDS = tuple(Deployment.__dataclass_fields__)
_CHECKS = {**dict.fromkeys(_FIELDS, is_text), "params_version": is_count}
_SHAPE = Shape(_CHECKS, frozenset(_FIELDS))


def read_deployments(target: Target, say: Say) -> list[Deployment]:
    """The recorded deployments, the oldest first; lines that cannot be read are noted and skipped."""
    key = s3_keys.deployments(target.name)
    with translate_store_errors():
        found = target.session.read(target.bucket, key)
    lines = parse_lines(found[0] if found else b"", target.url(key), say, _SHAPE)
    return [Deployment(**{name: line[name] for name in _FIELDS}) for line in lines]


def deployed_digest(stack: StackDescription | None) -> str:
    """The digest of the image of a task stack; empty where none is deployed."""
    return stack.outputs.get("Image", "").partition("@")[2] if stack else ""


def record_deployment(target: Target, before: StackDescription | None, say: Say) -> None:
    """Add a line if the task stack or the params changed, and tag the image as deployed; `before` is the earlier stack.

    What an interrupted deployment changed is recorded by the one that continues it. What fails is a note, since the
    deployment is done.
    """
    with _failure_as_note(say):
        now = describe_existing(target.session, target.name)
        if now and _append_line(target, before, now, say):
            repository = resource_names.repository(target.name)
            tag_deployed_image(target, repository, deployed_digest(now), datetime.now(timezone.utc))


def record_push(target: Target, say: Say) -> None:
    """Add a line if a project is deployed, after its params alone were stored."""
    with _failure_as_note(say):
        if now := describe_existing(target.session, target.name):
            _append_line(target, now, now, say)


@contextmanager
def _failure_as_note(say: Say) -> Iterator[None]:
    try:
        with translate_store_errors():
            yield
    except HandoffError as error:
        say(f"note: not recorded for `invoke rollback`, though it is deployed: {error.message}")


def _append_line(target: Target, before: StackDescription | None, now: StackDescription, say: Say) -> bool:
    """Whether a line was added: the stack changed, or the last line differs."""
    bucket, outputs = deployed_bucket(now, target), now.outputs
    if not bucket or not deployed_digest(now):
        return False
    parameter = target.call(SSM, "get_parameter", allow=("ParameterNotFound",), Name=target.parameter)
    version = parameter["Parameter"]["Version"] if parameter else 0
    moment, by = timestamp(datetime.now(timezone.utc)), target.session.caller()
    image = (deployed_digest(now), outputs.get("Source", ""), outputs.get("Base", ""))
    deployment = Deployment(moment, by, *image, version)
    is_changed = before is None or _facts(before) != _facts(now)
    for last in () if is_changed else read_deployments(replace(target, bucket=bucket), say)[-1:]:
        if replace(last, deployed_at=moment, by=by) == deployment:
            return False
    line = json.dumps(asdict(deployment), separators=(",", ":")).encode() + b"\n"
    append_line(target.session, bucket, s3_keys.deployments(target.name), line)
    return True


def _facts(stack: StackDescription) -> object:
    return stack.id, stack.change_set, stack.outputs
