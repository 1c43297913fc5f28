"""Values stored elsewhere: `ssm:/path` and `secretsmanager:name#key` instead of a secret in the params.

A reference may stand for the whole text of a `.local` file, or for a string value at the top of a `.local`
file that is a JSON object; spaces around it do not matter, and anything else is text as it is. In
`secretsmanager:name#key` the secret is a JSON object and `key` one of its own; without `#key` it is the
secret's whole text. `ssm:/path:3` is version 3 (or the version of that label), and an ARN may stand for a
secret's name. Parameters are read ten a call (GetParameters), secrets one a call: reading several at once
would want a permission on all secrets of the account.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from handoff_runtime import exact_json
from handoff_runtime.annotations import Any
from handoff_runtime.aws.session import SECRETS, SSM, Session, connect
from handoff_runtime.errors import HandoffError, StoreError
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.params import ConfigFile, Params

PARAMETER = re.compile(r"ssm:(/[\w.\-/]+(?::[\w.\-]+)?)", re.ASCII)
SECRET = re.compile(r"secretsmanager:([\w/+=.@:\-]+)(?:#(.+))?", re.ASCII)
NAMES_A_CALL = 10


class Reference(NamedTuple):
    """A parameter, or a secret; `key` only of a secret, and empty for all of it."""

    service: str
    name: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.service}:{self.name}" + (f"#{self.key}" if self.key else "")


class Missing(NamedTuple):
    """Why a reference has no value."""

    why: str


def parse_reference(text: str) -> Reference | None:
    """The reference a text is, or None where it is none."""
    found = text.strip()
    if parameter := PARAMETER.fullmatch(found):
        return Reference("ssm", parameter.group(1))
    secret = SECRET.fullmatch(found)
    return Reference("secretsmanager", secret.group(1), secret.group(2) or "") if secret else None


def references_in(files: Iterable[ConfigFile]) -> frozenset[Reference]:
    """The references in config files."""
    return frozenset(found for file in files for _, found in _references(file))


def resolve(session: Session, params: Params) -> Params:
    """The params with every reference replaced by its value; StoreError names each that has none."""
    places = [(f".local/{file.name}{place}", found) for file in params.files for place, found in _references(file)]
    if not places:
        return params
    values = _fetch(session, {found for _, found in places})
    wrong = [f"{place}: {found}: {value.why}" for place, found in places if isinstance(value := values[found], Missing)]
    if wrong:
        hint = "allow the role ssm:GetParameters or secretsmanager:GetSecretValue on them, or correct the names"
        raise StoreError(f"references without a value: {'; '.join(wrong)}", hint)
    texts = {found: value for found, value in values.items() if isinstance(value, str)}
    files = tuple(file._replace(value=_fill(file.value, texts)) for file in params.files)
    document = {**params.document, "files": [file._asdict() for file in files]}
    return params._replace(files=files, document=document)


def resolve_locally(params: Params, environ: Mapping[str, str], say: Callable[[str], None]) -> Params:
    """Resolve them for a run whose store is not in AWS; params without references need no account."""
    if not references_in(params.files):
        return params
    session = connect(environ, say)
    try:
        return resolve(session, params)
    finally:
        session.close()


def _references(file: ConfigFile) -> Iterator[tuple[str, Reference]]:
    """The references in a file, and where: an empty text where one is all of the file, or `: key`."""
    if whole := parse_reference(file.value):
        yield "", whole
    for key, value in _object(file.value).items():
        if isinstance(value, str) and (found := parse_reference(value)):
            yield f": {key}", found


def _fill(text: str, values: Mapping[Reference, str]) -> str:
    """A file's text with the values in it; one without references stays the same to the byte."""
    if whole := parse_reference(text):
        return values[whole]
    known = {key: parse_reference(value) for key, value in _object(text).items() if isinstance(value, str)}
    new = {key: values[found] for key, found in known.items() if found}
    return exact_json.dumps({**_object(text), **new}, ensure_ascii=False, indent=2) if new else text


def _object(text: str) -> dict[str, Any]:
    """A JSON object, or an empty one where the text is something else."""
    if "ssm:" not in text and "secretsmanager:" not in text:
        return {}
    try:
        found = exact_json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _fetch(session: Session, references: set[Reference]) -> dict[Reference, str | Missing]:
    """The value of each, or why there is none."""
    parameters = sorted(one.name for one in references if one.service == "ssm")
    texts: dict[str, str | Missing] = {name: Missing("no such parameter") for name in parameters}
    for start in range(0, len(parameters), NAMES_A_CALL):
        names = parameters[start : start + NAMES_A_CALL]
        try:
            answer = session.call(SSM, "get_parameters", Names=names, WithDecryption=True)
        except StoreError as error:  # for each of them
            texts |= dict.fromkeys(names, Missing(_why(error)))
        else:
            texts |= {one["Name"] + one.get("Selector", ""): one["Value"] for one in answer["Parameters"]}
    secrets: dict[str, str | Missing] = {}
    for name in sorted({one.name for one in references if one.service != "ssm"}):
        try:
            answer = session.call(SECRETS, "get_secret_value", SecretId=name)
        except StoreError as error:
            secrets[name] = Missing(_why(error))
        else:
            text = answer.get("SecretString")
            secrets[name] = Missing("a binary secret, text expected") if text is None else str(text)
    return {one: texts[one.name] if one.service == "ssm" else _key_of(secrets[one.name], one.key) for one in references}


def _key_of(secret: str | Missing, key: str) -> str | Missing:
    """One key of a secret that is a JSON object, or all of it; a message holds nothing of the secret."""
    if not key or isinstance(secret, Missing):
        return secret
    try:
        found = exact_json.loads(secret)
    except (ValueError, RecursionError):
        return Missing("the secret is no JSON object")
    if not isinstance(found, dict) or key not in found:
        return Missing(f"the secret has no key {key}")
    return found[key] if isinstance(found[key], str) else exact_json.dumps(found[key])


def _why(error: HandoffError) -> str:
    return error.message.partition(": ")[2] or error.message
