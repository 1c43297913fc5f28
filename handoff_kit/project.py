"""The project file: what may stand in it, what it means, and everything that can be wrong with it.

The models say which keys there are, what each means and what a correct file becomes. The rules below them
read the file as its author wrote it and find the faults, each with its place; pydantic's own complaints are
translated by the same rules, so that no fault is missed and none is told in a library's words.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from handoff_kit.errors import ProjectFileError
from handoff_kit.names import nearest
from handoff_kit.source import Data, Problem, Source, Trail, read
from handoff_runtime.variables import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic_core import ErrorDetails

NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
VENV_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
COLLECTOR_STATS = "collector_stats"


# how values are written, and what they become


@dataclass(frozen=True)
class Words:
    """A line split into words as a POSIX shell would, but nothing in it means anything to a shell.

    `operators` are the unquoted characters to which a shell would give a meaning, `open_quote` is where a
    quote opens that is never closed; both as (offset, text).
    """

    words: tuple[str, ...]
    operators: tuple[tuple[int, str], ...] = ()
    open_quote: tuple[int, str] | None = None


_PIECE = re.compile(
    rf"""
    (?P<blank>[ \t\r\n]+)
    | (?P<placeholder>{PLACEHOLDER.pattern})
    | '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | \\(?P<escaped>.)
    | (?P<open>['"\\])
    | (?P<operator>[<>]&[0-9-]?|&>|>>|<<|&&|\|\||`[^`]*`?|[|<>;&*?]
        |\$\([^()]*\)?|\$\{{[^}}\s'"\\]*\}}?|\$[A-Za-z_][A-Za-z0-9_]*|\$[0-9@*\#?$!-])
    | (?P<letter>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def split(line: str) -> Words:
    """Split a line into words; a placeholder with blanks in it stays whole."""
    words: list[str] = []
    operators: list[tuple[int, str]] = []
    ended = True
    for piece in _PIECE.finditer(line):
        kind, text = piece.lastgroup or "", piece.group()
        if kind == "open":
            return Words(tuple(words), tuple(operators), (piece.start(), text))
        if kind == "operator":
            operators.append((piece.start(), text))
        if kind != "blank":
            words[len(words) - (not ended) :] = [("" if ended else words[-1]) + _meant(kind, piece)]
        ended = kind == "blank"
    return Words(tuple(words), tuple(operators))


def _meant(kind: str, piece: re.Match[str]) -> str:
    if kind == "double":
        return re.sub(r'\\(["\\])', r"\1", piece["double"])
    return piece[kind] if kind in {"single", "escaped"} else piece.group()


def _as_words(value: object) -> object:
    return split(value).words if isinstance(value, str) else value


def _as_mapping(value: object) -> object:
    """Bring the list form of envs, [{key: TZ, value: UTC}], into the mapping form."""
    if isinstance(value, list) and all(isinstance(item, dict) and item.keys() == {"key", "value"} for item in value):
        return {item["key"]: item["value"] for item in value}
    return value


def _as_directory(value: object) -> object:
    """The directory of a venv, given by name or by path, relative to the project."""
    if not isinstance(value, str):
        return value
    return str(PurePosixPath(value)) if "/" in value else f"venv/{value}"


def _as_requirements(value: object) -> object:
    """The requirements in lines of `pip install ...`."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return [word for line in value for word in (_installed(line) or ())]
    return value


_PIP = re.compile(r"\s*(?:python3?\s+-m\s+)?pip3?\s+install\s(?P<rest>.*)", re.DOTALL)


def _installed(line: str) -> tuple[str, ...] | None:
    """What `pip install ...` installs; None when the line is no such command."""
    found = _PIP.fullmatch(line)
    if not found:
        return None
    try:
        return tuple(shlex.split(found["rest"]))
    except ValueError:
        return None


# the models


class EnvItem(BaseModel):
    """One environment variable in the list form of `envs`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, Field(pattern=NAME, description="The variable's name.")]
    value: Annotated[
        str,
        WithJsonSchema({"type": ["string", "number", "boolean"]}),
        Field(description="Its value, taken as it is written."),
    ]


Text: TypeAlias = Annotated[str, WithJsonSchema({"type": ["string", "number", "boolean"]})]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=NAME)]
VenvName: TypeAlias = Annotated[str, StringConstraints(pattern=VENV_NAME)]
Requirement: TypeAlias = Annotated[str, StringConstraints(min_length=1)]
Args: TypeAlias = Annotated[tuple[Text, ...], BeforeValidator(_as_words, json_schema_input_type=Text | list[Text])]
Envs: TypeAlias = Annotated[
    dict[Name, Text], BeforeValidator(_as_mapping, json_schema_input_type=dict[Name, Text] | list[EnvItem])
]
VenvPlace: TypeAlias = Annotated[str, BeforeValidator(_as_directory, json_schema_input_type=str)]
Installs: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_as_requirements, json_schema_input_type=list[str])]


class Stage(BaseModel):
    """One command of the pipeline: its stdin is the stage before, its stdout the stage after."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "oneOf": [{"required": ["command"]}, {"required": ["shell"]}],
            "dependentRequired": {"args": ["command"], "installs": ["venv"]},
        },
    )

    command: str | None = Field(
        None,
        min_length=1,
        description="The program to run: a name found in the stage's venv or on PATH, or a path inside the "
        "project. No shell comes between. `collector_stats` is built in: it passes its input on, byte for "
        "byte, and writes the number of rows to `.artifacts/collector_stats.json`.",
        examples=["tap-jsonl"],
    )
    shell: str | None = Field(
        None,
        min_length=1,
        description="Instead of `command`: a line for `sh`, with pipes, redirections, variables and globs.",
        examples=["grep foo | sort > .artifacts/sorted"],
    )
    args: Args = Field(
        (),
        description="The words after the command: one text, split at blanks as a shell would (quotes keep "
        "words together), or a list with one word an item. Placeholders are filled within a word.",
        examples=["--config .env/config/tap.json", ["--name", "two words"]],
    )
    venv: VenvPlace | None = Field(
        None,
        description="The virtual environment to run in: a name declared under `venvs`, or the path of one "
        "inside the project.",
        examples=["tap", "./venv/proc_01"],
    )
    installs: Installs = Field(
        (),
        description="The original form of `venvs`: what to install into the venv whose path the stage "
        "names, as `pip install` lines without options.",
        examples=[["pip install tap-exchangeratesapi"]],
    )
    envs: Envs = Field(
        default_factory=dict,
        description="Environment variables of this stage only, added to those of the pipeline.",
        examples=[{"LOG_LEVEL": "debug"}],
    )


@dataclass(frozen=True)
class Venv:
    """A virtual environment that handoff makes: where it lies and what goes into it."""

    name: str
    directory: str
    requirements: tuple[str, ...] = field(default=())


class Project(BaseModel):
    """What a project file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: Text = Field(
        "", description="What the pipeline does, in a line.", examples=["Daily exchange rates, to CSV"]
    )
    vars: dict[Name, Text] = Field(
        default_factory=dict,
        description="Defaults of the placeholders `{{ name }}`; `--data` and `--var` override them.",
        examples=[{"base": "JPY"}],
    )
    envs: Envs = Field(
        default_factory=dict,
        description="Environment variables of every stage, as a mapping or as a list of key and value. "
        "Values are taken as they are written, and may hold placeholders.",
        examples=[{"TZ": "UTC"}, [{"key": "TZ", "value": "UTC"}]],
    )
    declared: dict[VenvName, Annotated[tuple[Requirement, ...], Field(min_length=1)]] = Field(
        default_factory=dict,
        alias="venvs",
        description="Virtual environments that `invoke install` makes in `venv/NAME`, each with its "
        "requirements, written as for pip.",
        examples=[{"tap": ["tap-jsonl"], "target": ["target-csv>=0.3"]}],
    )
    stages: tuple[Stage, ...] = Field(
        alias="commands",
        min_length=1,
        description="The pipeline: its stages from first to last, all started at once and joined by pipes.",
        examples=[[{"command": "cat", "args": "data.txt"}, {"command": "wc", "args": "-l"}]],
    )
    state: Literal["all", "singer"] = Field(
        "all",
        description="What a successful run keeps in `.artifacts/state` from the last stage's output: `all` "
        "of it, or the last valid state line of a `singer` target.",
        examples=["singer"],
    )
    meter: Literal["rows", "bytes", "off"] = Field(
        "rows", description="What is counted between the stages.", examples=["bytes"]
    )

    @property
    def venvs(self) -> tuple[Venv, ...]:
        """The virtual environments to make: the declared ones, then those that `installs` fills."""
        declared = [Venv(name, f"venv/{name}", words) for name, words in self.declared.items()]
        filled: dict[str, dict[str, None]] = {}
        for stage in self.stages:
            if stage.venv and stage.installs:
                filled.setdefault(stage.venv, {}).update(dict.fromkeys(stage.installs))
        return (*declared, *(Venv(_venv_name(path), path, tuple(words)) for path, words in filled.items()))


def _venv_name(directory: str) -> str:
    return PurePosixPath(directory).name.lstrip(".-")


def load(path: Path, shown: str) -> Project:
    """The project of a file; raises ProjectFileError with every problem in it."""
    return understood(read(path, shown))


def understood(source: Source) -> Project:
    """The project of a source; raises ProjectFileError with every problem in it."""
    if source.data is None:
        raise ProjectFileError(source.problems)
    project, errors = _validated(source.data)
    problems = _problems(source, errors)
    if problems or project is None:
        raise ProjectFileError(problems)
    return project


def _validated(data: dict[str, Data]) -> tuple[Project | None, list[ErrorDetails]]:
    try:
        return Project.model_validate(data), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def placeholders(project: Project) -> tuple[tuple[str, str], ...]:
    """Every placeholder of a project: (name, where it stands), in order, each once."""
    found = [(match[1], where) for where, text in _filled_texts(project) for match in PLACEHOLDER.finditer(text)]
    return tuple(dict.fromkeys(found))


def _filled_texts(project: Project) -> Iterator[tuple[str, str]]:
    yield from ((f"envs.{name}", text) for name, text in project.envs.items())
    for number, stage in enumerate(project.stages, 1):
        yield f"commands {number}: command", stage.command or ""
        yield f"commands {number}: shell", stage.shell or ""
        yield from ((f"commands {number}: args", word) for word in stage.args)
        yield from ((f"commands {number}: envs.{name}", text) for name, text in stage.envs.items())


# the rules: each yields the faults it finds in a source, and expects nothing of its shape


@dataclass(frozen=True)
class _Fault:
    """A problem whose place is still a trail of keys."""

    trail: Trail
    message: str
    hint: str
    on_key: bool = False
    offset: int | None = None


def _problems(source: Source, errors: list[ErrorDetails]) -> tuple[Problem, ...]:
    """Every problem in the order of the file; what follows from a fault told already is left out."""
    faults: list[_Fault] = []
    for found in _found(source, errors):
        faults += [fault for fault in found if not _follows(fault, faults)]
    if not faults and not source.problems:
        faults = [_Fault(_known_trail(source, error), error["msg"].lower(), _SEE_REFERENCE) for error in errors]
    problems = [_placed(source, fault) for fault in faults]
    told = {(problem.line, problem.column) for problem in source.problems}
    own = [problem for problem in problems if (problem.line, problem.column) not in told]
    return tuple(sorted(dict.fromkeys([*source.problems, *own])))


def _found(source: Source, errors: list[ErrorDetails]) -> Iterator[list[_Fault]]:
    yield list(_unknown_keys(source))
    yield list(_nulls(source))
    yield list(_shapes(source, errors))
    for rule in (
        _unusable,
        _unquoted,
        _empty,
        _args,
        _commands,
        _var_names,
        _env_names,
        _venvs,
        _stage_venvs,
        _clashes,
    ):
        yield list(rule(source))
    yield list(_stages(source))
    yield list(_pipeline(source))


_STAGE_DEPTH = 2  # a stage's trail is ("commands", number)
_SEE_REFERENCE = "docs/project-yml.md tells what may stand here"


def _follows(fault: _Fault, told: list[_Fault]) -> bool:
    return any(earlier.trail == fault.trail[: len(earlier.trail)] for earlier in told)


def _placed(source: Source, fault: _Fault) -> Problem:
    if fault.on_key:
        return source.at_key(fault.trail, fault.message, fault.hint)
    return source.at_value(fault.trail, fault.message, fault.hint, fault.offset)


# reaching into a file of any shape


def _dict(data: Data) -> dict[str, Data]:
    return data if isinstance(data, dict) else {}


def _items(data: Data) -> list[Data]:
    return data if isinstance(data, list) else []


def _top(source: Source, key: str) -> Data:
    return _dict(source.data).get(key)


def _each_stage(source: Source) -> Iterator[tuple[Trail, dict[str, Data]]]:
    for number, stage in enumerate(_items(_top(source, "commands"))):
        if isinstance(stage, dict):
            yield ("commands", number), stage


def _each_text(source: Source, *keys: str) -> Iterator[tuple[Trail, str]]:
    """The stages' values of these keys, where they are texts."""
    for trail, stage in _each_stage(source):
        for key in keys:
            if isinstance(value := stage.get(key), str):
                yield (*trail, key), value


def _label(trail: Trail) -> str:
    if len(trail) == _STAGE_DEPTH and trail[0] == "commands":
        return f"stage {int(trail[1]) + 1}"
    if trail and isinstance(trail[-1], int):
        return f"item {trail[-1] + 1} of `{trail[-2]}`"
    return f"`{trail[-1]}`" if trail else "the file"


def _known_trail(source: Source, error: ErrorDetails) -> Trail:
    trail: Trail = tuple(error["loc"])
    while trail not in source.marks:
        trail = trail[:-1]
    return trail


# keys and shapes


def _keys(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(info.alias or name for name, info in model.model_fields.items())


def _unknown_keys(source: Source) -> Iterator[_Fault]:
    yield from _unknown(source.data, (), Project, Stage, "belongs to a stage, under commands")
    for trail, stage in _each_stage(source):
        yield from _unknown(stage, trail, Stage, Project, "belongs to the whole project, at the left margin")
    for trail, item in _env_items(source):
        yield from _unknown(item, trail, EnvItem, EnvItem, "")


def _unknown(
    data: Data, trail: Trail, model: type[BaseModel], other: type[BaseModel], belongs: str
) -> Iterator[_Fault]:
    for key in _dict(data):
        if key in _keys(model):
            continue
        hint = _key_meant(key, model, other, belongs)
        yield _Fault((*trail, key), f"`{key}` is not a known key{_of(trail)}", hint, on_key=True)


def _key_meant(key: str, model: type[BaseModel], other: type[BaseModel], belongs: str) -> str:
    meant = nearest(key, _keys(model))
    if key in _keys(other):
        return f"`{key}` {belongs}" + (f"; or did you mean `{meant}`?" if meant else "")
    if meant:
        return f"did you mean `{meant}`?"
    if model is EnvItem:
        return f"write it like this: - {{key: {key}, value: ...}}"
    return f"known here: {', '.join(_keys(model))}"


def _of(trail: Trail) -> str:
    return f" of {_label(trail)}" if trail else ""


def _nulls(source: Source) -> Iterator[_Fault]:
    for trail, value in _scalars(source):
        if value is None:
            hint = 'write a value, or take the line out; for an empty text write two quotes: ""'
            yield _Fault(trail, f"{_label(trail)} has no value, expected {_expected(trail)[0]}", hint)


def _unusable(source: Source) -> Iterator[_Fault]:
    """Characters that no argument, variable or file can hold; YAML's escapes can write them."""
    for trail, value in _scalars(source):
        if found := re.search("[\0\ud800-\udfff]", value or ""):
            code = f"U+{ord(found.group()):04X}"
            message = f"{_label(trail)} holds the character {code}, which no program can be given"
            yield _Fault(trail, message, "take the escape out")


def _scalars(source: Source) -> Iterator[tuple[Trail, str | None]]:
    for trail in source.marks:
        data: Any = source.data
        for step in trail:
            data = data[step]
        if not isinstance(data, (dict, list)):
            yield trail, data


_ANY_TEXT = ("a text", "put it into quotes")
_STATE = ("all or singer", "state: all keeps the last stage's whole output, singer its last line")
_METER = ("rows, bytes or off", "leave it out to count rows")
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
}


def _expected(trail: Trail) -> tuple[str, str]:
    """What may stand at a trail, in plain words, and a hint that shows it."""
    inner = trail[2:] if len(trail) > _STAGE_DEPTH and trail[0] == "commands" else trail
    known = _SHAPES.get(str(inner[0]), ()) if inner else ()
    return known[min(len(inner), len(known)) - 1] if known else _ANY_TEXT


_SHAPE_ERRORS = frozenset({"string_type", "tuple_type", "list_type", "dict_type", "model_type", "literal_error"})


def _shapes(source: Source, errors: list[ErrorDetails]) -> Iterator[_Fault]:
    for error in errors:
        if error["type"] in _SHAPE_ERRORS and not _is_env_list(error):
            trail, found = _known_trail(source, error), error["input"]
            expected, hint = _expected(trail)
            literals = expected.replace(",", "").split() if error["type"] == "literal_error" else []
            if isinstance(found, str) and (meant := nearest(found, literals)):
                hint = f"did you mean `{meant}`?"
            elif trail[:1] == ("commands",) and len(trail) == _STAGE_DEPTH and isinstance(found, str):
                hint = f"write it like this: - command: {_short(found)}"
            yield _Fault(trail, f"{_label(trail)} is {_told(found)}, expected {expected}", hint)


def _is_env_list(error: ErrorDetails) -> bool:
    return error["loc"][-1] == "envs" and isinstance(error["input"], list)


def _told(value: object) -> str:
    if isinstance(value, str):
        return f"`{_short(value)}`" if value else "an empty text"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, (list, tuple)) else "nothing"


def _short(text: str, width: int = 40) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 3]}..."


# texts


def _unquoted(source: Source) -> Iterator[_Fault]:
    """A bare yes, true or 7 where only a text makes sense."""
    for trail, value in (*_each_text(source, "command", "shell", "venv"), *_each_requirement(source)):
        if (kind := source.kind(trail)) != "text":
            expected = _expected(trail)[0]
            yield _Fault(trail, f"{_label(trail)} is a {kind}, {value}; expected {expected}", _quoting(trail, value))


def _each_requirement(source: Source) -> Iterator[tuple[Trail, str]]:
    for name, wanted in _dict(_top(source, "venvs")).items():
        for number, word in enumerate(_items(wanted)):
            if isinstance(word, str):
                yield ("venvs", name, number), word


def _quoting(trail: Trail, value: str) -> str:
    if trail[-1] == "shell":
        return 'write the line itself: shell: "grep foo | sort", in place of command'
    key = f"{trail[-1]}: " if isinstance(trail[-1], str) else ""
    return f'if it really is called so, put it into quotes: {key}"{value}"'


def _empty(source: Source) -> Iterator[_Fault]:
    for trail, value in _each_text(source, "command", "shell", "venv"):
        if not value.strip():
            expected, hint = _expected(trail)
            yield _Fault(trail, f"{_label(trail)} is empty, expected {expected}", hint)


def _args(source: Source) -> Iterator[_Fault]:
    for trail, value in _each_text(source, "args"):
        if "shell" in _dict(_stage_of(source, trail)):
            continue
        line = split(value)
        for offset, text in line.operators:
            yield _Fault(trail, _operator_told(text), _operator_hint(text), offset=offset)
        if line.open_quote:
            offset, text = line.open_quote
            message = "a backslash ends `args`" if text == "\\" else f"the quote {text} in `args` is never closed"
            hint = (
                "put it into quotes"
                if text == "\\"
                else f"close it, or write the word as an item: args: [{_other(text)}...{_other(text)}]"
            )
            yield _Fault(trail, f"{message}, expected whole words", hint, offset=offset)


def _other(quote: str) -> str:
    return "'" if quote == '"' else '"'


def _stage_of(source: Source, trail: Trail) -> Data:
    return _items(_top(source, "commands"))[int(trail[1])]


_AS_SHELL = "shell: in place of command and args"


def _operator_told(text: str) -> str:
    return f"found an unquoted {text} in `args`, which means nothing without a shell"


def _operator_hint(text: str) -> str:
    if text.startswith("$") and (name := re.fullmatch(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", text)):
        return f"{{{{ {name[1]} }}}} is filled from data, vars or envs; for the shell's own, write {_AS_SHELL}"
    return f"write {_AS_SHELL}, or quote it to mean the character itself: '{text}'"


def _commands(source: Source) -> Iterator[_Fault]:
    for trail, value in _each_text(source, "command"):
        bare = PLACEHOLDER.sub("x", value)
        if any(text not in "*?" for _, text in split(bare).operators):
            hint = f"write it as a line for the shell: - shell: {_quoted(value)}"
            yield _Fault(trail, f"`command` holds a shell's signs: {_short(value)}; expected one program", hint)
        elif re.search(r"\s", bare.strip()):
            program, _, args = value.strip().partition(" ")
            hint = f"put the rest into args: command: {program}, args: {_quoted(args.strip())}"
            yield _Fault(trail, f"`command` is more than one word: {_short(value)}; expected one program", hint)


def _quoted(text: str) -> str:
    return f"'{_short(text)}'" if '"' in text else f'"{_short(text)}"'


# names


def _var_names(source: Source) -> Iterator[_Fault]:
    for name in _dict(_top(source, "vars")):
        yield from _bad_name(("vars", name), name, "a placeholder's name", on_key=True)


def _env_names(source: Source) -> Iterator[_Fault]:
    for trail, envs in _each_envs(source):
        for name in _dict(envs):
            yield from _bad_name((*trail, name), name, "an environment variable's name", on_key=True)
        for number, item in enumerate(_items(envs)):
            if not isinstance(item, dict):
                message = f"item {number + 1} of `envs` is {_told(item)}, expected a key and a value"
                yield _Fault((*trail, number), message, "write it like this: - {key: TZ, value: UTC}")
    seen: dict[Trail, str] = {}
    for trail, item in _env_items(source):
        yield from _env_item(source, trail, item, seen)


def _each_envs(source: Source) -> Iterator[tuple[Trail, Data]]:
    yield ("envs",), _top(source, "envs")
    for trail, stage in _each_stage(source):
        yield (*trail, "envs"), stage.get("envs")


def _env_items(source: Source) -> Iterator[tuple[Trail, dict[str, Data]]]:
    for trail, envs in _each_envs(source):
        for number, item in enumerate(_items(envs)):
            if isinstance(item, dict):
                yield (*trail, number), item


def _env_item(source: Source, trail: Trail, item: dict[str, Data], seen: dict[Trail, str]) -> Iterator[_Fault]:
    odd = next((key for key in item if key not in _keys(EnvItem)), None)
    for key in _keys(EnvItem):
        if key not in item and not odd:
            message = f"{_label(trail)} has no `{key}`, expected both key and value"
            yield _Fault(trail, message, "write it like this: - {key: TZ, value: UTC}")
        elif not isinstance(item.get(key, ""), str):
            yield _Fault((*trail, key), f"`{key}` is {_told(item[key])}, expected a text", "put it into quotes")
    if isinstance(name := item.get("key"), str):
        yield from _bad_name((*trail, "key"), name, "an environment variable's name", on_key=False)
        first = next((to for to, earlier in seen.items() if to[:-1] == trail[:-1] and earlier == name), None)
        if first:
            message = f"`{name}` is given a second time, the first is on line {source.line(first)}"
            yield _Fault((*trail, "key"), message, "keep one of the two")
        seen[trail] = name


def _bad_name(trail: Trail, name: str, what: str, *, on_key: bool) -> Iterator[_Fault]:
    if re.fullmatch(NAME.strip("^$"), name):
        return
    legal = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    hint = f"for example: {legal}" if re.fullmatch(NAME.strip("^$"), legal) else "for example: base_2"
    message = f"`{_short(name)}` is not {what}, expected letters, digits and _, not beginning with a digit"
    yield _Fault(trail, message, hint, on_key=on_key)


# virtual environments


def _venvs(source: Source) -> Iterator[_Fault]:
    for name, wanted in _dict(_top(source, "venvs")).items():
        trail: Trail = ("venvs", name)
        if not re.fullmatch(VENV_NAME.strip("^$"), name):
            message = f"`{_short(name)}` is not a venv's name, expected letters, digits, _, . and -"
            yield _Fault(trail, message, "for example: venvs: {tap: [tap-jsonl]}", on_key=True)
        if wanted == []:
            hint = "name at least one requirement, or take this venv out"
            yield _Fault(trail, f"`{name}` is an empty list, expected requirements", hint)
    for trail, word in _each_requirement(source):
        yield from _bad_requirement(trail, word)


_PLAIN_REQUIREMENT = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[a-z0-9,_-]+\])?(?:(?:==|>=|<=|~=|!=|<|>)[0-9]+(?:\.[0-9]+)*(?:,|$))*"
)


def _bad_requirement(trail: Trail, word: str) -> Iterator[_Fault]:
    if _PLAIN_REQUIREMENT.fullmatch(word) and not word.endswith(","):
        return
    if word.lstrip().startswith("-"):
        message = f"found the pip option {_short(word)}, expected a requirement"
        yield _Fault(trail, message, "name packages only: tap-jsonl, or tap-jsonl>=1.2")
    elif not _is_requirement(word):
        message = f"`{_short(word)}` is not a requirement, expected a package as pip writes it"
        yield _Fault(trail, message, 'for example: tap-jsonl, or "tap-jsonl>=1.2,<2"')


def _is_requirement(word: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415  # 50 ms that few files need

    try:
        Requirement(word)
    except InvalidRequirement:
        return False
    return True


def _stage_venvs(source: Source) -> Iterator[_Fault]:
    declared = _dict(_top(source, "venvs"))
    for trail, value in _each_text(source, "venv"):
        if "/" in value:
            yield from _bad_path(trail, value)
        elif value not in declared:
            yield _undeclared(trail, value, tuple(declared))
    for trail, stage in _each_stage(source):
        yield from _installs(trail, stage, declared)


def _bad_path(trail: Trail, value: str) -> Iterator[_Fault]:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or value.startswith("~") or not path.parts:
        message = f"`venv` is {_short(value)}, expected a path inside the project"
        yield _Fault(trail, message, f"for example: venv: ./venv/{path.name.strip('.~') or 'tap'}")
    elif not all(re.fullmatch(r"[A-Za-z0-9_.-]+", part) for part in path.parts):
        message = f"`venv` is {_short(value)}, expected a path of letters, digits, _, . and -"
        yield _Fault(trail, message, "for example: venv: ./venv/tap")


def _undeclared(trail: Trail, value: str, declared: tuple[str, ...]) -> _Fault:
    message = f"the venv `{_short(value)}` is not declared, expected {_one_of(declared)} or a path"
    if meant := nearest(value, declared):
        return _Fault(trail, message, f"did you mean `{meant}`?")
    name = value if re.fullmatch(VENV_NAME.strip("^$"), value) else "tap"
    return _Fault(
        trail,
        message,
        f"declare it at the left margin: venvs: {{{name}: [PACKAGE]}}; or name your own: ./venv/{name}",
    )


def _one_of(names: tuple[str, ...]) -> str:
    return f"one of {', '.join(names)}," if names else "a name from venvs"


def _installs(trail: Trail, stage: dict[str, Data], declared: dict[str, Data]) -> Iterator[_Fault]:
    if not (lines := stage.get("installs")):
        return
    place, venv = (*trail, "installs"), stage.get("venv")
    directory = _as_directory(venv)
    if venv is None and "venv" not in stage:
        hint = "name the venv on this stage too: venv: ./venv/proc_01"
        yield _Fault(place, "`installs` stands without `venv`, expected the venv to install into", hint, on_key=True)
    elif isinstance(directory, str) and (name := directory.removeprefix("venv/")) in declared:
        message = f"`installs` and `venvs` both say what goes into {directory}, expected one of them"
        yield _Fault(place, message, f"move the packages to venvs: {name}: [...]", on_key=True)
    for number, line in enumerate(_items(lines)):
        if isinstance(line, str):
            yield from _bad_install((*place, number), line)


def _bad_install(trail: Trail, line: str) -> Iterator[_Fault]:
    words = _installed(line)
    option = next((word for word in words or () if word.startswith("-")), None)
    if not words:
        message = f"`{_short(line)}` installs nothing we know, expected pip install and packages"
        yield _Fault(trail, message, "for example: pip install tap-jsonl")
    elif option:
        message = f"found the pip option {option}, expected only packages after pip install"
        yield _Fault(
            trail,
            message,
            "declare the venv at the left margin: venvs: {tap: [tap-jsonl]}; its lock pins versions",
        )
    for word in words or ():
        if not option:
            yield from _bad_requirement(trail, word)


def _clashes(source: Source) -> Iterator[_Fault]:
    """Two directories whose venvs would have one name, and so one lock."""
    first = {name: f"venv/{name}" for name in _dict(_top(source, "venvs"))}
    for trail, stage in _each_stage(source):
        directory = _as_directory(stage.get("venv"))
        if isinstance(directory, str) and stage.get("installs"):
            name = _venv_name(directory)
            if first.setdefault(name, directory) != directory:
                message = f"{directory} and {first[name]} would both be the venv `{name}`, expected different names"
                yield _Fault((*trail, "venv"), message, f"for example: venv: {directory}_2")


# stages


def _stages(source: Source) -> Iterator[_Fault]:
    for trail, stage in _each_stage(source):
        if "command" in stage and "shell" in stage:
            hint = "keep shell for a line with pipes or redirections, command for one program"
            yield _Fault((*trail, "shell"), "found both `command` and `shell`, expected one of them", hint, on_key=True)
        elif "shell" in stage and "args" in stage:
            message = "found `args` beside `shell`, which takes none"
            yield _Fault((*trail, "args"), message, "write them into the shell line", on_key=True)
        elif not {"command", "shell"} & stage.keys() and not _misspelt(stage, Stage, "command", "shell"):
            yield _headless(trail, stage)
        elif stage.get("command") == COLLECTOR_STATS and stage.get("args"):
            message = f"`{COLLECTOR_STATS}` is built in and takes no args"
            yield _Fault((*trail, "args"), message, "take the line out", on_key=True)


def _headless(trail: Trail, stage: dict[str, Data]) -> _Fault:
    message = f"{_label(trail)} has neither `command` nor `shell`, expected one of them"
    if trail[1] and stage.keys() and stage.keys() <= set(_keys(Stage)):
        key = next(iter(stage))
        return _Fault(
            trail, message, f"the dash begins a new stage; write `{key}:` without it, under the command above"
        )
    return _Fault(trail, message, "write it like this: - command: cat")


def _misspelt(data: Data, model: type[BaseModel], *meant: str) -> bool:
    """Whether an unknown key stands where one of these was meant."""
    return any(nearest(key, _keys(model)) in meant for key in _dict(data) if key not in _keys(model))


def _pipeline(source: Source) -> Iterator[_Fault]:
    data = _dict(source.data)
    hint = 'write it like this: commands: [{command: echo, args: "hello"}]'
    if "commands" not in data and not _misspelt(data, Project, "commands"):
        yield _Fault((), "there is no `commands`, expected the stages of the pipeline", hint)
    elif data.get("commands") == []:
        yield _Fault(("commands",), "`commands` is an empty list, expected at least one stage", hint)
