"""What looks like a secret, by its name or by its form, in what a task is started with.

Task overrides can be read by anyone with ecs:DescribeTasks, and are kept by CloudTrail and the shell's history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_runtime import mask, secret_rules, secret_values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handoff_runtime.mask import Mask
    from handoff_runtime.store import ConfigFile

__all__ = ["by_key", "by_name", "by_value", "known"]

TELLING = 8  # a shorter value of .local is found in many an innocent text


def known(files: Iterable[ConfigFile]) -> Mask:
    """The values that the project's own config holds."""
    return mask.mask(files, ())


def by_name(name: str, value: str) -> str | None:
    """Why it is a secret, where its name says so; a short number, a path, or a word like true is none."""
    if not any(value == secret for secret in secret_values.in_environment([(name, value)])):
        return None
    return _by_part(name)


def by_key(name: str, value: object) -> str | None:
    """Why a value of data is a secret, where its name, or a key below it, says so."""
    if not any(True for _ in secret_values.in_data({name: value})):
        return None
    return _by_part(name) or "a key or a value in it"


def _by_part(name: str) -> str | None:
    part = secret_rules.secret_part(name)
    return f"its name contains {part.upper()}" if part else None


def by_value(value: str, config: Mask) -> str | None:
    """Why it is a secret, where its form says so, or where the project's config holds it."""
    if any(form == value or (len(form) >= TELLING and form in value) for form in config.forms):
        return "its value is in the project's .local"
    kinds = (kind for kind, _ in secret_rules.credentials(value))
    embedded = any(True for _ in secret_values.in_environment([("", value)]))
    kind = next(kinds, None) or ("a private key" if "-----BEGIN" in value else "a password" if embedded else None)
    return f"its value looks like {kind}" if kind else None
