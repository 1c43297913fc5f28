"""Placeholders: `{{ name }}` inside one argv word or env value, filled at run time and never split again.

A name is looked up in data, then vars, then envs, then the built-ins. Anything else in braces is literal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from handoff_runtime import exact_json
from handoff_runtime.annotations import Any
from handoff_runtime.errors import PipelineError, UsageError, mark_inserted
from handoff_runtime.pipeline import Pipeline, Stage, can_be_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime


DEEPEST = 100  # levels of lists and objects in data: what walks them calls itself for each
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PLACEHOLDER = re.compile(r"\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}")


def parse_data(text: str, where: str = "DATA") -> dict[str, Any]:
    """Read the JSON object given with --data or in DATA; an empty text is an empty object.

    Numbers keep their texts (`exact_json`). What other programs read otherwise is refused: NaN, a name given twice.
    """

    def refuse_constant(constant: str) -> None:
        raise UsageError(f"{where}: {constant} found, which is no JSON", f'write it as a text: "{constant}"')

    def refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            names = [name for name, _ in pairs]
            twice = mark_inserted(repr(next(name for name in names if names.count(name) > 1)))
            raise UsageError(f"{where}: the name {twice} found twice, each name once expected", "keep one of the two")
        return found

    try:
        hooks = {"parse_constant": refuse_constant, "object_pairs_hook": refuse_repeated}
        data = exact_json.loads(text, **hooks) if text.strip() else {}
    except ValueError as error:  # the text itself may hold a secret
        raise UsageError(f"{where}: text that is no JSON found, a JSON object expected ({error})", _EXAMPLE) from None
    except RecursionError:
        raise _too_deep(where) from None
    if not isinstance(data, dict):
        raise UsageError(f"{where}: a JSON {_KINDS.get(type(data), 'number')} found, a JSON object expected", _EXAMPLE)
    if _is_deeper(data, DEEPEST):
        raise _too_deep(where)
    return data


def _is_deeper(value: object, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(inner) and (not levels or any(_is_deeper(item, levels - 1) for item in inner))


def _too_deep(where: str) -> UsageError:
    hint = "put a document into a file: projects/NAME/files/"
    return UsageError(f"{where}: values nested deeper than {DEEPEST} levels found, flatter ones expected", hint)


_KINDS = {list: "list", str: "text", bool: "boolean", type(None): "null"}
_EXAMPLE = """write it like this: --data '{"start_at": "2026-01-01T00:00:00"}'"""


def known_values(data: Mapping[str, Any], pipeline: Pipeline, run_id: str, scheduled_at: datetime) -> dict[str, str]:
    """Every known name and its text; env values may use data, vars and built-ins, not one another.

    `scheduled_at` is in UTC.
    """
    builtins, given = _builtins(data, pipeline, run_id, scheduled_at), dict(pipeline.vars)
    for name, value in data.items():
        text = value if isinstance(value, str) else exact_json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        if not can_be_argument(text):  # NUL or lone surrogates (execve(2))
            found = mark_inserted(repr(value))
            raise UsageError(f"data.{name}: {found} found, a text that can be an argument of a command expected")
        given[name] = text
    known = {**builtins, **given}
    envs = {name: fill_text(text, known, f"envs.{name}") for name, text in pipeline.envs.items()}
    return {**builtins, **envs, **given}


def fill_text(text: str, known: Mapping[str, str], where: str) -> str:
    """Put the values in; an unknown name is an error that lists the known ones."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in known:
            raise PipelineError(
                f"{where}: placeholder {{{{ {name} }}}} found, one of {', '.join(sorted(known))} expected",
                f"""give it a default under `vars:`, or a value: --data '{{"{name}": "..."}}'""",
            )
        return known[name]

    return PLACEHOLDER.sub(value, text) if "{{" in text else text


def fill_pipeline(pipeline: Pipeline, data: Mapping[str, Any], run_id: str, scheduled_at: datetime) -> Pipeline:
    """The same pipeline without placeholders; each stage's envs hold the shared ones too."""
    known = known_values(data, pipeline, run_id, scheduled_at)
    shared = {name: fill_text(text, known, f"envs.{name}") for name, text in pipeline.envs.items()}
    stages: list[Stage] = []
    for stage in pipeline.stages:
        where = f"stage {stage.name}"
        own = {key: fill_text(text, known, f"{where}.envs.{key}") for key, text in stage.envs.items()}
        argv = tuple(fill_text(word, known, where) for word in stage.argv)
        stages.append(stage._replace(argv=argv, label=fill_text(stage.label, known, where), envs={**shared, **own}))
    return pipeline._replace(envs=shared, stages=tuple(stages))


def _builtins(data: Mapping[str, Any], pipeline: Pipeline, run_id: str, scheduled_at: datetime) -> dict[str, str]:
    from datetime import timedelta

    today = scheduled_at.date()
    try:
        start, end = time_window(data, scheduled_at)
        yesterday = today - timedelta(days=1)
    except OverflowError:
        raise UsageError("data: a time window that leaves the years 1 to 9999 found, a nearer one expected") from None
    return {
        "run_id": run_id,
        "project": pipeline.project,
        "environment": pipeline.environment,
        "scheduled_at": _iso(scheduled_at),
        "start_at": _iso(start),
        "end_at": _iso(end),
        "today": today.isoformat(),
        "yesterday": yesterday.isoformat(),
    }


def time_window(data: Mapping[str, Any], scheduled_at: datetime) -> tuple[datetime, datetime]:
    """The time window: from data, else yesterday 00:00 to today 00:00 UTC, counted from `scheduled_at`.

    `start_offset_days` counts from today 00:00 to the start (default -1), `duration_days` from the start to
    the end. UsageError where a value is no time or the start is not before the end.
    """
    from datetime import timedelta

    midnight = scheduled_at.replace(hour=0, minute=0, second=0, microsecond=0)
    start = _given_time(data, "start_at") or midnight + timedelta(days=_days(data, "start_offset_days", -1))
    end = _given_time(data, "end_at") or midnight
    if "end_at" not in data and "duration_days" in data:
        end = start + timedelta(days=_days(data, "duration_days", 1))
    if start >= end:
        raise UsageError(
            f"data: start_at {_iso(start)} and end_at {_iso(end)} found, a start before the end expected",
            "give both, or start_offset_days and duration_days",
        )
    return start, end


def scheduled_at(data: Mapping[str, Any], now: float) -> datetime:
    """When this run was due: from data (EventBridge hands it over), else now (seconds since the epoch)."""
    from datetime import datetime, timezone

    return _given_time(data, "scheduled_at") or datetime.fromtimestamp(now, timezone.utc).replace(microsecond=0)


def _given_time(data: Mapping[str, Any], name: str) -> datetime | None:
    from datetime import datetime, timezone

    if name not in data:
        return None
    text = data[name]
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return found.replace(tzinfo=timezone.utc) if found.tzinfo is None else found.astimezone(timezone.utc)
    except (ValueError, AttributeError, TypeError, OverflowError):
        rule = "a time like 2026-01-31T00:00:00 or 2026-01-31T00:00:00Z"
        raise UsageError(f"data.{name}: {mark_inserted(repr(text))} found, {rule} expected") from None


def _days(data: Mapping[str, Any], name: str, default: int) -> int:
    text = data.get(name, default)
    try:
        return int(str(text))
    except ValueError:
        raise UsageError(f"data.{name}: {mark_inserted(repr(text))} found, a whole number of days expected") from None


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
