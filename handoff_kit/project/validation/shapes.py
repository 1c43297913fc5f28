"""Rules for values: missing, or invalid for the declaration of their key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from pydantic_core import ErrorDetails

from handoff_kit.project.fields import Declaration
from handoff_kit.project.model import PROJECT_FILE
from handoff_kit.project.problem import describe_value, quote
from handoff_kit.project.validation.fault import Fault, label
from handoff_kit.project.yaml_reader import KeyPath, YamlFile
from handoff_kit.text import did_you_mean

_LONGEST_TEXT = 200
_SHAPE_ERRORS = frozenset(
    {"string_type", "int_type", "bool_type", "tuple_type", "list_type", "dict_type", "model_type", "literal_error"}
)


def missing_values(source: YamlFile) -> Iterator[Fault]:
    """Keys without a value."""
    for key_path, value in source.scalars():
        if value is None:
            message = f"{label(key_path)} has no value, expected {PROJECT_FILE.at(key_path).key.expected}"
            hint = 'write a value, or take the line out; for an empty text write two quotes: ""'
            if (comment := source.comment(key_path)) and re.match(r"\s+#\S", comment):
                hint = f"a # begins a comment in YAML, so put it into quotes: {key_path[-1]}: {quote(comment.strip())}"
            yield Fault(key_path, message, hint)


def type_errors(source: YamlFile, errors: Sequence[ErrorDetails]) -> Iterator[Fault]:
    """The models' errors of type and choice: a list for a text, an unknown word."""
    for error in errors:
        is_env_list = error["loc"][-1:] == ("envs",) and isinstance(error["input"], list)
        if error["type"] in _SHAPE_ERRORS and not is_env_list:
            yield _unexpected(_key_path(source, error), error["input"])


def malformed_texts(source: YamlFile) -> Iterator[Fault]:
    """Texts that do not match the pattern of their type."""
    for key_path, value in source.scalars():
        declared = PROJECT_FILE.at(key_path)
        declared = declared.items or declared
        if value is not None and not declared.accepts(value):
            yield _unexpected(key_path, value, declared)


def other_error(source: YamlFile, error: ErrorDetails) -> Fault:
    """An error of the models that no rule covers."""
    hint = "docs/reference/project-file.md lists the keys and their values"
    return Fault(_key_path(source, error), error["msg"].lower(), hint)


def invalid_characters(source: YamlFile) -> Iterator[Fault]:
    """Characters that no argument, variable or file can hold; YAML's escapes can write them."""
    for key_path in source.marks:
        for text, on_key in ((source.find(*key_path), False), (key_path[-1] if key_path else "", True)):
            if isinstance(text, str) and (found := re.search("[\0\ud800-\udfff]", text)):
                code = f"U+{ord(found.group()):04X}"
                message = f"{label(key_path)} holds the character {code}, which no program can be given"
                yield Fault(key_path, message, "take the escape out", on_key=on_key)


def unquoted_scalars(source: YamlFile) -> Iterator[Fault]:
    """An unquoted yes, true or 7 where a text is expected."""
    for key_path, value, declared in _texts(source):
        if (kind := source.marks[key_path].kind) != "text":
            message = f"{label(key_path)} is a {kind}, {value}; expected {declared.key.expected}"
            key = f"{key_path[-1]}: " if isinstance(key_path[-1], str) else ""
            hint = f'if it really is called so, put it into quotes: {key}"{value}"'
            if key_path[-1] == "shell":
                hint = 'write the line itself: shell: "grep foo | sort", in place of command'
            elif key_path[0] == "image" and not {"exclude", "include"} & set(key_path):
                hint = declared.hint
            yield Fault(key_path, message, hint)


def empty_texts(source: YamlFile) -> Iterator[Fault]:
    """Blank texts where a program, a line, a venv or a part of the image is expected."""
    for key_path, value, declared in _texts(source):
        if not value.strip() and key_path[0] != "venvs":  # stages.declared_venvs checks requirements
            yield Fault(key_path, f"{label(key_path)} is empty, expected {declared.key.expected}", declared.hint)


def _texts(source: YamlFile) -> Iterator[tuple[KeyPath, str, Declaration]]:
    for key_path, value in source.scalars():
        declared = PROJECT_FILE.at(key_path)
        if value is not None and declared.key.is_text:
            yield key_path, value, declared


def _key_path(source: YamlFile, error: ErrorDetails) -> KeyPath:
    """The key path of an error; steps in `loc` that name a type of pydantic's unions are left out."""
    key_path: KeyPath = ()
    for step in error["loc"]:
        if (*key_path, step) in source.marks:
            key_path = (*key_path, step)
    return key_path


def _unexpected(key_path: KeyPath, value: object, declared: Declaration | None = None) -> Fault:
    declared = declared or PROJECT_FILE.at(key_path)
    message = f"{label(key_path)} is {describe_value(value)}, expected {declared.key.expected}"
    hint = None
    if isinstance(value, str):
        hint = declared.key.suggest(value) if declared.key.suggest else None
        if not hint and (choice := did_you_mean(value, declared.choices)):
            hint = f"did you mean `{choice}`?"
    elif declared.key.expected == "a text":
        words = [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
        text = ", ".join(words) if words == value else json.dumps(value, ensure_ascii=False)
        hint = f"write it as one text: {key_path[-1]}: {quote(text, _LONGEST_TEXT)}"
    return Fault(key_path, message, hint or declared.hint)
