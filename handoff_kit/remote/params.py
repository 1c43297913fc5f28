"""The params in Parameter Store: stored when they differ, shown with secrets starred, compared by key."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handoff_kit import given
from handoff_kit.errors import ProjectError
from handoff_kit.project import params_document as documents
from handoff_kit.remote import fingerprint, parameter
from handoff_kit.remote.change import Change
from handoff_kit.remote.consent import ask
from handoff_kit.remote.errors import AWSError, told
from handoff_kit.remote.parameter import Stored
from handoff_kit.remote.table import stamp, table
from handoff_runtime import mask, sealed, store
from handoff_runtime.aws.clients import SSM
from handoff_runtime.mask import STARS
from handoff_runtime.terminal import safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project
    from handoff_kit.remote.parameter import Damaged
    from handoff_kit.remote.stack import Stack
    from handoff_runtime.store import Params

    Say = Callable[[str], None]

__all__ = [
    "Difference",
    "Push",
    "advanced",
    "confirm",
    "differences",
    "history",
    "masked",
    "of_file",
    "of_project",
    "plan_push",
    "push",
    "told_differences",
]

SHORT = 8
LEAF = ": "
HEAD = ("VERSION", "STORED", "BY", "TIER")
A_PAGE = 50
ROUNDS = 5  # of merging, where another push was quicker
EXISTS = ("ParameterAlreadyExists",)


@dataclass(frozen=True)
class Difference:
    """A key whose value is not the same here and there; None where it is missing."""

    key: str
    stored: str | None
    local: str | None


def of_project(place: ProjectPlace, loaded: Project, environment: str) -> dict[str, Any]:
    """The params document as it lies here, once nothing stands in the way of running it."""
    documents.check_functions(place)
    return documents.document(place, loaded, environment)


def of_file(path: Path, place: ProjectPlace) -> dict[str, Any]:
    """The params document of a file; the one of another project is refused."""
    hint = f"write one: invoke params --project {place.name} --output {shlex.quote(path.name)}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ProjectError(f"--params: {path.name}: {error.strerror}, expected a params document", hint) from None
    with given.checked():
        params = store.parse(content, f"--params: {path.name}")
    if (project := params.pipeline.project) != place.name:
        message = f"--params: {path.name}: found the params of project {project!r}, expected those of {place.name!r}"
        raise ProjectError(message, f"name its project: --project {project}")
    return dict(params.document)


def advanced(loaded: Project) -> bool:
    """Whether the project allows the advanced tier, which costs money: `params: {tier: advanced}`."""
    return loaded.params.tier == "advanced"


@dataclass(frozen=True)
class Push:
    """A document to store over version `base` (0: none is stored), and the call; None where the same is stored.

    `kept` and `removed` name the stored config files that are absent locally; `damaged` is a version that a push
    replaces although it cannot be read.
    """

    document: Mapping[str, Any] = field(repr=False)
    base: int
    change: Change | None
    kept: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    damaged: int = 0
    advanced: bool = False


def plan_push(
    stack: Stack,
    document: Mapping[str, Any],
    stored: Stored | Damaged | None,
    *,
    advanced: bool,
    prune: bool = False,
) -> Push:
    """Merge a document with the stored one, whose other config files stay unless `prune` is set."""
    if stored is None or not isinstance(stored, Stored):
        base = stored.version if stored else 0
        return Push(document, base, _put(stack, document, base, advanced=advanced), damaged=base, advanced=advanced)
    there = stored.document
    merged = documents.merge(document, there, documents.item_names(there) if prune else ())
    same = merged.document == there
    change = None if same else _put(stack, merged.document, stored.version, advanced=advanced)
    return Push(merged.document, stored.version, change, merged.kept, merged.removed, advanced=advanced)


def _put(stack: Stack, document: Mapping[str, Any], base: int, *, advanced: bool) -> Change:
    """The call that stores a document; where none is stored it creates one, and never replaces one."""
    text = sealed.seal(document)
    with told():
        tier = sealed.tier(document, text, advanced=advanced)
    form = "compressed" if text.startswith(sealed.MARK) else "plain"
    size = len(text.encode())
    request = {
        "Name": stack.parameter,
        "Description": fingerprint.described(document, stack.name),
        "Value": text,
        "Type": "SecureString",
        "Tier": tier,
        "Overwrite": base > 0,
    }
    shown = f"store parameter {stack.parameter} ({size:,} bytes, {form}, {tier.lower()} tier)"
    return Change(shown, SSM, "put_parameter", request)


def confirm(push: Push, command: str, *, yes: bool) -> None:
    """Ask before stored config files are removed; `command` is what needs no question with --yes."""
    if push.removed:
        ask(f"remove {_config_files(push.removed)}", command, yes=yes)


def push(push: Push, stack: Stack, *, dry: bool, say: Say) -> bool:
    """Store the document, or with `dry` say so; False where the same is stored. Names what is kept and removed.

    SSM has no conditional put for a parameter that exists, but numbers every version: where another push came in
    between, its config files are merged in and the result is stored again.
    """
    would = "would " if dry else ""
    if push.removed:
        say(f"{would}remove {_config_files(push.removed)}")
    if push.kept:
        say(f"note: {'would keep' if dry else 'kept'} {_config_files(push.kept)}")
        say(f"hint: to write them here: invoke params.pull {stack.options}; to remove them there: add --prune")
    if push.damaged:
        say(f"note: version {push.damaged} of parameter {stack.parameter} is damaged; its config files are not kept")
        say(f"hint: an earlier version has them: invoke params.history {stack.options}")
    if push.change is None:
        return False
    if dry:
        say(f"would {push.change.told}")
        return True
    for _ in range(ROUNDS):
        answer = stack.call_unless(EXISTS, push.change.service, push.change.operation, **push.change.request)
        if answer:
            say(push.change.told)
        merged = _merge_others(push, stack, int(answer["Version"]) if answer else 0, say)
        if merged.change is None:
            return True
        push = merged
    message = f"parameter {stack.parameter}: changed by others each of {ROUNDS} times it was stored"
    raise AWSError(message, f"when they are done: invoke params.push {stack.options}")


def _merge_others(push: Push, stack: Stack, version: int, say: Say) -> Push:
    """What is left to store after `version` was (0: another push created the parameter first)."""
    newest = parameter.get(stack) if version == 0 else None
    last, document = newest.document if newest else push.document, push.document
    kept: list[str] = []
    for number in range(newest.version if newest else version - 1, push.base, -1):
        say(f"note: version {number} of parameter {stack.parameter} was stored by another push in between")
        merged = documents.merge(document, parameter.get(stack, number).document, push.removed)
        document, kept = merged.document, [*kept, *merged.kept]
    if kept:
        say(f"note: kept {_config_files(kept)}")
    base = newest.version if newest else version
    change = None if document == last else _put(stack, document, base, advanced=push.advanced)
    return Push(document, base, change, removed=push.removed, advanced=push.advanced)


def _config_files(names: Sequence[str]) -> str:
    what = "config file that is" if len(names) == 1 else "config files that are"
    return f"{len(names)} stored {what} not here: {', '.join(names)}"


def masked(params: Params) -> dict[str, Any]:
    """The document with every value of a config file starred, and these values wherever else they stand."""
    pipeline = params.pipeline
    settings = [*pipeline.vars.items(), *pipeline.envs.items()]
    settings += [item for stage in pipeline.stages for item in stage.envs.items()]
    names = {pipeline.project, pipeline.environment, *(stage.name for stage in pipeline.stages)}
    hidden = mask.mask(params.files, settings, names)
    files = [{"name": file.name, "value": _starred(file.value)} for file in params.files]
    shown = hidden.value(params.document["pipeline"])
    return {**params.document, "pipeline": shown, "files": files}


def _starred(text: str) -> str:
    """The keys of JSON stay readable; of anything else nothing does."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return STARS
    return json.dumps(_stars_for(found), ensure_ascii=False)


def _stars_for(value: object) -> object:
    if isinstance(value, dict):
        return {key: _stars_for(item) for key, item in value.items()}
    return [_stars_for(item) for item in value] if isinstance(value, list) else STARS


def differences(stored: Mapping[str, Any], local: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What differs between two params documents, key by key; values as short hashes."""
    there, here = dict(_keyed(stored)), dict(_keyed(local))
    keys = [key for key in sorted({**there, **here}) if there.get(key) != here.get(key)]
    inside = {key.partition(LEAF)[0] for key in keys if LEAF in key}
    return tuple(Difference(key, _hash(there.get(key)), _hash(here.get(key))) for key in keys if key not in inside)


def told_differences(found: Sequence[Difference], kept: Sequence[str] = ()) -> str:
    """One line a key: + only here, - only stored, ~ stored and another one here; = a stored file a push keeps."""
    return "".join(f"{line}\n" for line in (*map(_told, found), *(f"= .local/{name}  stored only" for name in kept)))


def _told(each: Difference) -> str:
    key = safe_name(each.key)
    if each.stored is None:
        return f"+ {key}  {each.local}"
    return f"- {key}  {each.stored}" if each.local is None else f"~ {key}  {each.stored} -> {each.local}"


def _hash(value: str | None) -> str | None:
    return value if value is None else hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:SHORT]


def _keyed(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    pipeline = document["pipeline"]
    for name, value in pipeline.items():
        if name == "stages":
            yield "stages", _as_text([stage["name"] for stage in value])
            for stage in value:
                yield from _leaves(f"stages.{stage['name']}", {**stage, "name": stage["name"]})
        else:
            yield from _leaves(name, value)
    for file in document.get("files", ()):
        yield from _of_file(f".local/{file['name']}", file["value"])


def _of_file(name: str, text: str) -> Iterator[tuple[str, str]]:
    """The text as a whole, and where it is a JSON object its leaves too: the text then counts where they are equal."""
    yield name, text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict):
        for key, value in found.items():
            yield from _leaves(f"{name}{LEAF}{key}", value)


def _leaves(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(f"{key}.{name}", item)
    else:
        yield key, _as_text(value)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def history(stack: Stack) -> str:
    """The versions that Parameter Store keeps (the last 100), the newest first: when, and by whom."""
    request = {"Name": stack.parameter, "MaxResults": A_PAGE}
    rows: list[tuple[str, ...]] = []
    while True:
        page = stack.call_unless(parameter.ABSENT, SSM, "get_parameter_history", **request)
        if page is None:
            message = f"parameter {stack.parameter}: no params found in region {stack.clients.region}"
            raise AWSError(message, f"store them: invoke params.push {stack.options}")
        rows += map(_row, page["Parameters"])
        if not page.get("NextToken"):
            return table(HEAD, reversed(rows), right=("VERSION",))
        request = {**request, "NextToken": page["NextToken"]}


def _row(found: Mapping[str, Any]) -> tuple[str, ...]:
    who = str(found.get("LastModifiedUser") or "-")
    name = who.rpartition(":")[2] if who.startswith("arn:") else who
    return str(found["Version"]), stamp(found["LastModifiedDate"]), name, found.get("Tier", "Standard").lower()
