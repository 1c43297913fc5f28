"""Values that are missing, or of another form than the declaration of their key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydantic_core import ErrorDetails

from handoff_kit.project.fields import Declaration
from handoff_kit.project.model import PROJECT_FILE
from handoff_kit.project.problem import describe_value
from handoff_kit.project.validation.fault import Fault, ProjectFileView, label
from handoff_kit.project.yaml_reader import KeyPath, YamlFile
from handoff_kit.text import did_you_mean

_SHAPE_ERRORS = frozenset(
    {"string_type", "int_type", "bool_type", "tuple_type", "list_type", "dict_type", "model_type", "literal_error"}
)


def missing_values(outline: ProjectFileView) -> Iterator[Fault]:
    """Keys without a value."""
    for trail, value in outline.scalars():
        if value is None:
            hint = 'write a value, or take the line out; for an empty text write two quotes: ""'
            yield Fault(trail, f"{label(trail)} has no value, expected {PROJECT_FILE.at(trail).key.expected}", hint)


def type_errors(outline: ProjectFileView, errors: Sequence[ErrorDetails]) -> Iterator[Fault]:
    """What the models complain of: a list for a text, a word that is none of the known ones."""
    for error in errors:
        is_env_list = error["loc"][-1] == "envs" and isinstance(error["input"], list)
        if error["type"] in _SHAPE_ERRORS and not is_env_list:
            yield _unexpected(_trail(outline.source, error), error["input"])


def malformed_texts(outline: ProjectFileView) -> Iterator[Fault]:
    """Texts that do not match the pattern of their type."""
    for trail, value in outline.scalars():
        declared = PROJECT_FILE.at(trail)
        declared = declared.items or declared
        if value is not None and not declared.accepts(value):
            yield _unexpected(trail, value, declared)


def other_error(source: YamlFile, error: ErrorDetails) -> Fault:
    """A complaint of the models that no rule knows."""
    return Fault(
        _trail(source, error), error["msg"].lower(), "docs/reference/project-file.md lists the keys and their values"
    )


def invalid_characters(outline: ProjectFileView) -> Iterator[Fault]:
    """Characters that no argument, variable or file can hold; YAML's escapes can write them."""
    for trail, value in outline.scalars():
        if found := re.search("[\0\ud800-\udfff]", value or ""):
            code = f"U+{ord(found.group()):04X}"
            message = f"{label(trail)} holds the character {code}, which no program can be given"
            yield Fault(trail, message, "take the escape out")


def unquoted_scalars(outline: ProjectFileView) -> Iterator[Fault]:
    """A bare yes, true or 7 where only a text makes sense."""
    for trail, value, declared in _texts(outline):
        if (kind := outline.source.kind(trail)) != "text":
            message = f"{label(trail)} is a {kind}, {value}; expected {declared.key.expected}"
            yield Fault(trail, message, _quoting(trail, value, declared))


def empty_texts(outline: ProjectFileView) -> Iterator[Fault]:
    """Blank texts where a program, a line, a venv or a part of the image is expected."""
    for trail, value, declared in _texts(outline):
        if not value.strip() and trail[0] != "venvs":  # stages.declared_venvs checks requirements
            yield Fault(trail, f"{label(trail)} is empty, expected {declared.key.expected}", declared.hint)


def _texts(outline: ProjectFileView) -> Iterator[tuple[KeyPath, str, Declaration]]:
    for trail, value in outline.scalars():
        declared = PROJECT_FILE.at(trail)
        if value is not None and declared.key.is_text:
            yield trail, value, declared


def _trail(source: YamlFile, error: ErrorDetails) -> KeyPath:
    """Where in the file; what a model says of the kind of an item is no key of it."""
    trail: KeyPath = ()
    for step in error["loc"]:
        if (*trail, step) in source.marks:
            trail = (*trail, step)
    return trail


def _unexpected(trail: KeyPath, found: object, declared: Declaration | None = None) -> Fault:
    declared = declared or PROJECT_FILE.at(trail)
    message = f"{label(trail)} is {describe_value(found)}, expected {declared.key.expected}"
    return Fault(trail, message, _suggestion(found, declared) or declared.hint)


def _suggestion(found: object, declared: Declaration) -> str | None:
    if not isinstance(found, str):
        return None
    if declared.key.suggest and (suggestion := declared.key.suggest(found)):
        return suggestion
    meant = did_you_mean(found, declared.choices)
    return f"did you mean `{meant}`?" if meant else None


def _quoting(trail: KeyPath, value: str, declared: Declaration) -> str:
    if trail[-1] == "shell":
        return 'write the line itself: shell: "grep foo | sort", in place of command'
    if trail[0] == "image" and not {"exclude", "include"} & set(trail):
        return declared.hint
    key = f"{trail[-1]}: " if isinstance(trail[-1], str) else ""
    return f'if it really is called so, put it into quotes: {key}"{value}"'
