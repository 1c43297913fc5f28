"""What was given on the command line, as texts, made into values."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from handoff_kit.errors import ProjectError
from handoff_kit.names import nearest
from handoff_runtime import variables
from handoff_runtime.errors import HandoffError
from handoff_runtime.pipeline import METERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["LOG_FORMATS", "METERS", "PLATFORMS", "checked", "choice", "data", "environment"]

LOG_FORMATS = ("text", "json")
PLATFORMS = ("linux/amd64", "linux/arm64")
DEFAULT_ENVIRONMENT = "dev"
LONGEST_ENVIRONMENT = 20
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


@contextmanager
def checked() -> Iterator[None]:
    """What the runtime would refuse, refused by us before it is started: the same words, our exit code."""
    try:
        yield
    except ProjectError:
        raise
    except HandoffError as error:
        raise ProjectError(error.message, error.hint) from None


def data(text: str, pairs: Sequence[str]) -> dict[str, Any]:
    """The data of a run: a JSON object, and NAME=VALUE pairs that go before it."""
    with checked():
        return {**variables.parse_data(text, "--data"), **dict(_pair(pair) for pair in pairs)}


def environment(text: str, environ: Mapping[str, str]) -> str:
    """The environment a project is rendered for: dev, prod, ...; it becomes a part of names in AWS."""
    flag, name = ("--environment", text) if text else ("HANDOFF_ENVIRONMENT", environ.get("HANDOFF_ENVIRONMENT", ""))
    name = name or DEFAULT_ENVIRONMENT
    if _ENVIRONMENT.fullmatch(name) and len(name) <= LONGEST_ENVIRONMENT:
        return name
    rule = f"letters, digits and -, beginning with a letter or digit, at most {LONGEST_ENVIRONMENT} characters"
    raise ProjectError(f"{flag}: found {name!r}, expected {rule}", "for example: --environment dev")


def choice(flag: str, text: str, known: Sequence[str], hint: str | None = None) -> str | None:
    """One of the known words; None where none was given."""
    if not text:
        return None
    if text not in known:
        meant = nearest(text, known)
        hint = f"did you mean: {flag} {meant}" if meant else hint or f"for example: {flag} {known[0]}"
        raise ProjectError(f"{flag}: found {text!r}, expected one of {', '.join(known)}", hint)
    return text


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not variables.NAME.fullmatch(name):
        raise ProjectError(f"--var: found {text!r}, expected NAME=VALUE", "for example: --var base=JPY")
    return name, value
