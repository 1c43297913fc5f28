"""Frozen records that cost nothing to define.

`typing.NamedTuple` and dataclasses compile code for each class when it is defined: a third of the time in
which a small pipeline starts and ends. To a type checker these are NamedTuples, and they behave so.
"""

from __future__ import annotations

from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any
    from typing import NamedTuple as NamedTuple  # noqa: PLC0414  # handed on


class _Fields(type):
    """Makes a tuple class of a class body: annotations are the fields, assigned values their defaults."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _Fields:
        fields = tuple(body.get("__annotations__", ()))
        defaults = {field: body.pop(field) for field in fields if field in body}
        places = {field: property(itemgetter(index)) for index, field in enumerate(fields)}
        return super().__new__(cls, name, bases, {**body, **places, "_fields": fields, "_defaults": defaults})


class NamedTupleBase(tuple, metaclass=_Fields):  # type: ignore[type-arg]  # its fields have many types
    """A tuple whose fields have names."""

    _fields: tuple[str, ...]
    _defaults: Mapping[str, Any]
    __slots__ = ()

    def __new__(cls, *given: Any, **named: Any) -> NamedTupleBase:  # noqa: PYI034  # typing.Self is of 3.11
        values = {**cls._defaults, **dict(zip(cls._fields, given, strict=False)), **named}
        if len(given) > len(cls._fields) or values.keys() != set(cls._fields):
            raise TypeError(f"{cls.__name__} takes {', '.join(cls._fields)}")
        return tuple.__new__(cls, [values[field] for field in cls._fields])

    def __repr__(self) -> str:
        shown = ", ".join(f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({shown})"

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def _replace(self, **named: Any) -> NamedTupleBase:
        return type(self)(**{**self._asdict(), **named})


if not TYPE_CHECKING:
    NamedTuple = NamedTupleBase
