"""The params document in Parameter Store: one SecureString, read by one call."""

from __future__ import annotations

import json

from handoff_runtime import s3_keys
from handoff_runtime.aws.session import SSM, Session
from handoff_runtime.errors import PipelineError
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.params import FORMAT, OTHER_KIT, Params, decode_params, parse_params


class LoadedParams(NamedTuple):
    """The params, the version Parameter Store gives them, and the SHA-256 of the text as it is stored."""

    params: Params
    version: int
    sha256: str


def load(session: Session, stack: str, version: int | None = None) -> LoadedParams:
    """Read the params of a stack, the newest unless a version is given; references in them are not resolved."""
    name = s3_keys.parameter(stack)
    versioned = name if version is None else f"{name}:{version}"
    found = session.call(SSM, "get_parameter", Name=versioned, WithDecryption=True)["Parameter"]
    content = decode_params(found["Value"])
    where = f"parameter {name}, version {found['Version']}"
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None  # `store` refuses it
    stored = document.get("format") if isinstance(document, dict) else None
    if stored != FORMAT and isinstance(stored, int):
        raise PipelineError(f"{where}: format {stored} found, {FORMAT} expected", OTHER_KIT)
    return LoadedParams(parse_params(content, where), found["Version"], sha256(found["Value"]))


def sha256(text: str) -> str:
    """The hash of a stored text, as hex digits."""
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()
