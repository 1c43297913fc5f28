"""Names in AWS that follow from the project and its environment, where the environment variables do not say them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BUCKET_VARIABLES", "STACK_VARIABLE", "bucket", "given_bucket", "given_stack", "stack"]

STACK_VARIABLE = "STACK_NAME"
BUCKET_VARIABLES = ("S3_BUCKET_NAME", "S3_BUCKET")
_STACK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_STACK_TOLD = "letters, digits, _, . and -, beginning with a letter or digit, at most 128 characters"
_BUCKET_TOLD = "the name of a bucket: 3 to 63 lower-case letters, digits, . and -"


def stack(project: str, environment: str) -> str:
    """The stack of a project: every name and key of it in AWS begins so."""
    return f"handoff-{environment}-{project}"


def bucket(environment: str, account: str, region: str) -> str:
    """The bucket that the projects of an environment share; S3 knows lower case only."""
    return f"handoff-{environment}-{account}-{region}".lower()


def given_stack(environ: Mapping[str, str]) -> str | None:
    """The stack that STACK_NAME names, if any."""
    name = environ.get(STACK_VARIABLE, "")
    if name and not _STACK.fullmatch(name):
        raise ProjectError(f"{STACK_VARIABLE}: found {name!r}, expected {_STACK_TOLD}", f"unset {STACK_VARIABLE}")
    return name or None


def given_bucket(environ: Mapping[str, str]) -> str | None:
    """The bucket that S3_BUCKET_NAME names, else S3_BUCKET."""
    variable = next((each for each in BUCKET_VARIABLES if environ.get(each)), "")
    name = environ.get(variable, "")
    if name and not _BUCKET.fullmatch(name):
        message = f"{variable}: found {name!r}, expected {_BUCKET_TOLD}"
        raise ProjectError(message, f"for example: export {variable}={_legal(name)}")
    return name or None


def _legal(name: str) -> str:
    """The nearest name a bucket may have: without scheme and path, in lower case."""
    first = name.removeprefix("s3://").partition("/")[0].lower().replace("_", "-").strip("-.")
    return first if _BUCKET.fullmatch(first) else "my-bucket"
