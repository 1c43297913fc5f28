"""Rules for keys: unknown, or in the wrong mapping."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from handoff_kit.project.fields import Declaration, EnvItem
from handoff_kit.project.model import PROJECT_FILE
from handoff_kit.project.problem import shorten
from handoff_kit.project.validation.fault import Fault, label
from handoff_kit.project.yaml_reader import Data, KeyPath, YamlFile
from handoff_kit.text import did_you_mean

_PARTS = {name: part.keys for name, part in PROJECT_FILE.keys.items() if part.keys}
_STATEMENT = PROJECT_FILE.at(("deploy", "policies", 0)).keys
_ANYWHERE = {"name", "data"}  # what a schedule has, but other things might have too
_PLACES: dict[str, Collection[str]] = {
    "belongs to the whole project, at the left margin": PROJECT_FILE.keys,
    "belongs to a stage, under commands": PROJECT_FILE.at(("commands", 0)).keys,
    "belongs to a schedule, under schedules": PROJECT_FILE.at(("schedules", 0)).keys.keys() - _ANYWHERE,
    "belongs to a statement, under policies": _STATEMENT,
    **{f"belongs under {part}": known for part, known in _PARTS.items()},
}
_NO_KEYS = {
    "NotAction": "say what it may do instead, as Action",
    "NotResource": "say what it is about instead, as Resource",
    "Principal": "take it out: the task's own role is meant",
    **dict.fromkeys(("Version", "Statement"), "write the statements alone, each as an item of policies"),
}


def unknown_keys(source: YamlFile) -> Iterator[Fault]:
    """Keys that their mapping does not have."""
    mappings: list[tuple[KeyPath, dict[str, Data]]] = [((), source.mapping())]
    mappings += [((part,), source.mapping(part)) for part in _PARTS]
    mappings += [*source.mappings("commands"), *source.mappings("deploy", "policies"), *source.mappings("schedules")]
    for key_path, data in mappings:
        known = PROJECT_FILE.at(key_path).keys
        yield from (_unknown_key((*key_path, key), _hint(key, known)) for key in data if key not in known)
    for key_path, item in env_mappings(source):
        for key in (key for key in item if key not in EnvItem.model_fields):
            nearest = did_you_mean(key, EnvItem.model_fields)
            hint = f"did you mean `{nearest}`?" if nearest else f"write it like this: - {{key: {key}, value: ...}}"
            yield _unknown_key((*key_path, key), hint)


def env_paths(source: YamlFile) -> list[KeyPath]:
    """The key paths of the project's `envs` and of those of every stage."""
    return [("envs",), *((*key_path, "envs") for key_path, _ in source.mappings("commands"))]


def env_mappings(source: YamlFile) -> Iterator[tuple[KeyPath, dict[str, Data]]]:
    """Every item of an `envs` in list form."""
    return (item for key_path in env_paths(source) for item in source.mappings(*key_path))


def is_misspelt(data: Mapping[str, Data], key_path: KeyPath, *names: str) -> bool:
    """Whether a mapping holds an unknown key that is probably one of `names`."""
    known = PROJECT_FILE.at(key_path).keys
    return any(_nearest(key, known) in names for key in data if key not in known)


def _unknown_key(key_path: KeyPath, hint: str) -> Fault:
    of = f" of {label(key_path[:-1])}" if key_path[:-1] else ""
    return Fault(key_path, f"`{shorten(str(key_path[-1]))}` is not a known key{of}", hint, on_key=True)


def _hint(key: str, known: Mapping[str, Declaration]) -> str:
    if key in _NO_KEYS and known is _STATEMENT:
        return _NO_KEYS[key]
    nearest = _nearest(key, known)
    if places := [place for place, keys in _PLACES.items() if key in keys]:
        return f"`{key}` {places[0]}" + (f"; or did you mean `{nearest}`?" if nearest else "")
    return f"did you mean `{nearest}`?" if nearest else f"known here: {', '.join(known)}"


def _nearest(key: str, known: Mapping[str, Declaration]) -> str | None:
    """The known key nearest to a key: by its synonyms, then by its spelling."""
    word = key.lower().replace("-", "_")
    return next((name for name, each in known.items() if word in each.key.synonyms), None) or did_you_mean(key, known)
