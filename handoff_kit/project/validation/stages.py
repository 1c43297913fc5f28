"""Stages and their venvs: commands, words, names of variables, requirements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from handoff_kit.project.fields import EnvItem, as_directory, requirements_of, venv_name_of
from handoff_kit.project.model import PROJECT_FILE
from handoff_kit.project.patterns import COLLECTOR_STATS, VENV_NAME, is_name, matches
from handoff_kit.project.problem import describe_value, shorten
from handoff_kit.project.problem import quote as quoted
from handoff_kit.project.shell_words import JSON, split_words
from handoff_kit.project.validation.fault import Fault, ProjectFileView, items, label, mapping
from handoff_kit.project.validation.keys import is_misspelt
from handoff_kit.project.yaml_reader import Data, KeyPath
from handoff_kit.text import did_you_mean
from handoff_runtime.placeholders import PLACEHOLDER

_SMALLEST = 'write it like this: commands: [{command: echo, args: "hello"}]'


_AS_SHELL = "shell: in place of command and args"
_AN_ENV = "an environment variable's name"
_AS_ITEM = "write it like this: - {key: TZ, value: UTC}"
_NO_VENVS = (".env", ".local", ".artifacts", "files")
_PLAIN = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[a-z0-9,_-]+\])?(?:(?:==|>=|<=|~=|!=|<|>)[0-9]+(?:\.[0-9]+)*(?:,|$))*"
)


def incomplete_stages(outline: ProjectFileView) -> Iterator[Fault]:
    """Stages without anything to run, with two things to run, or with args for what takes none."""
    for trail, stage in outline.stages():
        if "command" in stage and "shell" in stage:
            hint = "keep shell for a line with pipes or redirections, command for one program"
            yield Fault((*trail, "shell"), "found both `command` and `shell`, expected one of them", hint, on_key=True)
        elif "shell" in stage and "args" in stage:
            message = "found `args` beside `shell`, which takes none"
            yield Fault((*trail, "args"), message, "write them into the shell line", on_key=True)
        elif not {"command", "shell"} & stage.keys() and not is_misspelt(stage, trail, "command", "shell"):
            yield _without_command(trail, stage)
        elif stage.get("command") == COLLECTOR_STATS and stage.get("args"):
            message = f"`{COLLECTOR_STATS}` is built in and takes no args"
            yield Fault((*trail, "args"), message, "take the line out", on_key=True)


def missing_stages(outline: ProjectFileView) -> Iterator[Fault]:
    """A file without stages."""
    data = mapping(outline.source.data)
    if "commands" not in data and not is_misspelt(data, (), "commands"):
        yield Fault((), "there is no `commands`, expected the stages of the pipeline", _SMALLEST)
    elif data.get("commands") == []:
        yield Fault(("commands",), "`commands` is an empty list, expected at least one stage", _SMALLEST)


def _without_command(trail: KeyPath, stage: dict[str, Data]) -> Fault:
    message = f"{label(trail)} has neither `command` nor `shell`, expected one of them"
    if trail[1] and stage.keys() and stage.keys() <= PROJECT_FILE.at(trail).keys.keys():
        hint = f"the dash begins a new stage; write `{next(iter(stage))}:` without it, under the command above"
        return Fault(trail, message, hint)
    return Fault(trail, message, "write it like this: - command: cat")


def unquoted_operators(outline: ProjectFileView) -> Iterator[Fault]:
    """Unquoted operators of a shell in `args`, and quotes that are never closed."""
    for stage_trail, stage in outline.stages():
        line, trail = stage.get("args"), (*stage_trail, "args")
        if not isinstance(line, str) or "shell" in stage:
            continue
        words = split_words(line)
        for offset, text in words.operators:
            yield Fault(trail, *_operator(text), offset=offset)
        if words.open_quote:
            offset, text = words.open_quote
            yield Fault(trail, *_open_quote(text), offset=offset)


def command_lines(outline: ProjectFileView) -> Iterator[Fault]:
    """A command that is more than the name of a program."""
    for trail, value in outline.stage_texts("command"):
        bare = PLACEHOLDER.sub("x", value)
        if any(text not in "*?" for _, text in split_words(bare).operators):
            hint = f"write it as a line for the shell: - shell: {quoted(value)}"
            yield Fault(trail, f"`command` holds a shell's signs: {shorten(value)}; expected one program", hint)
        elif re.search(r"\s", bare.strip()):
            program, _, rest = value.strip().partition(" ")
            hint = f"put the rest into args: command: {program}, args: {quoted(rest.strip())}"
            yield Fault(trail, f"`command` is more than one word: {shorten(value)}; expected one program", hint)


def _operator(text: str) -> tuple[str, str]:
    if text == JSON:
        hint = """write it as one item of a list: args: [--config, '{"a": 1}']"""
        return "found JSON without quotes around it in `args`, which takes its own quotes off", hint
    message = f"found an unquoted {shorten(text)} in `args`, which means nothing without a shell"
    if text.startswith("{"):
        return message, f"write the words one by one, or quote it to mean the characters themselves: '{shorten(text)}'"
    if name := re.fullmatch(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", text):
        filled = f"{{{{ {name[1]} }}}} is filled from data, vars or envs"
        return message, f"{filled}; for the shell's own, write {_AS_SHELL}"
    return message, f"write {_AS_SHELL}, or quote it to mean the character itself: '{shorten(text)}'"


def _open_quote(quote: str) -> tuple[str, str]:
    if quote == "\\":
        return "a backslash ends `args`, expected whole words", "put it into quotes"
    other = "'" if quote == '"' else '"'
    message = f"the quote {quote} in `args` is never closed, expected whole words"
    return message, f"close it, or write the word as an item: args: [{other}...{other}]"


def var_names(outline: ProjectFileView) -> Iterator[Fault]:
    """Names under `vars` that no placeholder can have."""
    for name in mapping(outline.top("vars")):
        yield from bad_name(("vars", name), name, "a placeholder's name", on_key=True)


def env_names(outline: ProjectFileView) -> Iterator[Fault]:
    """Names under `envs` that no variable can have, in both forms; and items that are none."""
    for trail, envs in outline.envs():
        for name in mapping(envs):
            yield from bad_name((*trail, name), name, _AN_ENV, on_key=True)
        for number, item in enumerate(items(envs)):
            if not isinstance(item, dict):
                message = f"item {number + 1} of `envs` is {describe_value(item)}, expected a key and a value"
                yield Fault((*trail, number), message, _AS_ITEM)
    for trail, item in outline.env_items():
        yield from _env_item(trail, item)
        if isinstance(called := item.get("key"), str):
            yield from bad_name((*trail, "key"), called, _AN_ENV, on_key=False)
    yield from _repeated_envs(outline)


def bad_name(trail: KeyPath, name: str, what: str, *, on_key: bool) -> Iterator[Fault]:
    """A name that is none; `what` it should be."""
    if is_name(name):
        return
    legal = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    hint = f"for example: {legal}" if is_name(legal) else "for example: base_2"
    message = f"`{shorten(name)}` is not {what}, expected letters, digits and _, not beginning with a digit"
    yield Fault(trail, message, hint, on_key=on_key)


def _env_item(trail: KeyPath, item: dict[str, Data]) -> Iterator[Fault]:
    known = EnvItem.model_fields
    for key in known:
        if key not in item and item.keys() <= known.keys():
            yield Fault(trail, f"{label(trail)} has no `{key}`, expected both key and value", _AS_ITEM)
        elif not isinstance(value := item.get(key, ""), str):
            yield Fault((*trail, key), f"`{key}` is {describe_value(value)}, expected a text", "put it into quotes")


def _repeated_envs(outline: ProjectFileView) -> Iterator[Fault]:
    first: dict[tuple[KeyPath, str], KeyPath] = {}
    for trail, item in outline.env_items():
        if isinstance(name := item.get("key"), str):
            here = (*trail, "key")
            if (earlier := first.setdefault((trail[:-1], name), here)) != here:
                message = f"`{name}` is given a second time, the first is on line {outline.source.line(earlier[:-1])}"
                yield Fault(here, message, "keep one of the two")


def declared_venvs(outline: ProjectFileView) -> Iterator[Fault]:
    """Names and requirements under `venvs`."""
    for name, requirements in outline.venvs().items():
        if not matches(VENV_NAME, name):
            message = f"`{shorten(name)}` is not a venv's name, expected letters, digits, _, . and -"
            yield Fault(("venvs", name), message, "for example: venvs: {tap: [tap-jsonl]}", on_key=True)
        if requirements == []:
            hint = "name at least one requirement, or take this venv out"
            yield Fault(("venvs", name), f"`{name}` is an empty list, expected requirements", hint)
    for trail, word in outline.requirements():
        yield from bad_requirement(trail, word)


def stage_venvs(outline: ProjectFileView) -> Iterator[Fault]:
    """What a stage names as its venv: a declared one, or a path where one may lie."""
    known = tuple(outline.venvs())
    for trail, value in outline.stage_texts("venv"):
        if "/" in value:
            yield from _bad_path(trail, value)
        elif value not in known:
            yield _undeclared(trail, value, known)


def installs(outline: ProjectFileView) -> Iterator[Fault]:
    """What a stage installs, and that nothing else says what goes there."""
    filled = {f"venv/{name}": name for name in outline.venvs()}
    for trail, stage in outline.stages():
        if lines := stage.get("installs"):
            place = (*trail, "installs")
            yield from _misplaced_installs(place, stage, filled)
            for number, line in enumerate(items(lines)):
                if isinstance(line, str):
                    yield from bad_install((*place, number), line)


def clashing_venvs(outline: ProjectFileView) -> Iterator[Fault]:
    """Two directories whose venvs would have one name, and so one lock."""
    first = {name: f"venv/{name}" for name in outline.venvs()}
    for trail, stage in outline.stages():
        directory = as_directory(stage.get("venv"))
        if isinstance(directory, str) and stage.get("installs"):
            name = venv_name_of(directory)
            if first.setdefault(name, directory) != directory:
                message = f"{directory} and {first[name]} would both be the venv `{name}`, expected different names"
                yield Fault((*trail, "venv"), message, f"for example: venv: {_other(directory)}")


def _other(directory: str) -> str:
    return f"{directory if '/' in directory else f'./{directory}'}_2"


def _bad_path(trail: KeyPath, value: str) -> Iterator[Fault]:
    path = PurePosixPath(value)
    found, example = (
        f"`venv` is {shorten(value)}, expected",
        f"for example: venv: ./venv/{venv_name_of(value) or 'tap'}",
    )
    if path.is_absolute() or ".." in path.parts or value.startswith("~") or not path.parts:
        yield Fault(trail, f"{found} a path inside the project", example)
    elif path.parts[0] in _NO_VENVS:
        yield Fault(trail, f"{found} a path outside of {', '.join(_NO_VENVS[:-1])} and {_NO_VENVS[-1]}", example)
    elif not venv_name_of(value):
        yield Fault(trail, f"{found} a path that ends in a name", example)
    elif not all(re.fullmatch(r"[A-Za-z0-9_.-]+", part) for part in path.parts):
        yield Fault(trail, f"{found} a path of letters, digits, _, . and -", "for example: venv: ./venv/tap")


def _undeclared(trail: KeyPath, value: str, known: tuple[str, ...]) -> Fault:
    one = f"one of {', '.join(known)}," if known else "a name from venvs"
    message = f"the venv `{shorten(value)}` is not declared, expected {one} or a path"
    if meant := did_you_mean(value, known):
        return Fault(trail, message, f"did you mean `{meant}`?")
    name = value if matches(VENV_NAME, value) else "tap"
    hint = f"declare it at the left margin: venvs: {{{name}: [PACKAGE]}}; or name your own: ./venv/{name}"
    return Fault(trail, message, hint)


def _misplaced_installs(place: KeyPath, stage: dict[str, Data], filled: dict[str, str]) -> Iterator[Fault]:
    directory = as_directory(stage.get("venv"))
    if "venv" not in stage:
        hint = "name the venv on this stage too: venv: ./venv/proc_01"
        yield Fault(place, "found `installs` without `venv`, expected the venv to install into", hint, on_key=True)
    elif isinstance(directory, str) and directory in filled:
        message = f"`installs` and `venvs` both say what goes into {directory}, expected one of them"
        yield Fault(place, message, f"move the packages to venvs: {filled[directory]}: [...]", on_key=True)


def bad_requirement(trail: KeyPath, word: str) -> Iterator[Fault]:
    """What pip would not take for a package."""
    if word.lstrip().startswith("-"):
        message = f"found the pip option {shorten(word)}, expected a requirement"
        yield Fault(trail, message, "name packages only: tap-jsonl, or tap-jsonl>=1.2")
    elif not _is_requirement(word):
        message = f"`{shorten(word)}` is not a requirement, expected a package as pip writes it"
        yield Fault(trail, message, 'for example: tap-jsonl, or "tap-jsonl>=1.2,<2"')


def bad_install(trail: KeyPath, line: str) -> Iterator[Fault]:
    """A line that is not `pip install` and packages."""
    words = requirements_of(line)
    if not words:
        message = f"`{shorten(line)}` installs nothing we know, expected pip install and packages"
        yield Fault(trail, message, "for example: pip install tap-jsonl")
    elif option := next((word for word in words if word.startswith("-")), None):
        message = f"found the pip option {option}, expected only packages after pip install"
        hint = "declare the venv at the left margin: venvs: {tap: [tap-jsonl]}; its lock pins versions"
        yield Fault(trail, message, hint)
    else:
        for word in words:
            yield from bad_requirement(trail, word)


def _is_requirement(word: str) -> bool:
    if _PLAIN.fullmatch(word) and not word.endswith(","):
        return True
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415  # 50 ms that few files need

    try:
        Requirement(word)
    except InvalidRequirement:
        return False
    return True
