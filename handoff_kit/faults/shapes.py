"""Values that are missing, or of another shape than the one expected there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.faults import deploy, image, keep, network, policies, schedules, sizes, tags
from handoff_kit.faults.fault import Fault, inside, is_stage, label, short, told
from handoff_kit.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

    from handoff_kit.faults.outline import Outline
    from handoff_kit.source import Source, Trail

_IMAGE_TEXTS = ("base", "packages", "build_packages", "steps", "services", "exclude", "include")
_ANY_TEXT = ("a text", "put it into quotes")
_STATE = ("all, singer or none", "state: all keeps the last stage's whole output, singer its last state, none nothing")
_METER = ("rows, bytes or off", "leave it out to count rows")
_OVERLAP = ("fail, skip or wait", "leave it out to fail")
_SHAPES: dict[str, tuple[tuple[str, str], ...]] = {
    "commands": (
        (
            "a list of stages",
            'begin every stage with a dash: - command: cat; a line for the shell is - shell: "..."',
        ),
        ("a stage, a mapping", "write it like this: - command: cat"),
    ),
    "description": (_ANY_TEXT,),
    "vars": (("a mapping of names and texts", "write it like this: vars: {base: JPY}"), _ANY_TEXT),
    "envs": (
        ("a mapping of names and texts", "write it like this: envs: {TZ: UTC}"),
        ("a text", "write it like this: envs: {TZ: UTC}, or as a list: - {key: TZ, value: UTC}"),
        _ANY_TEXT,
    ),
    "venvs": (
        ("a mapping of names and requirements", "write it like this: venvs: {tap: [tap-jsonl]}"),
        ("a list of requirements", "write it like this: venvs: {tap: [tap-jsonl]}"),
        ("a requirement", "write it like this: tap: [tap-jsonl, requests>=2]"),
    ),
    "state": (_STATE,),
    "meter": (_METER,),
    "overlap": (_OVERLAP,),
    "command": (("the program to run", "write it like this: - command: cat"),),
    "shell": (("a line for the shell", 'write it like this: - shell: "grep foo | sort"'),),
    "args": (
        ("a text or a list of words", 'write it like this: args: "--config tap.json"'),
        ("one word", "put it into quotes"),
    ),
    "venv": (("a name declared under venvs, or a path", "write it like this: venv: tap"),),
    "installs": (
        ("a list of pip install lines", 'write it like this: installs: ["pip install tap-jsonl"]'),
        ("a pip install line", 'write it like this: installs: ["pip install tap-jsonl"]'),
    ),
    "image": (("a mapping", "write it like this: image: {base: python:3.12-slim, packages: [jq]}"),),
    "base": (("an image", "write it like this: base: python:3.12-slim"),),
    "packages": (
        ("a list of Debian packages", "write it like this: packages: [jq, git]"),
        ("a Debian package", "write it like this: packages: [jq, git]"),
    ),
    "build_packages": (
        ("a list of Debian packages", "write it like this: build_packages: [gcc, git]"),
        ("a Debian package", "write it like this: build_packages: [gcc, git]"),
    ),
    "steps": (
        ("a list of lines for the shell", 'write it like this: steps: ["mkdir /opt/data"]'),
        ("a line for the shell", 'write it in quotes: steps: ["mkdir /opt/data"]'),
    ),
    "platform": (("linux/amd64 or linux/arm64", "leave it out to build for the machine that builds"),),
    "store": (("aws or none", "aws takes boto3 along; none is for images that never run on AWS"),),
    "services": (
        ("a list of AWS services", "write it like this: services: [dynamodb]"),
        ("an AWS service as boto3 names it", "write it like this: services: [dynamodb]"),
    ),
    "exclude": (
        ("a list of patterns", 'write it like this: exclude: [notebooks, "data/*.parquet"]'),
        ("a pattern", 'write it like this: exclude: [notebooks, "data/*.parquet"]'),
    ),
    "include": (
        ("a list of patterns", "write it like this: include: [certificates/client.pem]"),
        ("a pattern", "write it like this: include: [certificates/client.pem]"),
    ),
    **keep.SHAPES,
    **deploy.SHAPES,
    **sizes.SHAPES,
    **tags.SHAPES,
    **policies.SHAPES,
    **network.SHAPES,
    **schedules.SHAPES,
}
_REWRITTEN = tuple(part.rewritten for part in (image, keep, deploy, sizes, policies, network, schedules))
_SHAPE_ERRORS = frozenset(
    {"string_type", "int_type", "bool_type", "tuple_type", "list_type", "dict_type", "model_type", "literal_error"}
)


def missing(outline: Outline) -> Iterator[Fault]:
    """Keys without a value."""
    for trail, value in outline.scalars():
        if value is None:
            hint = 'write a value, or take the line out; for an empty text write two quotes: ""'
            yield Fault(trail, f"{label(trail)} has no value, expected {_expected(trail)[0]}", hint)


def wrong(outline: Outline, errors: Sequence[ErrorDetails]) -> Iterator[Fault]:
    """What the models complain of: a list for a text, a word that is none of the known ones."""
    for error in errors:
        if error["type"] in _SHAPE_ERRORS and not _is_env_list(error):
            trail = _trail(outline.source, error)
            message = f"{label(trail)} is {told(error['input'])}, expected {_expected(trail)[0]}"
            yield Fault(trail, message, _shape_hint(trail, error))


def untold(source: Source, error: ErrorDetails) -> Fault:
    """A complaint of the models that no rule knows."""
    return Fault(
        _trail(source, error), error["msg"].lower(), "docs/reference/project-file.md tells what may stand here"
    )


def unusable(outline: Outline) -> Iterator[Fault]:
    """Characters that no argument, variable or file can hold; YAML's escapes can write them."""
    for trail, value in outline.scalars():
        if found := re.search("[\0\ud800-\udfff]", value or ""):
            code = f"U+{ord(found.group()):04X}"
            message = f"{label(trail)} holds the character {code}, which no program can be given"
            yield Fault(trail, message, "take the escape out")


def unquoted(outline: Outline) -> Iterator[Fault]:
    """A bare yes, true or 7 where only a text makes sense."""
    for trail, value in (*_programs(outline), *outline.requirements()):
        if (kind := outline.source.kind(trail)) != "text":
            message = f"{label(trail)} is a {kind}, {value}; expected {_expected(trail)[0]}"
            yield Fault(trail, message, _quoting(trail, value))


def empty(outline: Outline) -> Iterator[Fault]:
    """Blank texts where a program, a line, a venv or a part of the image is expected."""
    for trail, value in _programs(outline):
        if not value.strip():
            expected, hint = _expected(trail)
            yield Fault(trail, f"{label(trail)} is empty, expected {expected}", hint)


def _programs(outline: Outline) -> Iterator[tuple[Trail, str]]:
    yield from outline.texts("command", "shell", "venv")
    yield from outline.image_texts(*_IMAGE_TEXTS)
    yield from outline.deploy_texts("cluster", "bucket")
    yield from outline.schedule_texts("name")


def _expected(trail: Trail) -> tuple[str, str]:
    """What may stand at a trail, in plain words, and a hint that shows it."""
    inner = inside(trail)
    known = _SHAPES.get(str(inner[0]), ()) if inner else ()
    return known[min(len(inner), len(known)) - 1] if known else _ANY_TEXT


def _trail(source: Source, error: ErrorDetails) -> Trail:
    """Where in the file; what a model says of the kind of an item is no key of it."""
    trail: Trail = ()
    for step in error["loc"]:
        if (*trail, step) in source.marks:
            trail = (*trail, step)
    return trail


def _is_env_list(error: ErrorDetails) -> bool:
    return error["loc"][-1] == "envs" and isinstance(error["input"], list)


def _shape_hint(trail: Trail, error: ErrorDetails) -> str:
    found, (expected, hint) = error["input"], _expected(trail)
    if isinstance(found, str) and (right := _rewritten(trail, found)):
        return right
    literals = expected.replace(",", "").split() if error["type"] == "literal_error" else []
    if isinstance(found, str) and (meant := nearest(found, literals)):
        return f"did you mean `{meant}`?"
    if isinstance(found, str) and is_stage(trail):
        return f"write it like this: - command: {short(found)}"
    return hint


def _rewritten(trail: Trail, found: str) -> str | None:
    """How a text would be right, if any part of the file knows."""
    return next(filter(None, (rewritten(trail, found) for rewritten in _REWRITTEN)), None)


def _quoting(trail: Trail, value: str) -> str:
    if trail[-1] == "shell":
        return 'write the line itself: shell: "grep foo | sort", in place of command'
    if trail[0] == "image" and not {"exclude", "include"} & set(trail):
        return _expected(trail)[1]
    key = f"{trail[-1]}: " if isinstance(trail[-1], str) else ""
    return f'if it really is called so, put it into quotes: {key}"{value}"'
