"""The pipeline document, as read from the params: what runs, joined by pipes, and under which settings."""

from __future__ import annotations

import os.path
import sys
from collections.abc import Collection, Mapping, Sequence

from handoff_runtime.annotations import Any
from handoff_runtime.errors import PipelineError
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.retention import Keep

FORMAT = 1
METERS = ("rows", "bytes", "off")
STATES = ("all", "singer", "none")
OVERLAPS = ("fail", "skip", "wait")
RUNTIME_NAME = "handoff"  # what the log calls the runtime; alarms and `invoke run` believe what it says
BUILTINS = {"collector_stats": "collector_stats.py"}
RENDER_AGAIN = "render the project with the kit of this runtime's version: `invoke render`"


class Stage(NamedTuple):
    """One command of a pipeline.

    `argv` may hold placeholders; `venv` is a directory relative to the project; `label` is what a
    person calls the command (`collector_stats`, not the interpreter that runs it). Of a `shell` line `argv`
    ends in the line.
    """

    name: str
    argv: tuple[str, ...]
    label: str
    venv: str | None
    envs: Mapping[str, str]
    is_shell: bool = False


class Expect(NamedTuple):
    """What a project promises: seconds within which a run succeeds, and the rows that reach its last stage."""

    success_within: int | None = None
    rows_at_least: int | None = None


class Pipeline(NamedTuple):
    """Stages in order, and what they share; `keep` is None in a document of a kit that gave objects no tags."""

    project: str
    environment: str
    vars: Mapping[str, str]
    envs: Mapping[str, str]
    state: str
    meter: str
    stages: tuple[Stage, ...]
    overlap: str = "fail"
    keep: Keep | None = None
    expect: Expect = Expect()


def parse(document: object) -> Pipeline:
    """Read a pipeline document (format 1); PipelineError names the first part that is not as expected."""
    whole = _mapping(document, "pipeline")
    if whole.get("format") != FORMAT:
        raise PipelineError(f"pipeline: format {whole.get('format')!r} found, {FORMAT} expected", RENDER_AGAIN)
    found = whole.get("stages")
    if not isinstance(found, list) or not found:
        raise PipelineError(f"pipeline.stages: {_kind(found)} found, a list of at least one stage expected")
    stages = tuple(_stage(item, f"stages[{index}]", found[:index]) for index, item in enumerate(found))
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names):
        raise PipelineError(f"pipeline.stages: names {names} found, each only once expected")
    return Pipeline(
        project=_text(whole.get("project"), "project"),
        environment=_text(whole.get("environment", "dev"), "environment"),
        vars=_texts(whole.get("vars", {}), "vars"),
        envs=_envs(whole.get("envs", {}), "envs"),
        state=_choice(whole.get("state", "all"), STATES, "state"),
        meter=_choice(whole.get("meter", "rows"), METERS, "meter"),
        stages=stages,
        overlap=_choice(whole.get("overlap", "fail"), OVERLAPS, "overlap"),
        keep=None
        if whole.get("keep") is None
        else Keep(**_numbers(whole["keep"], "keep", Keep._fields, Keep._fields[:2])),
        expect=Expect(**_numbers(whole.get("expect") or {}, "expect", Expect._fields, Expect._fields)),
    )


def _stage(found: object, where: str, before: Sequence[Mapping[str, Any]]) -> Stage:
    whole = _mapping(found, where)
    argv, label = _command(whole, where, before)
    venv, name = whole.get("venv"), _text(whole.get("name"), f"{where}.name")
    if not is_stage_name(name):
        rule = f"a name in one line, without |, and other than {RUNTIME_NAME}"
        raise PipelineError(f"pipeline.{where}.name: {name!r} found, {rule} expected", RENDER_AGAIN)
    return Stage(
        name=name,
        argv=argv,
        label=label,
        venv=None if venv is None else _text(venv, f"{where}.venv"),
        envs=_envs(whole.get("envs", {}), f"{where}.envs"),
        is_shell=whole.get("shell") is not None,
    )


def _command(whole: Mapping[str, Any], where: str, before: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], str]:
    kinds = [kind for kind in ("argv", "shell", "builtin") if whole.get(kind) is not None]
    if len(kinds) != 1:
        raise PipelineError(f"pipeline.{where}: {kinds or 'nothing'} found, one of argv, shell, builtin expected")
    if kinds == ["shell"]:
        text = _text(whole["shell"], f"{where}.shell")
        return ("sh", "-c", text), text
    if kinds == ["builtin"]:
        name = _choice(whole["builtin"], tuple(BUILTINS), f"{where}.builtin")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), BUILTINS[name])
        number = sum(stage.get("builtin") == name for stage in before) + 1
        own = (f"-{number}",) if number > 1 else ()  # of the file it writes
        return (sys.executable, "-I", "-S", script, *own), name  # nothing of the project on its path, a quick start
    words = whole["argv"]
    if not isinstance(words, list) or not words:
        raise PipelineError(f"pipeline.{where}.argv: {_kind(words)} found, a list of words expected")
    argv = tuple(_word(word, f"{where}.argv") for word in words)
    return argv, argv[0]


def _mapping(found: object, where: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise PipelineError(f"pipeline.{where}: {_kind(found)} found, an object expected")
    return found


def _text(found: object, where: str) -> str:
    if not isinstance(found, str) or not found:
        raise PipelineError(f"pipeline.{where}: {_kind(found)} found, a text expected")
    return _word(found, where)


def _word(found: object, where: str) -> str:
    if not isinstance(found, str):
        raise PipelineError(f"pipeline.{where}: {_kind(found)} found, a text expected")
    if not can_be_argument(found):
        raise PipelineError(
            f"pipeline.{where}: a text with NUL or half a character found, an argument of a command expected"
        )
    return found


def can_be_argument(text: str) -> bool:
    """Whether a process can be given this text: no NUL, no half of a character (execve(2))."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def is_stage_name(name: str) -> bool:
    """Whether the log can show a stage by this name: in one line, and never as the runtime."""
    return name.isprintable() and "|" not in name and name.strip().casefold() not in ("", RUNTIME_NAME)


def stage_name(wish: str, taken: Collection[str] = ()) -> str:
    """A name close to `wish` that a stage may have and no other one has: `cat`, `cat-2`."""
    shown = "".join(each if each.isprintable() and each != "|" else "_" for each in wish).strip() or "stage"
    number, name = 1, shown
    while name in taken or not is_stage_name(name):
        number += 1
        name = f"{shown}-{number}"
    return name


def _texts(found: object, where: str) -> Mapping[str, str]:
    return {name: _word(value, f"{where}.{name}") for name, value in _mapping(found, where).items()}


def _envs(found: object, where: str) -> Mapping[str, str]:
    envs = _texts(found, where)
    for name in envs:
        if not name or "=" in name or not can_be_argument(name):
            raise PipelineError(f"pipeline.{where}: name {name!r} found, one without = and NUL expected")
    return envs


def _numbers(found: object, where: str, names: Sequence[str], optional: Collection[str]) -> dict[str, Any]:
    """The numbers of these names, at least 1; those that are `optional` may be None."""
    whole = _mapping(found, where)
    values: dict[str, Any] = {name: whole.get(name) for name in names}
    for name, value in values.items():
        if not (type(value) is int and value > 0) and (value is not None or name not in optional):
            raise PipelineError(f"pipeline.{where}.{name}: {_kind(value)} found, a number of at least 1 expected")
    return values


def _choice(found: object, known: tuple[str, ...], where: str) -> str:
    if found not in known:
        raise PipelineError(f"pipeline.{where}: {found!r} found, one of {', '.join(known)} expected")
    return str(found)


def _kind(found: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "nothing"}
    return names.get(type(found), "a number")  # not which: there is no mask yet
