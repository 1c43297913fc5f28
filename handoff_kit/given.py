"""What was given on the command line, as texts, made into values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handoff_kit.errors import ProjectError
from handoff_kit.names import nearest
from handoff_runtime import variables
from handoff_runtime.errors import UsageError
from handoff_runtime.pipeline import METERS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LOG_FORMATS", "METERS", "choice", "data"]

LOG_FORMATS = ("text", "json")


def data(text: str, pairs: Sequence[str]) -> dict[str, Any]:
    """The data of a run: a JSON object, and NAME=VALUE pairs that go before it."""
    try:
        return {**variables.parse_data(text, "--data"), **dict(_pair(pair) for pair in pairs)}
    except UsageError as error:
        raise ProjectError(error.message, error.hint) from None


def choice(flag: str, text: str, known: Sequence[str]) -> str | None:
    """One of the known words; None where none was given."""
    if not text:
        return None
    if text not in known:
        meant = nearest(text, known)
        hint = f"did you mean: {flag} {meant}" if meant else None
        raise ProjectError(f"{flag}: found {text!r}, expected one of {', '.join(known)}", hint)
    return text


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not variables.NAME.fullmatch(name):
        raise ProjectError(f"--var: found {text!r}, expected NAME=VALUE", "for example: --var base=JPY")
    return name, value
