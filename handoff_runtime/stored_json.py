"""Reads JSON objects that handoff stored, and checks their shape: they may be cut, overwritten or of another version.

What cannot be read is named, skipped, and never ends or blocks a run. (A state is the user's: it has no part in this.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from handoff_runtime import exact_json, s3_keys
from handoff_runtime.annotations import Any
from handoff_runtime.namedtuple import NamedTuple

Check = Callable[[Any], bool]

LARGEST = 1e15  # of a number that is a count, seconds or bytes
STAMP = "0000-00-00T00:00:00.000Z"
DIGITS = frozenset("0123456789")
KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}


class Shape(NamedTuple):
    """The fields of an object that are read, each with its check; `required` are those it cannot be read without."""

    fields: Mapping[str, Check]
    required: frozenset[str] = frozenset()


class Parsed(NamedTuple):
    """An object whose known fields are as they should be, or what is wrong."""

    value: Mapping[str, Any] | None
    damage: str = ""


def parse(content: bytes, shape: Shape) -> Parsed:
    """Read one object."""

    def refuse(constant: str) -> None:  # NaN, Infinity
        raise ValueError(f"{constant} found")

    try:
        found = exact_json.loads(content.decode(), parse_constant=refuse)
    except RecursionError:
        return Parsed(None, "nested too deeply")
    except ValueError as error:
        return Parsed(None, f"no JSON ({error})" if content.strip() else "empty")
    wrong = find_damage(found, shape)
    return Parsed(None, wrong) if wrong else Parsed(found)


def find_damage(found: object, shape: Shape) -> str:
    """What is wrong with a value that should be an object of this shape; nothing where it is one."""
    if not isinstance(found, dict):
        return f"{KINDS.get(type(found), 'a number')} found, an object expected"
    missing = [name for name in sorted(shape.required) if name not in found]
    invalid = invalid_fields(found, shape)
    return f"no {missing[0]} found" if missing else f"an odd value of {invalid[0]} found" if invalid else ""


def invalid_fields(found: Mapping[str, object], shape: Shape) -> list[str]:
    """The fields whose values are not as they should be."""
    return [name for name, check in shape.fields.items() if name in found and not check(found[name])]


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_object(value: object) -> bool:
    return isinstance(value, dict)


def is_flag(value: object) -> bool:
    return isinstance(value, bool)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def is_count(value: object) -> bool:
    return is_number(value) and isinstance(value, int)


def is_stamp(value: object) -> bool:
    """Whether it is a moment as the record writes it."""
    return (
        isinstance(value, str)
        and len(value) == len(STAMP)
        and all(found in DIGITS if form == "0" else found == form for found, form in zip(value, STAMP, strict=True))
    )


def optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def object_of(shape: Shape) -> Check:
    return lambda value: not find_damage(value, shape)


def list_of(shape: Shape) -> Check:
    return lambda value: isinstance(value, list) and not any(find_damage(item, shape) for item in value)


SUMMARY: Mapping[str, Check] = {
    "run_id": s3_keys.is_run_id,
    "environment": is_text,
    "command": is_text,
    "trigger": is_text,
    "started_at": is_stamp,
    "ended_at": optional(is_stamp),
    "seconds": optional(is_number),
    "outcome": is_text,
    "exit": optional(is_count),
    "culprit": optional(is_text),
    "reason": optional(is_text),
    "attempt": is_count,
    "params_version": optional(is_text),
    "image_digest": optional(is_text),
    "execution": optional(is_text),
    "schedule": optional(is_text),
    "data": optional(is_object),
}
ADDED = frozenset({"execution", "schedule", "data"})
"""Of the summary, what records and lines of handoff 0.1 lack."""
_FIGURES = ("seconds", "cpu_seconds")
_COUNTS = ("exit", "signal", "peak_memory_bytes", "rows", "bytes", "rows_in", "bytes_in", "rows_out", "bytes_out")
_STAGE = Shape(
    {
        "name": is_text,
        "verdict": optional(is_text),
        **{name: optional(is_number) for name in _FIGURES},
        **{name: optional(is_count) for name in _COUNTS},
    },
    frozenset({"name"}),
)
_SNAPSHOT = Shape({"bytes": is_count}, frozenset({"bytes"}))
_STATE = Shape(
    {
        "replaced": is_flag,
        "before": optional(object_of(_SNAPSHOT)),
        "after": optional(object_of(_SNAPSHOT)),
    },
    frozenset({"replaced"}),
)
_RECORD: Mapping[str, Check] = {
    **SUMMARY,
    "project": is_text,
    "stages": list_of(_STAGE),
    "state": object_of(_STATE),
}
RECORD = Shape(_RECORD, frozenset(_RECORD) - ADDED)
ENTRY = Shape(
    {**SUMMARY, "rows": optional(is_count), "state_replaced": is_flag}, frozenset({"run_id", "started_at", "outcome"})
)
LINE = Shape(ENTRY.fields, frozenset({"run_id", "started_at"}))
PROGRESS = Shape({"stages": list_of(_STAGE)}, frozenset({"stages"}))
ANY = Shape({})
