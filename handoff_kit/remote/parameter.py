"""Versions of the params document in Parameter Store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handoff_kit.errors import ProjectError
from handoff_kit.remote.errors import AWSError, told
from handoff_kit.remote.stack import Stack
from handoff_kit.resource_names import STACK_VARIABLE
from handoff_runtime import damage, sealed, store
from handoff_runtime.aws.clients import SSM
from handoff_runtime.store import Params

ABSENT = ("ParameterNotFound", "ParameterVersionNotFound")
UNREADABLE = ("AccessDeniedException",)


@dataclass(frozen=True)
class Stored:
    """A params document and its version."""

    version: int
    params: Params

    @property
    def document(self) -> dict[str, Any]:
        return dict(self.params.document)


@dataclass(frozen=True)
class Damaged:
    """A params document of handoff that cannot be read any more."""

    version: int


def get(stack: Stack, version: int | None = None) -> Stored:
    """The stored document; AWSError where there is none."""
    if found := find(stack, version):
        return found
    what = "no params found" if version is None else f"no version {version} found"
    hint = f"invoke params.push {stack.options}" if version is None else f"invoke params.history {stack.options}"
    message = f"parameter {stack.parameter}: {what} in region {stack.clients.region}"
    raise AWSError(message, hint if version else f"store them: {hint}")


def find(stack: Stack, version: int | None = None) -> Stored | None:
    """The stored document, or None; ProjectError for that of another project."""
    stored = _read(stack, ABSENT, version)
    if stored and stored.params.pipeline.project != stack.project:
        raise _of_another(stack, stored.params.pipeline.project)
    return stored


def replaceable(stack: Stack) -> Stored | Damaged | None:
    """The stored document, or Damaged for one that a push may replace although it cannot be read."""
    try:
        return find(stack)
    except AWSError:
        answer = stack.call(SSM, "get_parameter", Name=stack.parameter, WithDecryption=True)
        text = answer["Parameter"]["Value"]
        if text.startswith(tuple(f"{sealed.MARK}{form}:" for form in sealed.FORMATS)):
            return Damaged(answer["Parameter"]["Version"])
        raise


def check_whose(stack: Stack) -> None:
    """Refuse a stack whose params, if they may be read, are another project's."""
    stored = _read(stack, ABSENT + UNREADABLE, None)
    if stored and stored.params.pipeline.project != stack.project:
        raise _of_another(stack, stored.params.pipeline.project)


def _read(stack: Stack, absent: tuple[str, ...], version: int | None) -> Stored | None:
    name = stack.parameter if version is None else f"{stack.parameter}:{version}"
    answer = stack.call_unless(absent, SSM, "get_parameter", Name=name, WithDecryption=True)
    if answer is None:
        return None
    where = f"parameter {stack.parameter}"
    with told():
        content = sealed.unseal(answer["Parameter"]["Value"])
        document = damage.parse(content, damage.ANY).value
        if document is None or "pipeline" not in document:
            hint = f"see who stored it: aws ssm get-parameter-history --name {stack.parameter}"
            raise AWSError(f"{where}: found no params document", hint)
        if document.get("format") != store.FORMAT:
            message = f"{where}: found params of format {document.get('format')!r}, expected {store.FORMAT}"
            raise AWSError(message, "a later handoff has stored them: use that one, or push again with it")
        return Stored(answer["Parameter"]["Version"], store.parse(content, where))


def _of_another(stack: Stack, project: str) -> ProjectError:
    message = f"{STACK_VARIABLE}: {stack.name} is the stack of project {project!r}, expected that of {stack.project!r}"
    return ProjectError(message, f"unset {STACK_VARIABLE}, or name its project: --project {project}")
