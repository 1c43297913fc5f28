"""Detect secrets, by name or by form, in the options of a run.

Task overrides can be read by anyone with ecs:DescribeTasks, and are kept by CloudTrail and the shell's history.
"""

from __future__ import annotations

from collections.abc import Iterable

from handoff_kit.paths import ProjectPaths
from handoff_kit.project import params_document
from handoff_runtime import masking, secret_rules, secret_values
from handoff_runtime.masking import Mask
from handoff_runtime.params import ConfigFile

SHORTEST_VALUE = 8  # a shorter value of .local is a part of many innocent texts


def config_mask(files: Iterable[ConfigFile]) -> Mask:
    return masking.build_mask(files, ())


def project_mask(paths: ProjectPaths) -> Mask:
    """The mask of the values in a project's config files, whatever its project file is like."""
    return config_mask(ConfigFile(file["name"], file["value"]) for file in params_document.config_files(paths))


def secret_by_name(name: str, value: str) -> str | None:
    """Why a variable is a secret, judged by its name; a short number, a path, or a word like true is none."""
    if not any(value == secret for secret in secret_values.in_environment([(name, value)])):
        return None
    return _by_part(name)


def secret_by_key(name: str, value: object) -> str | None:
    """Why a value of --data is a secret, judged by its name and the keys in it."""
    if not any(True for _ in secret_values.in_data({name: value})):
        return None
    return _by_part(name) or "a key or a value in it"


def _by_part(name: str) -> str | None:
    part = secret_rules.secret_part(name)
    return f"its name contains {part.upper()}" if part else None


def secret_by_value(value: str, config: Mask) -> str | None:
    """Why a text is a secret, judged by its form, or because a config file of the project contains it."""
    if any(form == value or (len(form) >= SHORTEST_VALUE and form in value) for form in config.forms):
        return "its value is in the project's .local"
    kinds = (kind for kind, _ in secret_rules.find_credentials(value))
    embedded = any(True for _ in secret_values.in_environment([("", value)]))
    kind = next(kinds, None) or ("a private key" if "-----BEGIN" in value else "a password" if embedded else None)
    return f"its value looks like {kind}" if kind else None
