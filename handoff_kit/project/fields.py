"""The declaration of a key of the project file, and the types that several keys share.

A key is declared once, where its model has it: `cpu: StrictInt = declare(256, "a number", description=...)`.
Validation, schema and reference read that declaration (`declaration_of`).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePosixPath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    StrictBool,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticUndefined

from handoff_kit.project import suggestions
from handoff_kit.project.fargate_sizes import MEMORIES
from handoff_kit.project.patterns import DAYS, DURATION, FOREVER, MAX_DAYS, MEMORY, NAME, RETENTIONS, ROWS, matches
from handoff_kit.project.shell_words import split_words
from handoff_kit.text import DURATION_UNITS

_QUOTES = "put it into quotes"
_PAIR = {"key", "value"}
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_WHOLE = re.compile("0|[1-9][0-9]{0,5}")
_PLAIN = re.compile(r"[A-Za-z./][A-Za-z0-9_./>=-]*|[0-9]+(d|GB)")
_PIP = re.compile(r"\s*(?:python3?\s+-m\s+)?pip3?\s+install\s(?P<rest>.*)", re.DOTALL)


class Form(NamedTuple):
    """The written form of a value: its parser, and its type in the JSON Schema."""

    parse: Callable[[object], object]
    """Returns invalid text unchanged, so that strict types refuse it."""
    schema: Any


@dataclass(frozen=True)
class Key:
    """What messages, schema and reference say of a key, or of an item in its list or mapping.

    The type says it where an attribute is empty: Literal, bool and models have an `expected` and a `written`.
    Of several keys of one type (the type's own, then the field's), the last that says something counts.
    """

    expected: str = ""
    """The valid values, after `expected`: `expected a number of seconds, 2 to 120`."""
    example: str = ""
    """A line that is right, for the hint; without one, the first of the field's examples."""
    hint: str = ""
    """Instead of `write it like this:` and the example."""
    written: str = ""
    """In the reference: the form of the value; of a list `expected` says it."""
    default_text: str = ""
    """In the reference: the default."""
    parse: Form | None = None
    suggest: Callable[[str], str | None] | None = None
    """The hint for an invalid text; None without a guess."""
    is_valid: Callable[[str], bool] | None = None
    """Instead of the type's pattern."""
    synonyms: tuple[str, ...] = ()
    """Other words for the key, in lower case."""
    is_text: bool = False
    """Whether an unquoted number or boolean, or an empty text, is a mistake."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401  # pydantic's own
        if self.parse is None:
            return handler(source)
        before = BeforeValidator(self.parse.parse, json_schema_input_type=self.parse.schema)
        return before.__get_pydantic_core_schema__(source, handler)


@dataclass(frozen=True)
class Declaration:
    """The valid values at a key path of the file."""

    key: Key = Key("a text")
    pattern: str = ""
    choices: tuple[str, ...] = ()
    keys: Mapping[str, Declaration] = field(default_factory=dict)
    """Of a mapping whose keys are known."""
    items: Declaration | None = None
    """Of a list, or of a mapping whose keys are free."""

    def at(self, key_path: Sequence[str | int]) -> Declaration:
        """The declaration at a key path; below a key without inner declarations, that of the key."""
        part = self
        for step in key_path:
            part = part.keys.get(str(step), Declaration()) if part.keys else part.items or part
        return part

    @property
    def hint(self) -> str:
        """The hint for a value that `suggest` has no guess for."""
        return self.key.hint or (f"write it like this: {self.key.example}" if self.key.example else _QUOTES)

    def parse(self, value: object) -> object:
        """The value as the model holds it; an invalid one unchanged."""
        return self.key.parse.parse(value) if self.key.parse else value

    def accepts(self, text: str) -> bool:
        """Whether a text matches `is_valid` or the pattern; True without either."""
        if self.key.is_valid:
            return self.key.is_valid(text)
        return not self.pattern or matches(self.pattern, text)


_SIMPLE: dict[object, Key] = {
    str: Key("a text", written="text"),
    int: Key(written="number"),
    bool: Key("true or false", written="`true` or `false`"),
}


def declaration_of(annotation: Any, metadata: Sequence[object] = (), outer: Key = Key()) -> Declaration:  # noqa: ANN401  # any type
    """The declaration of a type, from its own annotations and those of the types inside; `outer` lends its hint."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return declaration_of(arguments[0], (*annotation.__metadata__, *metadata), outer)
    inner = _declaration_inside(annotation, origin, arguments)
    keys = [_SIMPLE.get(annotation, inner.key), *(each for each in metadata if isinstance(each, Key))]
    key = Key(**{part.name: value for key in keys for part in fields(Key) if (value := getattr(key, part.name))})
    if not (key.hint or key.example):
        key = replace(key, hint=outer.hint, example=outer.example)
    if origin in {tuple, list} and not key.written:
        key = replace(key, written=key.expected.removeprefix("a "))
    patterns = [str(pattern) for each in metadata if (pattern := getattr(each, "pattern", None))]
    items = declaration_of(arguments[1 if origin is dict else 0], (), key) if origin in {tuple, list, dict} else None
    return replace(inner, key=key, pattern=patterns[-1] if patterns else inner.pattern, items=items)


def _declaration_inside(annotation: Any, origin: object, arguments: Sequence[Any]) -> Declaration:  # noqa: ANN401  # any type
    """The declaration of a type without its annotations."""
    if origin in {Union, UnionType}:
        members = [declaration_of(each) for each in arguments if each is not NoneType]
        return replace(members[0], keys={name: each for member in members for name, each in member.keys.items()})
    if origin is Literal:
        *first, last = arguments
        written = f"{', '.join(f'`{word}`' for word in first)} or `{last}`"
        return Declaration(Key(f"{', '.join(first)} or {last}", written=written), choices=tuple(arguments))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        keys = dict[str, Declaration]()
        for name, info in annotation.model_fields.items():
            key = info.alias or name
            example = Key(example=f"{key}: {to_flow(info.examples[0])}") if info.examples else Key()
            keys[key] = declaration_of(info.annotation, info.metadata, example)
        return Declaration(Key("a mapping", written="mapping", default_text="the defaults of its keys"), keys=keys)
    return Declaration(Key())


def to_flow(value: Any) -> str:  # noqa: ANN401  # whatever an example holds
    """A value as one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {to_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(to_flow(item) for item in value) + "]"
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value)


def declare(
    default: Any = PydanticUndefined,  # noqa: ANN401  # of the key's type
    expected: str = "",
    *,
    description: str,
    examples: list[Any],
    example: str = "",
    hint: str = "",
    written: str = "",
    default_text: str = "",
    parse: Form | None = None,
    suggest: Callable[[str], str | None] | None = None,
    is_valid: Callable[[str], bool] | None = None,
    synonyms: tuple[str, ...] = (),
    is_text: bool = False,
    **constraints: Any,  # noqa: ANN401  # of several types
) -> Any:  # noqa: ANN401  # as pydantic's Field, for the type of the key
    """A key of a model: pydantic's Field with a Key. `constraints` are further arguments of Field."""
    info = Field(default, description=description, examples=examples, **constraints)
    info.metadata.append(
        Key(expected, example, hint, written, default_text, parse, suggest, is_valid, synonyms, is_text)
    )
    return info


def integer(least: int, most: int) -> Form:
    return Form(lambda value: _among(value, range(least, most + 1)), Annotated[int, Field(ge=least, le=most)])


def number_of(allowed: tuple[int, ...]) -> Form:
    return Form(lambda value: _among(value, allowed), Literal[allowed])


def _among(value: object, allowed: Container[int]) -> object:
    if isinstance(value, str) and _WHOLE.fullmatch(value) and int(value) in allowed:
        return int(value)
    return value


def as_memory(value: object) -> object:
    """The number of MiB in `2048` or `2GB`, where Fargate has it; it counts 1024 MiB to the GB."""
    size = parse_mebibytes(value) if isinstance(value, str) else None
    return size if size in MEMORIES else value


def parse_mebibytes(text: str) -> int | None:
    """The number of MiB in a text, whether Fargate has it or not."""
    if not matches(MEMORY, text):
        return None
    number = text.rstrip("GiB ")
    return int(number) if number == text else int(float(number) * 1024)


def _as_days(value: object) -> object:
    """The number of days in `90d` or `90`; None for ever."""
    if not isinstance(value, str) or not matches(DAYS, value):
        return value
    return None if value == FOREVER else int(value.removesuffix("d"))


def as_duration(value: object) -> object:
    """The number of seconds in `90s`, `45m`, `26h` or `1d`."""
    if not isinstance(value, str) or not matches(DURATION, value):
        return value
    return int(value[:-1]) * DURATION_UNITS[value[-1]]


def as_rows(value: object) -> object:
    return int(value) if isinstance(value, str) and matches(ROWS, value) else value


def as_retention(value: object) -> object:
    """The number of days in `90d` or `90`, where CloudWatch Logs knows it; None for ever."""
    days = _as_days(value)
    return days if days is None or days in RETENTIONS else value


def as_flag(value: object) -> object:
    return _FLAGS.get(value.lower(), value) if isinstance(value, str) else value


def as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def as_words(value: object) -> object:
    return split_words(value).words if isinstance(value, str) else value


def _as_mapping(value: object) -> object:
    """The list form of envs, [{key: TZ, value: UTC}], as a mapping."""
    if not isinstance(value, list):
        return value
    pairs = [(item["key"], item["value"]) for item in value if isinstance(item, dict) and item.keys() == _PAIR]
    is_complete = len(pairs) == len(value) and all(isinstance(key, str) for key, _ in pairs)
    return dict(pairs) if is_complete else value


def as_directory(value: object) -> object:
    """The directory of a venv, given by name or by path, relative to the project."""
    if not isinstance(value, str):
        return value
    return str(PurePosixPath(value)) if "/" in value else f"venv/{value}"


def as_requirements(value: object) -> object:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return [word for line in value for word in (requirements_of(line) or ())]
    return value


def requirements_of(line: str) -> tuple[str, ...] | None:
    """The requirements in a `pip install ...` line; None for another command."""
    found = _PIP.fullmatch(line)
    if not found:
        return None
    try:
        return tuple(shlex.split(found["rest"]))
    except ValueError:
        return None


def venv_name_of(directory: str) -> str:
    return PurePosixPath(directory).name.lstrip(".-")


class EnvItem(BaseModel, extra="forbid", frozen=True):
    """One environment variable in the list form of `envs`."""

    key: Annotated[str, Field(pattern=NAME, description="The variable's name.")]
    value: Annotated[
        str, WithJsonSchema({"type": ["string", "number", "boolean"]}), Field(description="Its value, read as text.")
    ]


Text: TypeAlias = Annotated[
    str, WithJsonSchema({"type": ["string", "number", "boolean"]}), Key(hint=_QUOTES, written="text")
]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=NAME)]
Line: TypeAlias = Annotated[str, StringConstraints(min_length=1), Key(is_text=True)]
TextMapping: TypeAlias = Annotated[
    dict[Name, Text], Key("a mapping of names and texts", written="mapping: name to text")
]
_EnvValue: TypeAlias = Annotated[
    Text, Key(hint="write it like this: envs: {TZ: UTC}, or as a list: - {key: TZ, value: UTC}")
]
Envs: TypeAlias = Annotated[
    dict[Name, _EnvValue],
    Key(
        "a mapping of names and texts",
        example="envs: {TZ: UTC}",
        synonyms=("environment", "environment_variables"),
        written="mapping: name to text; or a list of `key` and `value`",
        parse=Form(_as_mapping, dict[Name, Text] | list[EnvItem]),
    ),
]
Flag: TypeAlias = Annotated[
    StrictBool, Key(parse=Form(as_flag, bool | Literal["yes", "no", "on", "off"]), suggest=suggestions.flag)
]
Days: TypeAlias = Annotated[
    StrictInt | None,
    Key(
        f"1d to {MAX_DAYS}d, or {FOREVER}",
        written=f"days, or `{FOREVER}`",
        parse=Form(
            _as_days, Annotated[int, Field(ge=1, le=MAX_DAYS)] | Annotated[str, StringConstraints(pattern=DAYS)]
        ),
        suggest=suggestions.days,
    ),
]
