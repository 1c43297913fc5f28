"""Damages of a file, each a function of its content, and the record of a run to be damaged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Damage = Callable[[bytes], bytes]

RUN = "20260101T000000Z-abcdef"
DAY = "2026-01-01"
RECORD: dict[str, Any] = {
    "format": 1,
    "run_id": RUN,
    "project": "sample",
    "environment": "dev",
    "command": "run",
    "trigger": "local",
    "attempt": 1,
    "scheduled_at": f"{DAY}T00:00:00.000Z",
    "started_at": f"{DAY}T00:00:00.000Z",
    "ended_at": None,
    "seconds": None,
    "outcome": "running",
    "exit": None,
    "culprit": None,
    "reason": None,
    "data": {},
    "params_version": None,
    "params_sha256": None,
    "image_digest": None,
    "meter": "rows",
    "stages": [{"name": "echo", "argv": ["echo"]}],
    "state": {"mode": "all", "before": None, "after": None, "replaced": False},
}


def line_of(run_id: str, hour: int) -> dict[str, Any]:
    """The line of a run in the index of its day."""
    entry = {name: value for name, value in RECORD.items() if name not in ("stages", "state", "data", "format")}
    return {**entry, "run_id": run_id, "started_at": f"{DAY}T{hour:02}:00:00.000Z", "rows": 1, "state_replaced": True}


def changed(**fields: Any) -> Damage:
    """Other values for some fields of each line that is an object."""

    def damage(content: bytes) -> bytes:
        lines = [{**json.loads(line), **fields} for line in _lines(content)]
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    return damage


def constant(content: bytes) -> Damage:
    """The same, whatever was there."""
    return lambda _: content


def _lines(content: bytes) -> list[bytes]:
    try:
        json.loads(content)
    except ValueError:
        return content.splitlines()
    return [content]


DAMAGES: dict[str, Damage] = {
    "empty": constant(b""),
    "half": lambda content: content[: len(content) // 2],
    "without its end": lambda content: content[:-3],
    "bytes": constant(bytes(range(256))),
    "zeros": constant(b"\0" * 300),
    "null": constant(b"null\n"),
    "a list": constant(b"[]\n"),
    "a text": constant(b'"x"\n'),
    "a number": constant(b"5\n"),
    "an object": constant(b"{}\n"),
    "nested": constant(b"[" * 100_000 + b"]" * 100_000 + b"\n"),
    "nested objects": constant(b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n"),
    "a long number": constant(b"9" * 5000 + b"\n"),
    "no stages": changed(stages=None, entry=None, dead=None),
    "other stages": changed(stages=[1, None, {"name": 3}], dead=[1, None, "x", [], {"run_id": 5}]),
    "no state": changed(state=None, dead="x"),
    "another state": changed(state={"replaced": "yes", "after": [], "before": 5}, dead={"a": 1}),
    "numbers for texts": changed(run_id=5, outcome=7, started_at=1, trigger=2, culprit=3, holder=4, released="no"),
    "texts for numbers": changed(seconds="x", exit="y", attempt="z", rows="r", lease_seconds="l", beat="b"),
    "huge numbers": changed(
        seconds=1e300, exit=10**400, attempt=10**30, rows=10**100, lease_seconds=1e300, beat=10**99
    ),
    "no numbers": changed(seconds=float("nan"), rows=float("inf"), lease_seconds=float("nan")),
    "a path for an id": changed(run_id="../../../x", started_at="../../../../etc/passwd"),
    "halves of characters": changed(reason="\ud800", culprit="\udfff", trigger="\ud83d", environment="dev"),
}
WHOLE = ("halves of characters",)
"""Damages that leave a record that can be read; every other one is named."""
