"""What would change in a stack: resource by resource, with its properties; parameters, outputs and tags too."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from handoff_kit.stacks import template as templates
from handoff_kit.stacks.kinds import replaces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from handoff_kit.stacks.deployed import Deployed
    from handoff_kit.steps import ChangeStack

__all__ = ["OTHERS", "Action", "Difference", "between", "is_of_resource", "merged"]

Action = Literal["add", "change", "replace", "may replace", "remove"]
OTHERS = ("parameter", "output", "tag", "template")
"""What else than a resource may differ."""
SHORT = 48
KEPT = ("Retain", "RetainExceptOnCreate", "Snapshot")
IGNORED = ("DependsOn",)
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it shall be; `kind` is a resource's type, or one of OTHERS.

    `properties` are those that differ; of a parameter, output or tag the values. What is `kept` outlives its removal.
    """

    action: Action
    name: str
    kind: str
    properties: tuple[str, ...] = ()
    kept: bool = False


@dataclass(frozen=True)
class _Whole:
    """A stack as far as it is compared: its template with the parameters in place."""

    sections: Mapping[str, Mapping[str, Any]]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]


def between(deployed: Deployed | None, step: ChangeStack, parameters: Mapping[str, str]) -> tuple[Difference, ...]:
    """What differs between a stack as it is and as it shall be; `parameters` are the step's with images resolved."""
    if deployed and _same(deployed, step, parameters):
        return ()
    wanted = _whole(step.template, parameters, step.tags)
    if deployed is None:
        return tuple(sorted(_in_section("Resources", {}, wanted), key=_order))
    found = _whole(deployed.template, deployed.parameters, deployed.tags)
    return tuple(sorted(_all(found, wanted), key=_order))


def is_of_resource(difference: Difference) -> bool:
    """Whether it is a resource that differs."""
    return difference.kind not in OTHERS


def merged(told: Iterable[Difference], seen: Iterable[Difference]) -> tuple[Difference, ...]:
    """What CloudFormation tells of resources, with what we see ourselves where it tells no properties."""
    own = {each.name: each for each in seen if is_of_resource(each)}
    resources = [_with_properties(each, own.get(each.name)) for each in told]
    others = [each for each in seen if not is_of_resource(each)]
    return tuple(sorted((*resources, *others), key=_order))


def _with_properties(told: Difference, seen: Difference | None) -> Difference:
    if seen is None or told.action in ("add", "remove") or seen.kind != told.kind:
        return told
    shallow = not any("." in name for name in told.properties)
    return replace(told, properties=seen.properties) if shallow and seen.properties else told


def _same(deployed: Deployed, step: ChangeStack, parameters: Mapping[str, str]) -> bool:
    """Whether nothing differs, seen without reading the templates."""
    texts = (dict(deployed.parameters), dict(deployed.tags)) == (dict(parameters), dict(step.tags))
    return texts and deployed.template == step.template


def _order(found: Difference) -> tuple[int, str, str]:
    return (OTHERS.index(found.kind) + 1 if found.kind in OTHERS else 0, found.name, found.kind)


def _whole(text: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> _Whole:
    template = templates.parse(text)
    values = {**templates.defaults(template), **parameters}
    filled = {name: templates.filled(template.get(name), values) or {} for name in templates.SECTIONS}
    found = {name: _named(section) for name, section in filled.items()}
    return _Whole({**found, "Resources": templates.made(found["Resources"], found["Conditions"])}, values, tags)


def _named(section: Any) -> dict[str, Any]:  # noqa: ANN401  # any part of a template
    return section if isinstance(section, dict) else {"": section}


def _all(found: _Whole, wanted: _Whole) -> Iterator[Difference]:
    yield from _in_section("Resources", found.sections["Resources"], wanted)
    yield from _of_texts("parameter", found.parameters, wanted.parameters)
    yield from _of_texts("output", _outputs(found), _outputs(wanted))
    yield from _of_texts("tag", found.tags, wanted.tags)
    for name in templates.SECTIONS:
        if name not in ("Resources", "Outputs") and found.sections[name] != wanted.sections[name]:
            yield Difference("change", name, "template")


def _in_section(name: str, found: Mapping[str, Any], wanted: _Whole) -> Iterator[Difference]:
    there = wanted.sections[name]
    for one in {**found, **there}:
        if one not in found:
            yield Difference("add", one, _type(there[one]))
        elif one not in there:
            yield Difference("remove", one, _type(found[one]), kept=_is_kept(found[one], "DeletionPolicy"))
        elif properties := tuple(_paths(_compared(found[one]), _compared(there[one]))):
            yield _changed(one, found[one], there[one], properties)


def _changed(name: str, found: Any, wanted: Any, properties: tuple[str, ...]) -> Difference:  # noqa: ANN401
    kind = _type(wanted)
    another = kind != _type(found) or replaces(kind, properties)
    kept = another and _is_kept(found, "UpdateReplacePolicy")
    return Difference("replace" if another else "change", name, kind, properties, kept=kept)


def _compared(resource: Any) -> Any:  # noqa: ANN401
    """A resource's properties, and beside them its other attributes."""
    if not isinstance(resource, dict):
        return resource
    others = {name: one for name, one in resource.items() if name not in ("Properties", *IGNORED)}
    return {**others, **templates.section(resource, "Properties")}


def _paths(found: Any, wanted: Any, at: str = "") -> Iterator[str]:  # noqa: ANN401
    """Where two values differ, as dotted paths, as deep as both have the same form."""
    if found == wanted:
        return
    if isinstance(found, dict) and isinstance(wanted, dict) and not _is_function(found) and not _is_function(wanted):
        for name in sorted({**found, **wanted}):
            yield from _paths(found.get(name), wanted.get(name), f"{at}.{name}" if at else name)
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
            yield from _paths(one, other, f"{at}.{number}" if at else str(number))
    else:
        yield at


def _is_function(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))


def _type(resource: Any) -> str:  # noqa: ANN401
    return str(resource.get("Type", "")) if isinstance(resource, dict) else ""


def _is_kept(resource: Any, policy: str) -> bool:  # noqa: ANN401
    return isinstance(resource, dict) and resource.get(policy) in KEPT


def _outputs(whole: _Whole) -> dict[str, str]:
    return {name: _text(one) for name, one in whole.sections["Outputs"].items()}


def _text(output: Any) -> str:  # noqa: ANN401
    """An output's value as one would write it, with what else is said of it."""
    match output:
        case {"Value": str(text)} | {"Value": {"Fn::Sub": str(text)}} | {"Value": {"Fn::GetAtt": str(text)}}:
            return text
        case {"Value": {"Ref": str(text)}}:
            return f"${{{text}}}"
    return str(output)


def _of_texts(kind: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[Difference]:
    for name in {**found, **wanted}:
        if name not in found:
            yield Difference("add", name, kind, (_short(wanted[name]),))
        elif name not in wanted:
            yield Difference("remove", name, kind, (_short(found[name]),))
        elif found[name] != wanted[name]:
            yield Difference("change", name, kind, (f"{_short(found[name])} -> {_short(wanted[name])}",))


def _short(text: str) -> str:
    """A value to be recognised by: a digest's beginning, and of anything long its end."""
    text = _DIGEST.sub(r"\1", " ".join(text.split()))
    return text if len(text) <= SHORT else f"...{text[3 - SHORT :]}"
