"""Virtual environments: what is declared, what a stage names, and what is installed where."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from handoff_kit.faults.fault import Fault, short
from handoff_kit.faults.outline import items
from handoff_kit.faults.requirements import bad_install, bad_requirement
from handoff_kit.forms import as_directory, is_venv_name, venv_name
from handoff_kit.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.faults.outline import Outline
    from handoff_kit.source import Data, Trail

_TAKEN = (".env", ".local", ".artifacts", "files")


def declared(outline: Outline) -> Iterator[Fault]:
    """Names and requirements under `venvs`."""
    for name, wanted in outline.venvs().items():
        if not is_venv_name(name):
            message = f"`{short(name)}` is not a venv's name, expected letters, digits, _, . and -"
            yield Fault(("venvs", name), message, "for example: venvs: {tap: [tap-jsonl]}", on_key=True)
        if wanted == []:
            hint = "name at least one requirement, or take this venv out"
            yield Fault(("venvs", name), f"`{name}` is an empty list, expected requirements", hint)
    for trail, word in outline.requirements():
        yield from bad_requirement(trail, word)


def named(outline: Outline) -> Iterator[Fault]:
    """What a stage names as its venv: a declared one, or a path where one may lie."""
    known = tuple(outline.venvs())
    for trail, value in outline.texts("venv"):
        if "/" in value:
            yield from _bad_path(trail, value)
        elif value not in known:
            yield _undeclared(trail, value, known)


def installs(outline: Outline) -> Iterator[Fault]:
    """What a stage installs, and that nothing else says what goes there."""
    filled = {f"venv/{name}": name for name in outline.venvs()}
    for trail, stage in outline.stages():
        if lines := stage.get("installs"):
            place = (*trail, "installs")
            yield from _homeless(place, stage, filled)
            for number, line in enumerate(items(lines)):
                if isinstance(line, str):
                    yield from bad_install((*place, number), line)


def clashes(outline: Outline) -> Iterator[Fault]:
    """Two directories whose venvs would have one name, and so one lock."""
    first = {name: f"venv/{name}" for name in outline.venvs()}
    for trail, stage in outline.stages():
        directory = as_directory(stage.get("venv"))
        if isinstance(directory, str) and stage.get("installs"):
            name = venv_name(directory)
            if first.setdefault(name, directory) != directory:
                message = f"{directory} and {first[name]} would both be the venv `{name}`, expected different names"
                yield Fault((*trail, "venv"), message, f"for example: venv: {_other(directory)}")


def _other(directory: str) -> str:
    return f"{directory if '/' in directory else f'./{directory}'}_2"


def _bad_path(trail: Trail, value: str) -> Iterator[Fault]:
    path = PurePosixPath(value)
    found, example = f"`venv` is {short(value)}, expected", f"for example: venv: ./venv/{venv_name(value) or 'tap'}"
    if path.is_absolute() or ".." in path.parts or value.startswith("~") or not path.parts:
        yield Fault(trail, f"{found} a path inside the project", example)
    elif path.parts[0] in _TAKEN:
        yield Fault(trail, f"{found} a path outside of {', '.join(_TAKEN[:-1])} and {_TAKEN[-1]}", example)
    elif not venv_name(value):
        yield Fault(trail, f"{found} a path that ends in a name", example)
    elif not all(re.fullmatch(r"[A-Za-z0-9_.-]+", part) for part in path.parts):
        yield Fault(trail, f"{found} a path of letters, digits, _, . and -", "for example: venv: ./venv/tap")


def _undeclared(trail: Trail, value: str, known: tuple[str, ...]) -> Fault:
    one = f"one of {', '.join(known)}," if known else "a name from venvs"
    message = f"the venv `{short(value)}` is not declared, expected {one} or a path"
    if meant := nearest(value, known):
        return Fault(trail, message, f"did you mean `{meant}`?")
    name = value if is_venv_name(value) else "tap"
    hint = f"declare it at the left margin: venvs: {{{name}: [PACKAGE]}}; or name your own: ./venv/{name}"
    return Fault(trail, message, hint)


def _homeless(place: Trail, stage: dict[str, Data], filled: dict[str, str]) -> Iterator[Fault]:
    directory = as_directory(stage.get("venv"))
    if "venv" not in stage:
        hint = "name the venv on this stage too: venv: ./venv/proc_01"
        yield Fault(place, "`installs` stands without `venv`, expected the venv to install into", hint, on_key=True)
    elif isinstance(directory, str) and directory in filled:
        message = f"`installs` and `venvs` both say what goes into {directory}, expected one of them"
        yield Fault(place, message, f"move the packages to venvs: {filled[directory]}: [...]", on_key=True)
