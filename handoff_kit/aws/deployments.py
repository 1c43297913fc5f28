"""The deployments of a project: one line in S3 for each that changed its task stack or its params."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True)
class DeployedState:
    """A deployed task stack, and the version of the params (0: none is stored)."""

    stack: StackDescription | None
    params_version: int


def deployed_digest(stack: StackDescription | None) -> str:
    """The digest of the image of a task stack; empty where none is deployed."""
    return stack.outputs.get("Image", "").partition("@")[2] if stack else ""


def record_deployment(target: Target, before: DeployedState | None, say: Say) -> None:
    """Add a line if the task stack or the params changed; an image that was not deployed before is tagged as deployed.

    `before` is None after a push of the params alone. What fails is a note, since the deployment is done. Nothing is
    recorded of a project without a task stack.
    """
    try:
        stack, moment = describe_existing(target.session, target.name), datetime.now(timezone.utc)
        if stack is None or not (bucket := deployed_bucket(stack, target)) or not (digest := deployed_digest(stack)):
            return
        parameter = target.call(SSM, "get_parameter", allow=("ParameterNotFound",), Name=target.parameter)
        version = parameter["Parameter"]["Version"] if parameter else 0
        if before and not _has_changed(before, DeployedState(stack, version)):
            return
        with translate_store_errors():
            by, outputs = target.session.caller(), stack.outputs
            facts = (timestamp(moment), by, digest, outputs.get("Source", ""), outputs.get("Base", ""), version)
            line = json.dumps(asdict(Deployment(*facts)), separators=(",", ":")).encode() + b"\n"
            append_line(target.session, bucket, s3_keys.deployments(target.name), line)
        if before and digest != deployed_digest(before.stack):
            tag_deployed_image(target, resource_names.repository(target.name), digest, moment)
    except HandoffError as error:
        say(f"note: not recorded for `invoke rollback`, though it is deployed: {error.message}")


def _has_changed(before: DeployedState, now: DeployedState) -> bool:
    def facts(state: DeployedState) -> object:
        return state.stack and (state.stack.id, state.stack.change_set, state.stack.outputs), state.params_version

    return facts(before) != facts(now)
