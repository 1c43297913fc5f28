"""Rules for Fargate: task size, architecture, tags, and placeholders outside the data of runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from handoff_kit.project.deploy_settings import PLATFORMS
from handoff_kit.project.fargate_sizes import CPUS, MEMORIES, format_size, format_sizes, memories_of
from handoff_kit.project.model import PROJECT_FILE
from handoff_kit.project.problem import describe_value, shorten
from handoff_kit.project.suggestions import MEBIBYTES, amount, nearest_number
from handoff_kit.project.validation.fault import Fault, unfilled
from handoff_kit.project.yaml_reader import KeyPath, YamlFile

_LONGEST_KEY, _LONGEST_VALUE = 128, 256
_OWN_TAGS = 2  # handoff:project and handoff:environment
_MOST_TAGS = 50 - _OWN_TAGS
_RESERVED = ("aws:", "handoff:")
# What every service takes in a tag: letters and digits of any language, blanks, and these
_NO_TAG = re.compile(r"[^\w\s.:/=+@-]|[\t\r\n]")
_GB = 1024
_CPU, _MEMORY, _TAGS = ("deploy", "cpu"), ("deploy", "memory"), ("deploy", "tags")


def unfilled_placeholders(source: YamlFile) -> Iterator[Fault]:
    """Placeholders under `alerts`, `deploy` and `schedules`, except in `data`."""
    for key_path in source.marks:
        if key_path[:1] in {("alerts",), ("deploy",), ("schedules",)} and key_path[2:3] != ("data",):
            if isinstance(key_path[-1], str):
                yield from unfilled(key_path, key_path[-1], "before a run", on_key=True)
            if isinstance(value := source.find(*key_path), str):
                yield from unfilled(key_path, value, "before a run")


def contradicting_platforms(source: YamlFile) -> Iterator[Fault]:
    """An architecture that differs from the image's platform."""
    architecture, platform = source.find("deploy", "architecture"), source.find("image", "platform")
    expected = next((name for name, each in PLATFORMS.items() if each == platform), None)
    if expected and architecture in tuple(PLATFORMS) and architecture != expected:
        message = f"`architecture` is `{architecture}`, but the image is built for {platform}; expected `{expected}`"
        hint = f"write architecture: {expected}, or take `platform` out of image"
        yield Fault(("deploy", "architecture"), message, hint)


def impossible_sizes(source: YamlFile) -> Iterator[Fault]:
    """Memory that is invalid for the cpu."""
    deploy = source.mapping("deploy")
    memory = deploy.get("memory")
    if not isinstance(memory, str):
        return
    cpu = PROJECT_FILE.at(_CPU).parse(deploy.get("cpu", str(CPUS[0])))
    declared = PROJECT_FILE.at(_MEMORY)
    possible = memories_of(cpu) if isinstance(cpu, int) else MEMORIES
    if declared.parse(memory) not in possible:
        beside = f"what goes with cpu {cpu}" + ("" if "cpu" in deploy else ", the default")
        expected = f"{beside}: {format_sizes(possible)}" if isinstance(cpu, int) else declared.key.expected
        message = f"`memory` is {describe_value(memory)}, expected {expected}"
        yield Fault(_MEMORY, message, _suggested_memory(memory, possible) or declared.hint)


def _suggested_memory(text: str, possible: Sequence[int]) -> str | None:
    number, unit = amount(text) or (0, "none")
    if unit and unit not in MEBIBYTES:
        return None
    mebibytes = number * (MEBIBYTES[unit] if unit else _GB if number < _GB / 8 else 1)
    nearest = nearest_number(mebibytes, possible)
    if nearest == mebibytes:
        return f"did you mean `{format_size(nearest)}`?"
    cpu = next((units for units in CPUS if mebibytes in memories_of(units)), None)
    other = f"; or, for {format_size(int(mebibytes))}, cpu: {cpu}" if cpu else ""
    return f"the nearest is `{format_size(nearest)}`{other}"


def tag_names(source: YamlFile) -> Iterator[Fault]:
    """Names of tags that are reserved, too long, with invalid characters, or equal but for their case."""
    lower: dict[str, str] = {}
    for name in source.mapping(*_TAGS):
        key_path: KeyPath = (*_TAGS, name)
        if prefix := next((prefix for prefix in _RESERVED if name.lower().startswith(prefix)), None):
            owner = "AWS" if prefix == "aws:" else "handoff"
            message = f"the tag `{shorten(name)}` begins with {prefix}, which is {owner}'s own"
            yield Fault(key_path, message, f"for example: {shorten(name[len(prefix) :]) or 'team'}", on_key=True)
        elif not name.strip():
            yield Fault(key_path, "a tag without a name, expected a name", PROJECT_FILE.at(_TAGS).hint, on_key=True)
        elif problem := _tag_problem(name, f"the name of the tag `{shorten(name)}`", _LONGEST_KEY):
            yield Fault(key_path, *problem, on_key=True)
        elif (first := lower.setdefault(name.lower(), name)) != name:
            pair = f"`{shorten(name)}` and `{shorten(first)}`"
            message = f"the tags {pair} differ in their case only, which IAM does not see"
            yield Fault(key_path, message, "keep one of the two", on_key=True)


def tag_values(source: YamlFile) -> Iterator[Fault]:
    """Values of tags that are too long, or with invalid characters."""
    for name, value in source.mapping(*_TAGS).items():
        if isinstance(value, str) and (problem := _tag_problem(value, f"the tag `{shorten(name)}`", _LONGEST_VALUE)):
            yield Fault((*_TAGS, name), *problem)


def number_of_tags(source: YamlFile) -> Iterator[Fault]:
    """More tags than a resource can have."""
    if (number := len(source.mapping(*_TAGS))) > _MOST_TAGS:
        limit = f"AWS takes 50, and {_OWN_TAGS} are handoff's own"
        message = f"`tags` has {number} items, expected at most {_MOST_TAGS}: {limit}"
        yield Fault(_TAGS, message, "take some out", on_key=True)


def _tag_problem(text: str, what: str, longest: int) -> tuple[str, str] | None:
    if len(text) > longest:
        return f"{what} is {len(text)} characters long, expected at most {longest}", "shorten it"
    if found := _NO_TAG.search(text):
        expected = "expected letters, digits, blanks and . : / = + - @ _"
        return f"{what} holds {found.group()!r}, {expected}", f"for example: {shorten(_NO_TAG.sub('-', text))}"
    return None
