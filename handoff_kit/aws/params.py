"""The params document in Parameter Store: read, merge and store it, its versions, its fingerprint."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handoff_kit.aws.cloudformation.stack import OWNER_TAGS, StackDescription
from handoff_kit.aws.target import Target
from handoff_kit.console import Say, confirm
from handoff_kit.errors import AWSError, ProjectError, translate_store_errors
from handoff_kit.project import params_document
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.resource_names import STACK_VARIABLE, owner_tags
from handoff_kit.steps import ApiCall, ApiCalls, ParameterSettings, StoreParams
from handoff_kit.text import table, timestamp
from handoff_runtime import masking, stored_json
from handoff_runtime.aws.session import SSM
from handoff_runtime.masking import STARS
from handoff_runtime.params import (
    FORMAT,
    FORMATS,
    MARK,
    Params,
    decode_params,
    encode_params,
    parse_params,
    required_tier,
)
from handoff_runtime.retention import Keep
from handoff_runtime.terminal import safe_name

NO_PARAMETER = ("ParameterNotFound", "ParameterVersionNotFound")
SCRYPT_COST, SCRYPT_BLOCKS, SCRYPT_LENGTH = 2**13, 8, 16  # 8 MiB, 20 ms
_PREFIX = "Params of a handoff project, fingerprint "
_DESCRIPTION = re.compile(re.escape(_PREFIX) + r"([0-9a-f]{32})")
HASH_LENGTH = 8
LEAF_SEPARATOR = ": "
HEAD = ("VERSION", "STORED", "BY", "TIER")
PAGE_SIZE = 50
IN_ADVANCED_TIER = "This parameter uses the advanced-parameter tier"
"""How AWS refuses a push of the standard tier, a ValidationException."""
BACK_TO_STANDARD = "docs/guide/config-and-state.md#back-to-the-standard-tier"
DEFAULT_KEY = "alias/aws/ssm"
"""The key of Parameter Store itself, as DescribeParameters names it."""
PUSH_ATTEMPTS = 5  # of merging, where another push was quicker


@dataclass(frozen=True)
class StoredParams:
    """A version of the params; `kms_key` is None where it was not looked up."""

    version: int
    params: Params
    kms_key: str | None = None

    @property
    def document(self) -> dict[str, Any]:
        return dict(self.params.document)


@dataclass(frozen=True)
class DamagedParams:
    """A params document of handoff that cannot be read any more."""

    version: int


def get_params(target: Target, version: int | None = None) -> StoredParams:
    """The stored document; AWSError where there is none."""
    if found := find_params(target, version):
        return found
    what = "no params found" if version is None else f"no version {version} found"
    hint = f"invoke params.push {target.options}" if version is None else f"invoke params.history {target.options}"
    message = f"parameter {target.parameter}: {what} in region {target.session.region}"
    raise AWSError(message, hint if version else f"store them: {hint}")


def find_params(
    target: Target, version: int | None = None, absent: tuple[str, ...] = NO_PARAMETER
) -> StoredParams | None:
    """The stored document, or None; ProjectError for that of another project."""
    name = target.parameter if version is None else f"{target.parameter}:{version}"
    answer = target.call(SSM, "get_parameter", allow=absent, Name=name, WithDecryption=True)
    if answer is None:
        return None
    where = f"parameter {target.parameter}"
    with translate_store_errors():
        content = decode_params(answer["Parameter"]["Value"])
        document = stored_json.parse(content, stored_json.ANY).value
        if document is None or "pipeline" not in document:
            hint = f"see who stored it: aws ssm get-parameter-history --name {target.parameter}"
            raise AWSError(f"{where}: found no params document", hint)
        if document.get("format") != FORMAT:
            message = f"{where}: found params of format {document.get('format')!r}, expected {FORMAT}"
            raise AWSError(message, "a later handoff has stored them: use that one, or push again with it")
        params = parse_params(content, where)
    if (owner := params.pipeline.project) != target.project:
        raise other_owner_error(target, owner)
    return StoredParams(answer["Parameter"]["Version"], params)


def other_owner_error(target: Target, owner: str) -> ProjectError:
    """A STACK_NAME that names the stack of another project."""
    message = f"{STACK_VARIABLE}: {target.name} is the stack of project {owner!r}, expected that of {target.project!r}"
    return ProjectError(message, f"unset {STACK_VARIABLE}, or name its project: --project {owner}")


def find_replaceable_params(target: Target) -> StoredParams | DamagedParams | None:
    """The stored document, or DamagedParams for one that a push may replace although it cannot be read."""
    try:
        return find_params(target)
    except AWSError:
        answer = target.call(SSM, "get_parameter", Name=target.parameter, WithDecryption=True)
        text = answer["Parameter"]["Value"]
        if text.startswith(tuple(f"{MARK}{form}:" for form in FORMATS)):
            return DamagedParams(answer["Parameter"]["Version"])
        raise


def stored_key(target: Target) -> str | None:
    """The KMS key that encrypts the parameter, as the last push named it."""
    filters = [{"Key": "Name", "Option": "Equals", "Values": [target.parameter]}]
    found = target.call(SSM, "describe_parameters", ParameterFilters=filters)["Parameters"]
    return str(found[0].get("KeyId", "")) if found else None


def plan_parameter_tags(target: Target, stack: StackDescription | None, tags: Mapping[str, str]) -> ApiCalls | None:
    """The calls that tag a stored parameter as its task stack is tagged from now on; None where it is tagged so.

    Of a stack without the output `Base`, which 0.1 deployed, the parameter has no tags.
    """
    deployed: Mapping[str, str] = stack.tags if stack and "Base" in stack.outputs else {}
    if deployed == tags or not {*deployed, *tags} - {*OWNER_TAGS}:
        return None
    named = {"ResourceType": "Parameter", "ResourceId": target.parameter}
    shown = f"tag parameter {target.parameter}"
    calls = [ApiCall(shown, SSM, "add_tags_to_resource", {**named, "Tags": as_tags(tags)})]
    if gone := sorted(deployed.keys() - tags.keys()):
        shown = f"remove tags of parameter {target.parameter}: {', '.join(gone)}"
        calls.append(ApiCall(shown, SSM, "remove_tags_from_resource", {**named, "TagKeys": gone}))
    return ApiCalls(tuple(calls))


def parameter_settings(target: Target, deploy: Deploy) -> ParameterSettings:
    """Key and tags of the parameter; without `deploy.tags` it has none, which needs no permission to tag."""
    tags = {**deploy.tags, **owner_tags(target.project, target.environment)} if deploy.tags else {}
    return ParameterSettings(deploy.kms_key or "", tags)


def as_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as SSM takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def check_params_owner(target: Target) -> None:
    """Refuse a stack whose params, if they may be read, are another project's."""
    find_params(target, absent=(*NO_PARAMETER, "AccessDeniedException"))


def params_fingerprint(document: Mapping[str, Any], stack: str) -> str:
    """The fingerprint of a document, salted with the name of its stack."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    content = text.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(content, salt=stack.encode(), n=SCRYPT_COST, r=SCRYPT_BLOCKS, p=1, dklen=SCRYPT_LENGTH).hex()


def describe_fingerprint(document: Mapping[str, Any], stack: str) -> str:
    return f"{_PREFIX}{params_fingerprint(document, stack)}"


def read_fingerprint(description: str) -> str | None:
    """The fingerprint in a description; None where another program or an earlier version stored the parameter."""
    match = _DESCRIPTION.fullmatch(description)
    return match[1] if match else None


@dataclass(frozen=True)
class ParamsDifference:
    """A key with different values, as short hashes; None where a value is missing."""

    key: str
    stored: str | None
    local: str | None


def plan_push(
    target: Target,
    document: Mapping[str, Any],
    stored: StoredParams | DamagedParams | None,
    *,
    advanced: bool,
    prune: bool = False,
    parameter: ParameterSettings = ParameterSettings(),  # noqa: B008  # frozen
) -> StoreParams:
    """Merge a document with the stored one, whose other config files stay unless `prune` is set."""
    if not isinstance(stored, StoredParams):
        base = stored.version if stored else 0
        change = _put_parameter(target, document, base, parameter, advanced=advanced)
        return StoreParams(document, base, change, damaged=base, advanced=advanced, parameter=parameter)
    base_document = stored.document
    merged = params_document.merge(document, base_document, params_document.item_names(base_document) if prune else ())
    update = None
    has_key = stored.kms_key is None or _key_id(stored.kms_key) == _key_id(parameter.kms_key or DEFAULT_KEY)
    if merged.document != base_document or not has_key:
        update = _put_parameter(target, merged.document, stored.version, parameter, advanced=advanced)
    kept, removed = merged.kept, merged.removed
    return StoreParams(merged.document, stored.version, update, kept, removed, advanced=advanced, parameter=parameter)


def _key_id(key: str) -> str:
    """What the id, the ARN and the alias of a KMS key end with: AWS need not name a key as we did."""
    return key.rpartition("/")[2]


def plan_push_of_keep(target: Target, push: StoreParams, keep: Keep) -> StoreParams:
    """The push after another one, once what is stored has the tags of `keep`."""
    document, base = params_document.with_keep(push.document, keep), push.base + bool(push.change)
    change = _put_parameter(target, document, base, push.parameter, advanced=push.advanced)
    return StoreParams(document, base, change, advanced=push.advanced, parameter=push.parameter)


def plan_restore(
    target: Target,
    document: Mapping[str, Any],
    stored: StoredParams | DamagedParams,
    *,
    advanced: bool,
    parameter: ParameterSettings,
) -> StoreParams:
    """Store an earlier document as a new version, without the config files that only the newest one has."""
    is_stored = isinstance(stored, StoredParams) and stored.document == document
    change = None if is_stored else _put_parameter(target, document, stored.version, parameter, advanced=advanced)
    return StoreParams(document, stored.version, change, advanced=advanced, parameter=parameter)


def _put_parameter(
    target: Target, document: Mapping[str, Any], base: int, parameter: ParameterSettings, *, advanced: bool
) -> ApiCall:
    """The call that stores a document; where none is stored it creates one, and never replaces one."""
    text = encode_params(document)
    with translate_store_errors():
        tier = required_tier(document, text, advanced=advanced)
    form = "compressed" if text.startswith(MARK) else "plain"
    size = len(text.encode())
    request: dict[str, Any] = {
        "Name": target.parameter,
        "Description": describe_fingerprint(document, target.name),
        "Value": text,
        "Type": "SecureString",
        "Tier": tier,
        "Overwrite": base > 0,
    }
    if parameter.kms_key:
        request["KeyId"] = parameter.kms_key
    if parameter.tags and not base:  # SSM takes tags with a new parameter only
        request["Tags"] = as_tags(parameter.tags)
    shown = f"store parameter {target.parameter} ({size:,} bytes, {form}, {tier.lower()} tier)"
    return ApiCall(shown, SSM, "put_parameter", request)


def confirm_push(push: StoreParams, command: str, *, yes: bool) -> None:
    """Ask before stored config files are removed; `command` is what needs no question with --yes."""
    if push.removed:
        confirm(f"remove {_config_files(push.removed)}", command, yes=yes)


def push_notes(push: StoreParams, target: Target) -> Iterator[str]:
    """Which stored config files a push removes or keeps, and what it replaces although it cannot be read."""
    if push.removed:
        yield f"note: --prune removes {_config_files(push.removed)}"
    if push.kept:
        yield f"note: a push keeps {_config_files(push.kept)}"
        yield f"hint: to write them here: invoke params.pull {target.options}; to remove them there: add --prune"
    if push.damaged:
        yield f"note: version {push.damaged} of parameter {target.parameter} is damaged; its config files are not kept"
        yield f"hint: an earlier version has them: invoke params.history {target.options}"


def new_references(document: Mapping[str, Any], stored: StoredParams | DamagedParams | None) -> str:
    """What the config of a document refers to and that of the stored one does not, as a list; empty without any."""
    before = params_document.document_references(stored.document) if isinstance(stored, StoredParams) else frozenset()
    return ", ".join(sorted(map(str, params_document.document_references(document) - before)))


def _put_in_stored_tier(change: ApiCall, target: Target, say: Say) -> Any:  # noqa: ANN401  # boto3's answer
    """Store a document, in the advanced tier where the parameter is there: AWS refuses to move it to a lower one."""
    allowed = ("ParameterAlreadyExists",)
    try:
        answer = target.call(change.service, change.operation, allow=allowed, **change.request)
    except AWSError as error:
        if IN_ADVANCED_TIER not in error.message:
            raise
        say(f"note: parameter {target.parameter} stays in the advanced tier, since AWS refuses to move it back")
        say(f"hint: to move it back: {BACK_TO_STANDARD}")
        description = change.description.replace("standard tier", "advanced tier")
        change = replace(change, description=description, request={**change.request, "Tier": "Advanced"})
        answer = target.call(change.service, change.operation, allow=allowed, **change.request)
    if answer:
        say(change.description)
    return answer


def push_params(push: StoreParams, target: Target, say: Say) -> None:
    """Store the document, unless an equal one is stored.

    SSM has no conditional put for a parameter that exists, but numbers every version: where another push came in
    between, its config files are merged in and the result is stored again.
    """
    for _ in range(PUSH_ATTEMPTS):
        if push.change is None:
            return
        answer = _put_in_stored_tier(push.change, target, say)
        push = _merge_others(push, target, int(answer["Version"]) if answer else 0, say)
    if push.change is None:
        return
    message = f"parameter {target.parameter}: changed by others each of {PUSH_ATTEMPTS} times it was stored"
    raise AWSError(message, f"when they are done: invoke params.push {target.options}")


def _merge_others(push: StoreParams, target: Target, version: int, say: Say) -> StoreParams:
    """What is left to store after `version` was (0: another push created the parameter first)."""
    newest = get_params(target) if version == 0 else None
    last, document = newest.document if newest else push.document, push.document
    kept: list[str] = []
    for number in range(newest.version if newest else version - 1, push.base, -1):
        say(f"note: version {number} of parameter {target.parameter} was stored by another push in between")
        merged = params_document.merge(document, get_params(target, number).document, push.removed)
        document, kept = merged.document, [*kept, *merged.kept]
    if kept:
        say(f"note: kept {_config_files(kept)}")
    base = newest.version if newest else version
    settings = push.parameter
    change = None if document == last else _put_parameter(target, document, base, settings, advanced=push.advanced)
    return StoreParams(document, base, change, removed=push.removed, advanced=push.advanced, parameter=settings)


def _config_files(names: Sequence[str]) -> str:
    what = "config file that is" if len(names) == 1 else "config files that are"
    return f"{len(names)} stored {what} not here: {', '.join(names)}"


def mask_document(params: Params) -> dict[str, Any]:
    """The document with every value of a config file starred, and these values wherever else they occur."""
    pipeline = params.pipeline
    settings = [*pipeline.vars.items(), *pipeline.envs.items()]
    settings += [item for stage in pipeline.stages for item in stage.envs.items()]
    names = {pipeline.project, pipeline.environment, *(stage.name for stage in pipeline.stages)}
    hidden = masking.build_mask(params.files, settings, names)
    files = []
    for file in params.files:
        try:
            value = json.dumps(_stars_for(json.loads(file.value)), ensure_ascii=False)  # keys stay readable
        except (ValueError, RecursionError):
            value = STARS
        files.append({"name": file.name, "value": value})
    return {**params.document, "pipeline": hidden.mask_value(params.document["pipeline"]), "files": files}


def _stars_for(value: object) -> object:
    if isinstance(value, dict):
        return {key: _stars_for(item) for key, item in value.items()}
    return [_stars_for(item) for item in value] if isinstance(value, list) else STARS


def compare_params(stored: Mapping[str, Any], local: Mapping[str, Any]) -> tuple[ParamsDifference, ...]:
    """What differs between two params documents, key by key; values as short hashes."""
    stored_values, local_values = dict(_flatten(stored)), dict(_flatten(local))
    keys = [key for key in sorted({**stored_values, **local_values}) if stored_values.get(key) != local_values.get(key)]
    files_with_leaves = {key.partition(LEAF_SEPARATOR)[0] for key in keys if LEAF_SEPARATOR in key}
    return tuple(
        ParamsDifference(key, _hash(stored_values.get(key)), _hash(local_values.get(key)))
        for key in keys
        if key not in files_with_leaves
    )


def format_params_diff(differences: Sequence[ParamsDifference], kept: Sequence[str] = ()) -> str:
    """One line a key: + only here, - only stored, ~ stored and another one here; = a stored file a push keeps."""
    lines = []
    for each in differences:
        key = safe_name(each.key)
        if each.stored is None:
            lines.append(f"+ {key}  {each.local}")
        elif each.local is None:
            lines.append(f"- {key}  {each.stored}")
        else:
            lines.append(f"~ {key}  {each.stored} -> {each.local}")
    lines += [f"= .local/{name}  stored only" for name in kept]
    return "".join(f"{line}\n" for line in lines)


def _hash(value: str | None) -> str | None:
    return value if value is None else hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_LENGTH]


def _flatten(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The values of a document by their keys.

    A config file is one text, and where it is a JSON object its leaves too: the text counts where they are equal.
    """
    pipeline = document["pipeline"]
    for name, value in pipeline.items():
        if name == "stages":
            yield "stages", _as_text([stage["name"] for stage in value])
            for stage in value:
                yield from _leaves(f"stages.{stage['name']}", {**stage, "name": stage["name"]})
        else:
            yield from _leaves(name, value)
    for file in document.get("files", ()):
        path = f".local/{file['name']}"
        yield path, file["value"]
        try:
            content = json.loads(file["value"])
        except (ValueError, RecursionError):
            continue
        if isinstance(content, dict):
            for key, value in content.items():
                yield from _leaves(f"{path}{LEAF_SEPARATOR}{key}", value)


def _leaves(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(f"{key}.{name}", item)
    else:
        yield key, _as_text(value)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def stored_versions(target: Target) -> list[Any]:
    """The versions that Parameter Store keeps (the last 100), the oldest first; AWSError where there is none."""
    request = {"Name": target.parameter, "MaxResults": PAGE_SIZE}
    pages = list(target.pages(SSM, "get_parameter_history", allow=NO_PARAMETER, **request))
    if not pages:
        message = f"parameter {target.parameter}: no params found in region {target.session.region}"
        raise AWSError(message, f"store them: invoke params.push {target.options}")
    return [version for page in pages for version in page["Parameters"]]


def params_history(target: Target) -> str:
    """A table of the stored versions, the newest first: when, and by whom."""
    rows = []
    for version in stored_versions(target):
        user = str(version.get("LastModifiedUser") or "-")
        user = user.rpartition(":")[2] if user.startswith("arn:") else user
        tier = version.get("Tier", "Standard").lower()
        rows.append((str(version["Version"]), timestamp(version["LastModifiedDate"]), user, tier))
    return table(HEAD, reversed(rows), right=("VERSION",))
